"""Lines of fields at fixed places, such as NPCI's 306 characters a record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from turno_lms.ingestion.readers.text import text_blocks
from turno_lms.ingestion.tables import Chunk, NumberedRow, TextRow, storable
from turno_lms.lenders.formats import FixedField, FixedRecord, FixedWidthFormat

if TYPE_CHECKING:
    import polars as pl


class FixedWidthFile:
    """A fixed-width file; the names of the detail's fields, in the order they stand, are its headings."""

    def __init__(self, path: Path, file_format: FixedWidthFormat, name: str) -> None:
        self._path = path
        self._format = file_format
        self._name = name

    def records(self) -> Iterator[NumberedRow]:
        """The headings, as row 0."""
        yield 0, [name for name, _ in _in_order(self._format.detail)]

    def chunks(self, chunk_rows: int) -> Iterator[Chunk]:
        """Every line of the file."""
        import polars as pl

        number = 1
        for block in text_blocks(self._path, self._format.encoding, self._name):
            lines = pl.Series(_lines(block), dtype=pl.String)
            for start in range(0, len(lines), chunk_rows):
                yield FixedWidthChunk(number + start, lines.slice(start, chunk_rows), self._format)
            number += len(lines)

    def value_of(self, record: str, field: str) -> set[str]:
        """The different texts of a field of one of the `others`."""
        kind = self._format.others[record]
        return {
            _cut(line, kind.fields[field]).strip()
            for block in text_blocks(self._path, self._format.encoding, self._name)
            for line in _lines(block)
            if line.startswith(kind.starts_with)
        }


class FixedWidthChunk(Chunk):
    """Consecutive lines.

    A line of the `others` is a row without cells; one of no known kind a row of one cell, its text. A detail has the
    cells that are wholly inside the line, since the beginning of an amount is another amount; what stands beyond the
    line's width is a cell too many.
    """

    delimiter = ","

    def __init__(self, first_row: int, lines: pl.Series, file_format: FixedWidthFormat) -> None:
        self.first_row = first_row
        self._lines = lines
        self._format = file_format
        self._fields = [field for _, field in _in_order(file_format.detail)]

    def __len__(self) -> int:
        return len(self._lines)

    def row(self, number: int) -> TextRow:
        """See Chunk."""
        line: str = self._lines[number - self.first_row]
        if any(line.startswith(record.starts_with) for record in self._format.others.values()):
            return []
        if not line.startswith(self._format.detail.starts_with):
            return [line] if line.strip() else []
        cells = [_cut(line, field) for field in self._fields if _end(field) <= len(line)]
        beyond = line[self._format.width :]
        return [*cells, beyond] if beyond.strip() else cells

    def cells(self, position: int) -> pl.Series:
        """See Chunk."""
        import polars as pl

        if position >= len(self._fields):
            return pl.Series([""], dtype=pl.String).new_from_index(0, len(self))
        field, line = self._fields[position], pl.col("line")
        inside = line.str.starts_with(self._format.detail.starts_with) & (line.str.len_chars() >= _end(field))
        cell = pl.when(inside).then(line.str.slice(field.start - 1, field.width)).otherwise(pl.lit(""))
        return self._lines.alias("line").to_frame().select(cell.alias("cell"))["cell"]

    def widths(self) -> pl.Series:
        """See Chunk."""
        import polars as pl

        line = pl.col("line")
        length = line.str.len_chars()
        whole = pl.sum_horizontal(
            *((length >= _end(field)).cast(pl.UInt32) for field in self._fields),
            (line.str.slice(self._format.width).str.strip_chars() != "").cast(pl.UInt32),
        )
        others = [line.str.starts_with(record.starts_with) for record in self._format.others.values()]
        kinds = pl.when(line.str.starts_with(self._format.detail.starts_with)).then(whole)
        blank = line.str.strip_chars() == ""
        width = kinds.when(pl.any_horizontal(blank, *others)).then(0).otherwise(1)
        return self._lines.alias("line").to_frame().select(width.cast(pl.UInt32).alias("width"))["width"]

    def head(self, rows: int) -> Chunk:
        """See Chunk."""
        return FixedWidthChunk(self.first_row, self._lines.head(rows), self._format)

    def raw_text(self, number: int) -> str:
        """The line."""
        return storable(self._lines[number - self.first_row])


def _lines(block: str) -> list[str]:
    return block.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _in_order(record: FixedRecord) -> list[tuple[str, FixedField]]:
    return sorted(record.fields.items(), key=lambda item: (_end(item[1]), item[1].start))


def _end(field: FixedField) -> int:
    return field.start + field.width - 1


def _cut(line: str, field: FixedField) -> str:
    return line[field.start - 1 : _end(field)]
