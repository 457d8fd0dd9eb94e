"""Delimited text: read in blocks, so that a file of any size takes the same memory.

A block whose lines are plainly records of equal width is cut by polars; anything else (a line break inside quotes, a
stray quote, a shorter line, old line ends) by the csv module, with which polars must agree.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import Chunk, FrameChunk, NumberedRow, RowsChunk, TextRow, check_width
from turno_lms.lenders.formats import CsvFormat

MAX_RECORD = 1_000_000
"""Characters: a record beyond them is no payment but a file that is not what it seems."""

_BLOCK = 4_000_000
_MAX_PLAIN_WIDTH = 200
_CODECS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "cp1252": "cp1252"}


class TextFile:
    """A delimited file from its top: first `records`, as many as are wanted, then the rest as `chunks`.

    All raise FileRefusedError where the bytes cannot be read.
    """

    def __init__(self, path: Path, text_format: CsvFormat, name: str) -> None:
        self._format = text_format
        self._name = name
        self._blocks = text_blocks(path, text_format.encoding, name)
        self._show("")
        self._record_size = 0
        self._reader = csv.reader(self._lines(), _dialect(text_format, strict=True))
        self._number = 0

    def records(self) -> Iterator[NumberedRow]:
        """The records with their physical numbers, one by one."""
        while (row := self._next_record()) is not None:
            yield self._number, row

    def chunks(self, chunk_rows: int) -> Iterator[Chunk]:
        """The records that were not yet read, in chunks of at most `chunk_rows`."""
        while block := self._take_block():
            plain = cut_plainly(block, self._format)
            if plain is None:
                self._show(block)
                yield from self._chunks_of_records(chunk_rows)
                continue
            first, self._number = self._number + 1, self._number + len(plain)
            parts = -(
                -len(plain) // chunk_rows
            )  # of equal size: a few rows over would cost as much as a chunk
            for start in range(0, len(plain), size := -(-len(plain) // parts)):
                yield plain.part(start, size, first + start)

    def _chunks_of_records(self, chunk_rows: int) -> Iterator[Chunk]:
        """The records that begin in the shown block; the last may end in a later one, which is then the shown one."""
        while self._is_shown():
            first = self._number + 1
            rows = list(islice(self._shown_records(), chunk_rows))
            if rows:
                yield RowsChunk(first, rows, self._format.delimiter)

    def _shown_records(self) -> Iterator[TextRow]:
        while self._is_shown() and (row := self._next_record()) is not None:
            yield row

    def _next_record(self) -> TextRow | None:
        self._record_size = 0
        try:
            row = next(self._reader, None)
        except csv.Error as error:
            message = f"{self._name} cannot be read after record {self._number}: {error}"
            raise FileRefusedError(
                FileError.UNREADABLE_FILE, f"{message}. Look for a quote that is never closed"
            ) from error
        if row is not None:
            self._number += 1
            check_width(len(row), self._number, self._name)
        return row

    def _lines(self) -> Iterator[str]:
        while True:
            line = self._shown.readline() or self._first_line_of_next_block()
            if not line:
                return
            self._record_size += len(line)
            if self._record_size > MAX_RECORD:
                message = f"{self._name}: record {self._number + 1} is longer than {MAX_RECORD} characters"
                raise FileRefusedError(
                    FileError.UNREADABLE_FILE, f"{message}. Is it a file of this kind, and has it line ends?"
                )
            yield line

    def _first_line_of_next_block(self) -> str:
        self._show(next(self._blocks, ""))
        return self._shown.readline()

    def _take_block(self) -> str:
        return self._shown.read() or next(self._blocks, "")

    def _show(self, block: str) -> None:
        self._shown = io.StringIO(block, newline="")
        self._shown_size = len(block)

    def _is_shown(self) -> bool:
        return self._shown.tell() < self._shown_size


def _dialect(text_format: CsvFormat, *, strict: bool) -> type[csv.Dialect]:
    refuses_oddities = strict

    class Lenders(csv.excel):
        delimiter = text_format.delimiter
        quoting = csv.QUOTE_MINIMAL if text_format.quoted else csv.QUOTE_NONE
        strict = refuses_oddities

    return Lenders


def text_blocks(path: Path, encoding: str, name: str) -> Iterator[str]:
    """The decoded text in blocks that end with a line, all but the last. Raises FileRefusedError for wrong bytes."""
    decoder = codecs.getincrementaldecoder(_CODECS[encoding])()
    rest, lines = "", 0
    with path.open("rb") as file:
        if encoding == "utf-16" and file.read(2) not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            message = (
                f"{name} is not utf-16 text: it lacks the byte order mark. Was it sent in another encoding?"
            )
            raise FileRefusedError(FileError.UNREADABLE_FILE, message)
        file.seek(0)
        more = True
        while more:
            block = file.read(_BLOCK)
            more = bool(block)
            try:
                text = rest + decoder.decode(block, final=not more)
            except UnicodeDecodeError as error:
                line = lines + rest.count("\n") + error.object[: error.start].count(b"\n") + 1
                found = f"{name} is not {encoding} text in line {line}: {error.reason}"
                raise FileRefusedError(
                    FileError.UNREADABLE_FILE, f"{found}. Was it sent in another encoding?"
                ) from error
            ready, rest = _whole_lines(text) if more else (text, "")
            lines += ready.count("\n")
            if ready:
                yield ready
            if len(rest) > MAX_RECORD:
                message = f"{name}: line {lines + 1} is longer than {MAX_RECORD} characters"
                raise FileRefusedError(
                    FileError.UNREADABLE_FILE, f"{message}. Is it a file of this kind, and has it line ends?"
                )


def _whole_lines(text: str) -> tuple[str, str]:
    """The text up to its last line end, and what follows. A carriage return at the very end may be half a line end."""
    end = text.rfind("\n") + 1 or text.rfind("\r", 0, -1) + 1
    return text[:end], text[end:]


def cut_plainly(block: str, text_format: CsvFormat) -> FrameChunk | None:
    """A block whose every line is a record of as many cells as its first, counted from 1.

    None where that is not certain: where a quote stands elsewhere than about a whole cell, or a line break in a cell.
    """
    import polars as pl

    if "\r" in block:
        block = block.replace("\r\n", "\n")
        if "\r" in block:
            return None
    first, _, _ = block.partition("\n")
    width = len(next(csv.reader([first], _dialect(text_format, strict=False)), ()))
    if not 1 < width <= _MAX_PLAIN_WIDTH:  # of a single column, a blank line is no record of one cell
        return None
    lines = block.removesuffix("\n").count("\n") + 1
    mark, quoted = rf"\x{{{ord(text_format.delimiter):x}}}", text_format.quoted and '"' in block
    cell = rf'(?:"(?:[^"\n]|"")*"|[^"{mark}\n]*)' if quoted else rf"[^{mark}\n]*"
    record = rf"(?m)^{cell}(?:{mark}{cell}){{{width - 1}}}$"
    if pl.Series([block.removesuffix("\n")]).str.count_matches(record).item() != lines:
        return None
    frame = pl.read_csv(
        block.encode(), has_header=False, schema={f"{i}": pl.String for i in range(width)},
        separator=text_format.delimiter, quote_char='"' if quoted else None,
        extra_columns="raise", missing_columns="raise",
    )  # fmt: skip
    longest = frame.select(pl.all().str.len_bytes().max()).row(0)
    if frame.height != lines or max(length or 0 for length in longest) >= csv.field_size_limit():
        return None
    return FrameChunk(1, frame, text_format.delimiter)
