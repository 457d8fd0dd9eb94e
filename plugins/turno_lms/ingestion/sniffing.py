"""What a sample looks like: its format, where its headings stand, and what stands below them.

For drafting a mapping only. A load never sniffs: it reads what the mapping says.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from turno_lms.domain.states import FileError
from turno_lms.ingestion.readers import cell_text, text_records
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, NumberedRow, TextRow
from turno_lms.lenders.formats import CsvFormat

SAMPLE_ROWS = 500
"""Rows that suggestions are made from."""
_DELIMITERS = (",", "\t", ";", "|", "~")
_BOOK_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_FEWEST_HEADINGS = 3


@dataclass(frozen=True)
class Sample:
    """A sample, read: the lines that describe its format in a mapping, its heading row and the rows below it."""

    format: dict[str, str]
    heading_row: int
    headings: tuple[str, ...]
    rows: list[NumberedRow]

    def column(self, position: int) -> list[str]:
        """The cells of one column that are not blank."""
        cells = (row[position].strip() for _, row in self.rows if position < len(row))
        return [cell for cell in cells if cell]


def read_sample(path: Path) -> Sample:
    """Find out how a sample is to be read. Raises FileRefusedError when no table can be seen in it."""
    head = path.read_bytes()[:4096]
    if head.startswith(_BOOK_MARKS):
        return _workbook(path)
    encoding = _encoding(path)
    kinds = [CsvFormat(type="csv", encoding=encoding, delimiter=mark) for mark in _DELIMITERS]  # type: ignore[arg-type]  # one of its choices
    tables = [(kind, _records(path, kind)) for kind in kinds]
    kind, rows = max(tables, key=lambda table: _table_size(table[1]))
    described = {"type": "csv", "encoding": encoding, "delimiter": kind.delimiter}
    return _sample(described, rows, path.name)


def _encoding(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _records(path: Path, kind: CsvFormat) -> list[NumberedRow]:
    try:
        return list(islice(text_records(path, kind, path.name), ROWS_TO_SEARCH + SAMPLE_ROWS))
    except (FileRefusedError, csv.Error):
        return []


def _table_size(rows: list[NumberedRow]) -> tuple[int, int]:
    """How many rows share the commonest number of cells above one, and that number."""
    widths = Counter(len(row) for _, row in rows if len(row) > 1)
    return max(((times, width) for width, times in widths.items()), default=(0, 0))


def _workbook(path: Path) -> Sample:
    """The sheet with the most rows: a summary in front of it is short."""
    try:
        book = CalamineWorkbook.from_path(str(path))
        sheets = {name: _sheet_rows(book, name) for name in book.sheet_names}
    except CalamineError as error:
        message = f"{path.name} cannot be read as a workbook: {error}"
        raise FileRefusedError(FileError.UNREADABLE_FILE, message) from error
    name = max(sheets, key=lambda sheet: len(sheets[sheet]))
    described = {"type": "xlsx" if path.read_bytes().startswith(_BOOK_MARKS[0]) else "xls"}
    if len(sheets) > 1:
        described["sheet"] = name
    return _sample(described, sheets[name], path.name)


def _sheet_rows(book: CalamineWorkbook, name: str) -> list[NumberedRow]:
    cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)[: ROWS_TO_SEARCH + SAMPLE_ROWS]
    return [(number, [cell_text(cell) for cell in row]) for number, row in enumerate(cells, start=1)]


def _sample(described: dict[str, str], rows: list[NumberedRow], name: str) -> Sample:
    number, headings = max(rows[:ROWS_TO_SEARCH], key=_headedness, default=(0, []))
    if _headedness((number, headings))[0] < _FEWEST_HEADINGS:
        message = (
            f"{name}: no row of the first {ROWS_TO_SEARCH} looks like headings; write the mapping by hand"
        )
        raise FileRefusedError(FileError.HEADING_NOT_FOUND, message)
    below = [(row_number, row) for row_number, row in rows if row_number > number]
    return Sample(described, number, tuple(" ".join(text.split()) for text in headings), below)


def _headedness(numbered: NumberedRow) -> tuple[int, int]:
    """How much a row looks like headings: different words without digits; of equal ones the first."""
    number, row = numbered
    words = {text.casefold() for text in _words(row)}
    return (len(words) if len(words) == len(list(_words(row))) else 0), -number


def _words(row: TextRow) -> Iterator[str]:
    for cell in row:
        text = " ".join(cell.split())
        if any(map(str.isalpha, text)) and sum(map(str.isdigit, text)) * 3 < len(text):
            yield text
