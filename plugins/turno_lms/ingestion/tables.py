"""What every reader yields: a file's table as chunks of text rows below the heading row.

Row numbers are the 1-based physical records of a text file (a quoted line break stays inside its record; blank lines
count) or the rows of a sheet.
"""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.lenders.schema import FileKind

ROWS_TO_SEARCH = 50
"""The headings must stand within this many rows from the top."""

TextRow = list[str]
NumberedRow = tuple[int, TextRow]


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows, every cell as text; `first_row` is the physical number of the first."""

    first_row: int
    rows: list[TextRow]
    delimiter: str = ","

    def row(self, number: int) -> TextRow:
        """The row with this physical number."""
        return self.rows[number - self.first_row]

    def raw_text(self, number: int) -> str:
        """A row as delimited text, for a person; a NUL, which PostgreSQL cannot store, shows as its symbol."""
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=self.delimiter, lineterminator="").writerow(self.row(number))
        return buffer.getvalue().replace("\0", "\u2400")


@dataclass(frozen=True)
class Headings:
    """The heading row: where it stands, and the position of every mapped column."""

    row_number: int
    texts: tuple[str, ...]
    positions: dict[str, int]
    """Column name of the mapping to 0-based position."""
    names: dict[str, str]
    """Column name of the mapping to the heading as the file writes it."""


@dataclass(frozen=True)
class Table:
    """A file's table: its headings and, once only, the chunks below them."""

    headings: Headings
    chunks: Iterator[Chunk]


def same_heading(text: str) -> str:
    """A heading with the differences that do not matter (case, blanks, width of characters) taken out."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def find_headings(rows: Iterable[NumberedRow], kind: FileKind, place: str) -> Headings:
    """The first of `rows` that holds every mapped heading.

    Raises FileRefusedError: HEADING_NOT_FOUND, MISSING_COLUMN (a row holds at least half of them), or EMPTY_FILE.
    `place` names the file (and sheet) in the message.
    """
    wanted = {name: tuple(map(same_heading, column.heading)) for name, column in kind.headed.items()}
    nearest: tuple[int, int, TextRow] = (0, 0, [])
    empty = True
    for number, row in rows:
        known = [same_heading(cell) for cell in row]
        found = sum(any(alias in known for alias in aliases) for aliases in wanted.values())
        if found == len(wanted):
            return _headings(number, row, known, wanted, place)
        nearest = max(nearest, (found, -number, row), key=lambda candidate: candidate[:2])
        empty = empty and not any(known)
    if empty:
        raise FileRefusedError(
            FileError.EMPTY_FILE, f"{place} holds no text at all; ask the lender to send it again"
        )
    raise _not_found(nearest, kind, place)


def _not_found(nearest: tuple[int, int, TextRow], kind: FileKind, place: str) -> FileRefusedError:
    found, number, row = nearest
    known = {same_heading(cell) for cell in row}
    lacking = [
        " or ".join(column.heading)
        for column in kind.headed.values()
        if known.isdisjoint(map(same_heading, column.heading))
    ]
    if found * 2 >= len(kind.headed):
        message = (
            f"{place}: row {-number} holds the headings, but lacks {', '.join(lacking)}. "
            f"Headings found: {_listed(row)}"
        )
        return FileRefusedError(
            FileError.MISSING_COLUMN,
            f"{message}. Correct the file, or the mapping if the lender renamed a column",
        )
    message = f"{place}: none of the first {ROWS_TO_SEARCH} rows holds the headings {', '.join(lacking)}"
    nearest_row = f"; row {-number} comes nearest with {_listed(row)}" if found else ""
    return FileRefusedError(
        FileError.HEADING_NOT_FOUND, f"{message}{nearest_row}. Is it a file of this kind?"
    )


def _listed(row: TextRow) -> str:
    return ", ".join(" ".join(cell.split()) for cell in row if cell.strip())


def _headings(
    number: int, row: TextRow, known: list[str], wanted: dict[str, tuple[str, ...]], place: str
) -> Headings:
    positions = {
        name: [i for i, text in enumerate(known) if text in aliases] for name, aliases in wanted.items()
    }
    for name, several in positions.items():
        if len(several) > 1:
            columns = " and ".join(str(position + 1) for position in several)
            twice = f"the heading of {name} stands in columns {columns} of row {number}"
            message = f"{place}: {twice}; which one counts is not said"
            raise FileRefusedError(FileError.MISSING_COLUMN, message)
    places = {name: several[0] for name, several in positions.items()}
    return Headings(
        number, tuple(row), places, {name: " ".join(row[i].split()) for name, i in places.items()}
    )
