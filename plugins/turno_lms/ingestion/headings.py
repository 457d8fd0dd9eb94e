"""Where the mapped columns stand: by heading, by the n-th of several equal headings, or by position."""

import difflib
import json
from collections.abc import Iterable, Mapping

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, Headings, NumberedRow, TextRow, same_heading
from turno_lms.lenders.columns import AnyColumn
from turno_lms.lenders.formats import CsvFormat
from turno_lms.lenders.schema import FileKind


def find_headings(rows: Iterable[NumberedRow], kind: FileKind, place: str) -> Headings:
    """The first of `rows` that holds every mapped heading; of a file without headings, the positions alone.

    Raises FileRefusedError: HEADING_NOT_FOUND, MISSING_COLUMN (a row holds at least half of them), or EMPTY_FILE.
    `place` names the file (and sheet) in the message.
    """
    wanted = {name: tuple(map(same_heading, column.heading)) for name, column in kind.headed.items()}
    nearest: tuple[int, int, TextRow] = (0, 0, [])
    empty = True
    for number, row in rows:
        known = [same_heading(cell) for cell in row]
        empty = empty and not any(known)
        found = sum(any(alias in known for alias in aliases) for aliases in wanted.values())
        if wanted and found == len(wanted):
            return _headings(number, row, known, kind, place)
        nearest = max(nearest, (found, -number, row), key=lambda candidate: candidate[:2])
    if empty:
        raise FileRefusedError(
            FileError.EMPTY_FILE, f"{place} holds no text at all; ask the lender to send it again"
        )
    if not wanted:
        return _without_headings(kind)
    raise _not_found(nearest, kind, place)


def _without_headings(kind: FileKind) -> Headings:
    places = _by_position(kind.mapped)
    cells = kind.format.cells if isinstance(kind.format, CsvFormat) else None
    names = {name: f"column {place + 1}" for name, place in places.items()}
    return Headings(0, (), places, names, width=cells or max(places.values()) + 1)


def _by_position(mapped: Mapping[str, AnyColumn]) -> dict[str, int]:
    return {name: column.position - 1 for name, column in mapped.items() if column.position}


def _headings(number: int, row: TextRow, known: list[str], kind: FileKind, place: str) -> Headings:
    places = {
        name: _place_of(name, column, known, number, place) for name, column in kind.headed.items()
    } | _by_position(kind.mapped)
    width = max(i for i, text in enumerate(known) if text) + 1
    names = {
        name: (" ".join(row[i].split()) if i < len(row) else "") or f"column {i + 1}"
        for name, i in places.items()
    }
    return Headings(number, tuple(row), places, names, width)


def _place_of(name: str, column: AnyColumn, known: list[str], number: int, place: str) -> int:
    aliases = [*map(same_heading, column.heading)]
    several = [i for i, text in enumerate(known) if text in aliases]
    columns = " and ".join(str(position + 1) for position in several)
    if column.nth is None and len(several) > 1:
        twice = f"the heading of {name} stands in columns {columns} of row {number}"
        message = f"{place}: {twice}; which one counts is not said (nth: 2 takes the second)"
        raise FileRefusedError(FileError.MISSING_COLUMN, message)
    nth = column.nth or 1
    if len(several) < nth:
        found = f"{place}: row {number} has the heading of {name} only in column {columns}, and nth is {nth}"
        raise FileRefusedError(FileError.MISSING_COLUMN, f"{found}. Did the lender remove a column?")
    return several[nth - 1]


def _not_found(nearest: tuple[int, int, TextRow], kind: FileKind, place: str) -> FileRefusedError:
    found, number, row = nearest
    known = {same_heading(cell) for cell in row}
    lacking = {
        name: column
        for name, column in kind.headed.items()
        if known.isdisjoint(map(same_heading, column.heading))
    }
    told = ", ".join(" or ".join(column.heading) for column in lacking.values())
    if found * 2 >= len(kind.headed):
        message = (
            f"{place}: row {-number} holds the headings, but lacks {told}. Headings found: {_listed(row)}"
        )
        return FileRefusedError(FileError.MISSING_COLUMN, f"{message}. {_advice(lacking, row, kind)}", row)
    message = f"{place}: none of the first {ROWS_TO_SEARCH} rows holds the headings {told}"
    nearest_row = f"; row {-number} comes nearest with {_listed(row)}" if found else ""
    return FileRefusedError(
        FileError.HEADING_NOT_FOUND, f"{message}{nearest_row}. Is it a file of this kind?"
    )


def _advice(lacking: Mapping[str, AnyColumn], row: TextRow, kind: FileKind) -> str:
    """What may have become of the missed headings, as a change to the mapping for a person to judge."""
    mapped = {same_heading(alias) for column in kind.headed.values() for alias in column.heading}
    free = {
        same_heading(cell): " ".join(cell.split()) for cell in row if same_heading(cell) not in mapped | {""}
    }
    guesses, patch = [], []
    for name, column in lacking.items():
        close = [
            match
            for alias in column.heading
            for match in difflib.get_close_matches(same_heading(alias), free, n=1)
        ]
        if close:
            renamed = free[close[0]]
            guesses.append(f"{renamed!r} was probably {column.heading[-1]!r}")
            part = "helpers" if name in kind.helpers else "columns"
            headings = json.dumps([*column.heading, renamed], ensure_ascii=False)
            patch.append(f"{part}: {{ {name}: {{ heading: {headings} }} }}")
    if not patch:
        return "Correct the file, or the mapping if the lender renamed a column"
    return (
        f"{'; '.join(guesses)}. If so, change in the mapping: {'; '.join(patch)}. "
        "Nothing is changed by itself: otherwise correct the file"
    )


def _listed(row: TextRow) -> str:
    return ", ".join(" ".join(cell.split()) for cell in row if cell.strip())
