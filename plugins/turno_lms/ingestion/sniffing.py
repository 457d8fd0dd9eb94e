"""What a sample looks like: its format, where its headings stand, and what stands below them.

For drafting a mapping only. A load never sniffs: it reads what the mapping says.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from turno_lms.domain.states import FileError
from turno_lms.ingestion.readers import text_records
from turno_lms.ingestion.readers.kinds import looks_like
from turno_lms.ingestion.readers.records import cell_text
from turno_lms.ingestion.readers.sheets import SheetFile
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.sandbox import LIMITS, Job, run_job
from turno_lms.ingestion.sandbox.documents import exact_json
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, NumberedRow, TextRow
from turno_lms.lenders.formats import CsvFormat, Encoding

SAMPLE_ROWS = 500
"""Rows that suggestions are made from."""
_MOST_ROWS = ROWS_TO_SEARCH + SAMPLE_ROWS
_DELIMITERS = (",", "\t", ";", "|", "~")
_FEWEST_HEADINGS = 3
_BINARY: dict[str, tuple[Job, str]] = {
    "an XLSX workbook": ("workbook", "xlsx"),
    "an XLS workbook, or a workbook protected by a password": ("workbook", "xls"),
    "an HTML page": ("html", "html"),
}
_TEXT = ("text", "JSON")


@dataclass(frozen=True)
class Sample:
    """A sample, read: the keys that describe its format in a mapping, its heading row and the rows below it."""

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
    found = looks_like(path)
    if found in _BINARY:
        return _tables(path, *_BINARY[found])
    if found not in _TEXT:
        message = f"{path.name} looks like {found}: unpack it, or write its mapping by hand"
        raise FileRefusedError(FileError.UNREADABLE_FILE, message)
    return (_json_lines(path) if found == "JSON" else None) or _text(path)


def _text(path: Path) -> Sample:
    encoding = _encoding(path)
    tables = [
        (mark, _records(path, CsvFormat(type="csv", encoding=encoding, delimiter=mark)))
        for mark in _DELIMITERS
    ]
    delimiter, rows = max(tables, key=lambda table: _table_size(table[1]))
    return _sample({"type": "csv", "encoding": encoding, "delimiter": delimiter}, rows, path.name)


def _encoding(path: Path) -> Encoding:
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
        return list(islice(text_records(path, kind, path.name), _MOST_ROWS))
    except FileRefusedError:
        return []


def _table_size(rows: list[NumberedRow]) -> tuple[int, int]:
    """How many rows share the commonest number of cells above one, and that number."""
    widths = Counter(len(row) for _, row in rows if len(row) > 1)
    return max(((times, width) for width, times in widths.items()), default=(0, 0))


def _tables(path: Path, job: Job, file_type: str) -> Sample:
    """The table with the most rows: a summary in front of it is short."""
    options: dict[str, Any] = {"format": file_type, "sheet": None}
    if job == "html":
        options = {"encoding": get_args(Encoding)[0]}
    with TemporaryDirectory(prefix="turno-read-") as folder:
        names = run_job(job, path, Path(folder), path.name, LIMITS, **options)
        tables = {
            name: list(islice(SheetFile(Path(folder) / f"{number}.rows", path.name).records(), _MOST_ROWS))
            for number, name in enumerate(names)
        }
    if not tables:
        raise FileRefusedError(FileError.EMPTY_FILE, f"{path.name} holds no table")
    name = max(tables, key=lambda table: len(tables[table]))
    described = {"type": file_type}
    if job == "workbook" and len(tables) > 1:
        described["sheet"] = name
    return _sample(described, tables[name], path.name)


def _json_lines(path: Path) -> Sample | None:
    """A file with an object on every line; the keys, dotted where they lie deeper, are its headings."""
    try:
        lines = io.StringIO(path.read_text(encoding="utf-8-sig"))
        numbered = [(number, exact_json(line)) for number, line in enumerate(lines, start=1) if line.strip()]
        records = [(number, dict(_leaves(record))) for number, record in numbered[:SAMPLE_ROWS]]
    except (ValueError, RecursionError, AttributeError):
        return None
    keys = tuple(dict.fromkeys(key for _, record in records for key in record))
    rows = [(number, [record.get(key, "") for key in keys]) for number, record in records]
    return Sample({"type": "json_lines"}, 0, keys, rows)


def _leaves(record: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", cell_text(value)


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
    return len({text.casefold() for text in _words(row)}), -number


def _words(row: TextRow) -> Iterator[str]:
    for cell in row:
        text = " ".join(cell.split())
        if any(map(str.isalpha, text)) and sum(map(str.isdigit, text)) * 3 < len(text):
            yield text
