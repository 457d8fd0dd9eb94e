"""Tables without a mapping: the first row that is not blank holds the headings, whatever the format by its bytes.

For files of our own making such as those of operations; lenders' files are read by their mapping (`open_table`).
"""

import json
from collections.abc import Iterator
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
from turno_lms.ingestion.tables import NumberedRow
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
    if path.stat().st_size == 0:
        raise FileRefusedError(FileError.EMPTY_FILE, f"{name} is empty (0 bytes)")
    found = looks_like(path)
    if found == "text":
        yield from _under_headings(TextFile(path, _CSV, name).records(), name)
    elif found == "JSON":
        yield from _json_rows(path, name)
    elif found == "an XLSX workbook":
        with TemporaryDirectory(prefix="turno-read-") as folder:
            run_job("workbook", path, Path(folder), name, LIMITS, format="xlsx", sheet=None)
            yield from _under_headings(SheetFile(Path(folder) / "0.rows", name).records(), name)
    else:
        message = f"{name} looks like {found}; it must be CSV, XLSX, a JSON list or JSON lines"
        raise FileRefusedError(FileError.UNREADABLE_FILE, message)


def _under_headings(records: Iterator[NumberedRow], name: str) -> Iterator[PlainRow]:
    headings: list[str] = []
    for number, row in records:
        if not any(cell.strip() for cell in row):
            continue
        if not headings:
            headings = [cell.strip() for cell in row]
            _check_headings(headings, name)
            continue
        if len(row) > len(headings) and any(cell.strip() for cell in row[len(headings) :]):
            message = (
                f"{name}: row {number} has more cells than there are headings: is a comma not in quotes?"
            )
            raise FileRefusedError(FileError.UNREADABLE_FILE, message)
        yield PlainRow(number, {h: cell for h, cell in zip(headings, row, strict=False) if h}, is_text=True)


def _check_headings(headings: list[str], name: str) -> None:
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
