"""Readers for the formats a mapping can name. Text streams; a workbook is read whole, under a stated cap."""

import csv
import datetime
import zipfile
from collections.abc import Iterator
from itertools import chain, islice
from numbers import Real
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, Chunk, NumberedRow, Table, TextRow, find_headings
from turno_lms.lenders.formats import CsvFormat, XlsxFormat
from turno_lms.lenders.schema import FileKind

CHUNK_ROWS = 50_000
MAX_WORKBOOK_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 500_000_000
EXCEL_DIGITS = 15
"""Excel keeps and shows 15 significant digits; beyond them the stored binary number is noise."""

_ENCODINGS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "cp1252": "cp1252"}


def open_table(path: Path, kind: FileKind, name: str, *, chunk_rows: int = CHUNK_ROWS) -> Table:
    """Find the headings of the file at `path` and return its table; `name` is what messages call the file.

    Raises FileRefusedError for files that are empty, unreadable or without the headings; so do the chunks, when the
    file turns out unreadable further down.
    """
    if path.stat().st_size == 0:
        raise FileRefusedError(
            FileError.EMPTY_FILE, f"{name} is empty (0 bytes); ask the lender to send it again"
        )
    if isinstance(kind.format, CsvFormat):
        return _text_table(path, kind, kind.format, name, chunk_rows)
    return _workbook_table(path, kind, kind.format, name, chunk_rows)


def _text_table(path: Path, kind: FileKind, text_format: CsvFormat, name: str, chunk_rows: int) -> Table:
    records = text_records(path, text_format, name)
    top = list(islice(records, ROWS_TO_SEARCH))
    headings = find_headings(top, kind, name)
    below = chain(top[headings.row_number :], records)
    return Table(
        headings,
        _chunks((row for _, row in below), headings.row_number + 1, chunk_rows, text_format.delimiter),
    )


def text_records(path: Path, text_format: CsvFormat, name: str) -> Iterator[NumberedRow]:
    """The records of a delimited file with their physical numbers. Raises FileRefusedError where reading fails."""
    number = 0
    with path.open(encoding=_ENCODINGS[text_format.encoding], newline="") as text:
        try:
            for number, row in enumerate(
                csv.reader(text, delimiter=text_format.delimiter, strict=True), start=1
            ):
                yield number, row
        except UnicodeError as error:
            found = f"{name} is not {text_format.encoding} text after record {number}: {error}"
            message = f"{found}. Was it sent in another encoding?"
            raise FileRefusedError(FileError.UNREADABLE_FILE, message) from error
        except csv.Error as error:
            message = (
                f"{name} cannot be read after record {number}: {error}. Look for a quote that is never closed"
            )
            raise FileRefusedError(FileError.UNREADABLE_FILE, message) from error


def _chunks(
    rows: Iterator[TextRow], first_row: int, chunk_rows: int, delimiter: str = ","
) -> Iterator[Chunk]:
    while chunk := list(islice(rows, chunk_rows)):
        yield Chunk(first_row, chunk, delimiter)
        first_row += len(chunk)


def _workbook_table(
    path: Path, kind: FileKind, workbook_format: XlsxFormat, name: str, chunk_rows: int
) -> Table:
    _check_workbook_size(path, name)
    sheets = _sheets(path, workbook_format.sheet, name)
    refusal: FileRefusedError | None = None
    for sheet, rows in sheets:
        numbered = list(enumerate(rows[:ROWS_TO_SEARCH], start=1))
        try:
            headings = find_headings(numbered, kind, f"{name}, sheet {sheet}")
        except FileRefusedError as error:
            refusal = refusal or error
        else:
            return Table(
                headings, _chunks(iter(rows[headings.row_number :]), headings.row_number + 1, chunk_rows)
            )
    raise refusal or FileRefusedError(FileError.EMPTY_FILE, f"{name} holds no sheet")


def _check_workbook_size(path: Path, name: str) -> None:
    if path.stat().st_size > MAX_WORKBOOK_BYTES:
        message = (
            f"{name} is larger than {MAX_WORKBOOK_BYTES // 1_000_000} MB, the cap for workbooks; ask for CSV"
        )
        raise FileRefusedError(FileError.UNREADABLE_FILE, message)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        message = f"{name} is no XLSX workbook ({error}); is it another format, or protected by a password?"
        raise FileRefusedError(FileError.UNREADABLE_FILE, message) from error
    if unpacked > MAX_UNPACKED_BYTES:
        cap = f"{MAX_UNPACKED_BYTES // 1_000_000} MB"
        message = f"{name} unpacks to more than {cap}, the cap for workbooks; ask for CSV"
        raise FileRefusedError(FileError.UNREADABLE_FILE, message)


def _sheets(path: Path, wanted: str | None, name: str) -> Iterator[tuple[str, list[TextRow]]]:
    """The wanted sheet, or all in their order, as rows of text."""
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        if wanted is not None and wanted not in workbook.sheet_names:
            there = ", ".join(workbook.sheet_names)
            raise FileRefusedError(
                FileError.HEADING_NOT_FOUND, f"{name} has no sheet {wanted}; its sheets are {there}"
            )
        for sheet in [wanted] if wanted is not None else workbook.sheet_names:
            rows = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
            yield sheet, [[cell_text(cell) for cell in row] for row in rows]
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        raise FileRefusedError(
            FileError.UNREADABLE_FILE, f"{name} cannot be read as an XLSX workbook: {error}"
        ) from error


def cell_text(cell: Any) -> str:
    """A workbook's cell as text: dates as ISO, numbers without exponent, never through a display format.

    A number beyond 15 digits keeps an exponent (5.02E+19): its last digits are lost, so it is no reference to go by.
    """
    if isinstance(cell, datetime.datetime):
        midnight = cell.time() == datetime.time()
        return cell.date().isoformat() if midnight else cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, Real):  # a truth value too: TRUE reads as 1
        return f"{cell:.{EXCEL_DIGITS}G}"
    return str(cell)
