"""Tables without a mapping: the first row that is not blank holds the headings, whatever the format by its bytes.

For files of our own making such as those of operations; lenders' files are read by their mapping (`open_table`).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from turno_lms.domain.states import FileError
from turno_lms.ingestion.readers.kinds import looks_like
from turno_lms.ingestion.readers.sheets import SheetFile
from turno_lms.ingestion.readers.text import TextFile, text_blocks
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.sandbox import LIMITS, run_job
from turno_lms.ingestion.tables import NumberedRow, TextRow
from turno_lms.lenders.formats import CsvFormat

_CSV = CsvFormat(type="csv")


@dataclass(frozen=True)
class PlainRow:
    """A row with its physical number: cells by heading, or of a JSON file the value as it is (`is_text` False)."""

    number: int
    cells: Any
    is_text: bool


def plain_rows(path: Path, name: str) -> Iterator[PlainRow]:
    """The rows of a CSV (UTF-8, commas), an XLSX (its first sheet), a JSON list, or JSON lines.

    Raises FileRefusedError for what is empty, none of these, or unreadable further down. `name` is for its messages.
    """
    if looks_like(path) == "JSON":
        yield from _json_rows(path, name)
        return
    for records in cell_tables(path, name, or_else="a JSON list or JSON lines"):
        yield from _under_headings(records, name)
        return


def cell_tables(path: Path, name: str, or_else: str = "") -> Iterator[Iterator[NumberedRow]]:
    """The records of a CSV (UTF-8, commas), or of each sheet of an XLSX in order, to be taken one after the other.

    Raises FileRefusedError for any other file; `or_else` are the formats besides these two that its message offers.
    """
    if path.stat().st_size == 0:
        raise FileRefusedError(FileError.EMPTY_FILE, f"{name} is empty (0 bytes)")
    found = looks_like(path)
    if found == "text":
        yield TextFile(path, _CSV, name).records()
    elif found == "an XLSX workbook":
        with TemporaryDirectory(prefix="turno-read-") as folder:
            sheets = run_job("workbook", path, Path(folder), name, LIMITS, format="xlsx", sheet=None)
            for number, sheet in enumerate(sheets):
                yield SheetFile(Path(folder) / f"{number}.rows", f"{name}, sheet {sheet}").records()
    else:
        fitting = f"CSV, XLSX, {or_else}" if or_else else "CSV or XLSX"
        raise FileRefusedError(FileError.UNREADABLE_FILE, f"{name} looks like {found}; it must be {fitting}")


def _under_headings(records: Iterator[NumberedRow], name: str) -> Iterator[PlainRow]:
    headings: list[str] = []
    for number, row in records:
        if not any(cell.strip() for cell in row):
            continue
        if not headings:
            headings = [cell.strip() for cell in row]
            check_headings(headings, name)
            continue
        yield plain_row(headings, number, row, name)


def plain_row(headings: Sequence[str], number: int, row: TextRow, name: str) -> PlainRow:
    """A row's cells under their headings. Raises FileRefusedError for text beyond the last of them."""
    if any(cell.strip() for cell in row[len(headings) :]):
        message = f"{name}: row {number} has more cells than there are headings: is a comma not in quotes?"
        raise FileRefusedError(FileError.UNREADABLE_FILE, message)
    return PlainRow(number, {h: cell for h, cell in zip(headings, row, strict=False) if h}, is_text=True)


def check_headings(headings: Sequence[str], name: str) -> None:
    """Raise FileRefusedError where a heading stands twice: which of the two counts is not said."""
    named = [heading for heading in headings if heading]
    twice = sorted({heading for heading in named if named.count(heading) > 1})
    if twice:
        raise FileRefusedError(FileError.HEADING_NOT_FOUND, f"{name} has the heading {twice[0]} twice")


def _json_rows(path: Path, name: str) -> Iterator[PlainRow]:
    with path.open("rb") as file:
        starts = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if starts != b"[":
        yield from _json_lines(path, name)
        return
    if path.stat().st_size > LIMITS.whole_bytes:
        cap = f"{LIMITS.whole_bytes // 1_000_000} MB, the cap for a JSON list"
        raise FileRefusedError(FileError.UNREADABLE_FILE, f"{name} is larger than {cap}; send JSON lines")
    listed = _json(path.read_bytes().decode("utf-8-sig", "replace"), name)
    for number, value in enumerate(listed, start=1):
        yield PlainRow(number, value, is_text=False)


def _json_lines(path: Path, name: str) -> Iterator[PlainRow]:
    number = 0
    for block in text_blocks(path, "utf-8", name):
        for line in block.splitlines():
            number += 1
            if line.strip():
                yield PlainRow(number, _json(line, f"{name}: line {number}"), is_text=False)


def _json(text: str, place: str) -> Any:
    """As the receiver reads JSON: whole numbers are numbers, and a fraction is for the schema to refuse."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileRefusedError(FileError.UNREADABLE_FILE, f"{place} cannot be read as JSON") from error
