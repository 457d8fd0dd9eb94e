"""What every reader yields: a file's table as chunks of text rows below the heading row.

Row numbers are the 1-based physical records of a text file (a quoted line break stays inside its record; blank lines
count) or the rows of a sheet.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError

if TYPE_CHECKING:
    import polars as pl

ROWS_TO_SEARCH = 50
"""The headings must stand within this many rows from the top."""
MAX_COLUMNS = 16_384
"""The width of a worksheet; nothing wider is a table of payments."""

TextRow = list[str]
NumberedRow = tuple[int, TextRow]


class Chunk(ABC):
    """Consecutive rows, every cell as text; `first_row` is the physical number of the first."""

    first_row: int
    delimiter: str

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def row(self, number: int) -> TextRow:
        """The row with this physical number."""

    @abstractmethod
    def cells(self, position: int) -> pl.Series:
        """The texts at a 0-based position; empty where a row ends before it."""

    @abstractmethod
    def widths(self) -> pl.Series:
        """How many cells each row has."""

    @abstractmethod
    def head(self, rows: int) -> Chunk:
        """The first `rows` rows."""

    @property
    def rows(self) -> list[TextRow]:
        """All rows."""
        return [self.row(number) for number in range(self.first_row, self.first_row + len(self))]

    @property
    def width(self) -> int:
        """The cells of the widest row."""
        return int(self.widths().max() or 0)  # type: ignore[arg-type]  # a whole number

    def runs_over(self, width: int) -> pl.Series:
        """Whether each row holds text beyond its first `width` cells."""
        import polars as pl

        wide = self.widths() > width
        if not wide.any():
            return wide
        rows = enumerate(wide.to_list(), start=self.first_row)
        return pl.Series([over and any(map(str.strip, self.row(number)[width:])) for number, over in rows])

    def raw_text(self, number: int) -> str:
        """A row as delimited text, for a person; a NUL, which PostgreSQL cannot store, shows as its symbol."""
        return _delimited(self.row(number), self.delimiter)

    def raw_texts(self, numbers: Sequence[int]) -> list[str]:
        """`raw_text` of each of the rows with these physical numbers."""
        return [self.raw_text(number) for number in numbers]


def _delimited(row: TextRow, delimiter: str) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="").writerow(row)
    return storable(buffer.getvalue())


class RowsChunk(Chunk):
    """Rows that are lists already; `raw` are their texts where cells alone would not show them."""

    def __init__(
        self, first_row: int, rows: list[TextRow], delimiter: str = ",", raw: Sequence[str] = ()
    ) -> None:
        self.first_row = first_row
        self.delimiter = delimiter
        self._rows = rows
        self._raw = raw

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, number: int) -> TextRow:
        """See Chunk."""
        return self._rows[number - self.first_row]

    def cells(self, position: int) -> pl.Series:
        """See Chunk."""
        import polars as pl

        texts = [row[position] if position < len(row) else "" for row in self._rows]
        return pl.Series(texts, dtype=pl.String)

    def widths(self) -> pl.Series:
        """See Chunk."""
        import polars as pl

        return pl.Series([len(row) for row in self._rows], dtype=pl.UInt32)

    def head(self, rows: int) -> Chunk:
        """See Chunk."""
        return RowsChunk(self.first_row, self._rows[:rows], self.delimiter, self._raw[:rows])

    def raw_text(self, number: int) -> str:
        """See Chunk."""
        return storable(self._raw[number - self.first_row]) if self._raw else super().raw_text(number)


class FrameChunk(Chunk):
    """Rows of equal width, as a frame of texts in which an empty one may be null."""

    def __init__(self, first_row: int, frame: pl.DataFrame, delimiter: str) -> None:
        self.first_row = first_row
        self.delimiter = delimiter
        self._frame = frame

    def __len__(self) -> int:
        return self._frame.height

    def row(self, number: int) -> TextRow:
        """See Chunk."""
        return [cell or "" for cell in self._frame.row(number - self.first_row)]

    def raw_texts(self, numbers: Sequence[int]) -> list[str]:
        """See Chunk."""
        rows = self._frame[[number - self.first_row for number in numbers]].rows()
        return [_delimited([cell or "" for cell in row], self.delimiter) for row in rows]

    @property
    def rows(self) -> list[TextRow]:
        """All rows."""
        return [[cell or "" for cell in row] for row in self._frame.rows()]

    def cells(self, position: int) -> pl.Series:
        """See Chunk."""
        import polars as pl

        if position < self._frame.width:
            return self._frame.to_series(position).fill_null("")
        return pl.Series([""], dtype=pl.String).new_from_index(0, len(self))

    def widths(self) -> pl.Series:
        """See Chunk."""
        import polars as pl

        return pl.Series([self._frame.width], dtype=pl.UInt32).new_from_index(0, len(self))

    def part(self, start: int, rows: int, first_row: int) -> FrameChunk:
        """At most `rows` rows from the 0-based `start`, numbered from `first_row`."""
        return FrameChunk(first_row, self._frame.slice(start, rows), self.delimiter)

    def head(self, rows: int) -> Chunk:
        """See Chunk."""
        return self.part(0, rows, self.first_row)


def storable(text: str) -> str:
    """A text as PostgreSQL can store it."""
    return text.replace("\0", "\u2400")


def check_width(cells: int, row: int, name: str) -> None:
    """Raise FileRefusedError for a row that no table of payments has."""
    if cells > MAX_COLUMNS:
        message = f"{name}: row {row} or one soon after it has {cells} cells, more than any sheet"
        raise FileRefusedError(FileError.UNREADABLE_FILE, f"{message}; is it a file of this kind?")


@dataclass(frozen=True)
class Headings:
    """The heading row: where it stands (0 where there is none), and the position of every mapped column."""

    row_number: int
    texts: tuple[str, ...]
    positions: dict[str, int]
    """Column name of the mapping to 0-based position."""
    names: dict[str, str]
    """Column name of the mapping to the heading as the file writes it."""
    width: int
    """The cells a row should have; text beyond them means that an unquoted delimiter has shifted it."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What the mapping's `values` name: texts that stand once in the file."""


@dataclass(frozen=True)
class Table:
    """A file's table: its headings and, once only, the chunks below them."""

    headings: Headings
    chunks: Iterator[Chunk]


def same_heading(text: str) -> str:
    """A heading with the differences that do not matter (case, blanks, width of characters) taken out."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()
