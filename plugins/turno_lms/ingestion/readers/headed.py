"""Tables found by their headings alone, in a CSV or an XLSX of somebody else's layout: a gateway's settlement report.

Lenders' files are read by their mapping (`open_table`), files of our own making by `plain_rows`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from turno_lms.domain.states import FileError
from turno_lms.ingestion.readers.plain import PlainRow, cell_tables, check_headings, plain_row
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import TextRow, same_heading


@dataclass(frozen=True)
class TableHeadings:
    """The headings by which a table is known, and those that it may have besides."""

    needed: frozenset[str]
    known: frozenset[str] = frozenset()

    def missing_in(self, row: TextRow) -> list[str]:
        """The needed headings that a row does not hold."""
        cells = set(map(same_heading, row))
        return sorted(heading for heading in self.needed if same_heading(heading) not in cells)

    def written(self, row: TextRow) -> list[str]:
        """The headings of a row, ours as they are written here whatever their case and blanks there."""
        ours = {same_heading(heading): heading for heading in self.needed | self.known}
        return [ours.get(same_heading(cell), " ".join(cell.split())) for cell in row]


def headed_tables(path: Path, name: str, wanted: Mapping[str, TableHeadings]) -> dict[str, list[PlainRow]]:
    """The rows of each wanted table that the file has, by the table's name in `wanted`.

    A table begins below the row that holds all its headings, on any sheet, and ends with the sheet or where another
    begins. The first of `wanted` must be there. Raises FileRefusedError where it is not, and where reading fails.
    """
    tables: dict[str, list[PlainRow]] = {}
    needed = next(iter(wanted.values()))
    nearest = sorted(needed.needed)
    for records in cell_tables(path, name):
        current, headings = "", list[str]()
        for number, row in records:
            begins = next((key for key, table in wanted.items() if not table.missing_in(row)), None)
            if begins:
                current, headings = begins, wanted[begins].written(row)
                check_headings(headings, name)
                tables.setdefault(current, [])
            elif current and any(cell.strip() for cell in row):
                tables[current].append(plain_row(headings, number, row, name))
            elif not current:
                nearest = min(nearest, needed.missing_in(row), key=len)
    if next(iter(wanted)) not in tables:
        raise _without(nearest, needed, name)
    return tables


def _without(missing: list[str], headings: TableHeadings, name: str) -> FileRefusedError:
    if len(missing) * 2 > len(headings.needed):
        message = f"{name}: no row holds the headings {', '.join(sorted(headings.needed))}"
        return FileRefusedError(FileError.HEADING_NOT_FOUND, message)
    return FileRefusedError(FileError.MISSING_COLUMN, f"{name} lacks the column {missing[0]!r}")
