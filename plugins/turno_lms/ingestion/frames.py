"""A chunk's rows as a frame: of every mapped column its text (`text:<name>`) and its value (`<name>`).

Where a column takes only a part of its text, that part stands beside them (`part:<name>`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from turno_lms.ingestion import columns
from turno_lms.ingestion.arithmetic import computed
from turno_lms.ingestion.tables import Chunk, Headings, TextRow, same_heading
from turno_lms.lenders.columns import REFERENCES, AmountColumn, AnyColumn, TextColumn
from turno_lms.lenders.schema import FileKind, Lender

if TYPE_CHECKING:
    import polars as pl

PAYMENT_COLUMNS = (
    "loan_id",
    "umrn",
    "amount",
    "date",
    "status",
    "charge",
    "note",
    "payment_id",
    "sub_reference_id",
)
"""What a payment row holds beside its `row_number`; `amount` and `charge` are integer paise."""


class FrameBuilder:
    """Builds the frames of one file, and tells payments from layout (titles, totals, signatures, blank rows)."""

    def __init__(self, lender: Lender, kind: FileKind, headings: Headings) -> None:
        self._kind = kind
        self._positions = headings.positions
        self._typed_cells = kind.format.has_typed_cells
        self._heading_cells = [same_heading(text) for text in headings.texts]
        self._file_values = headings.values
        rules = kind.layout.values()
        self._layout_starts = tuple(
            same_heading(start) for rule in rules for start in rule.first_cell_starts_with or ()
        )
        self._layout_patterns = [rule.first_cell_matches for rule in rules if rule.first_cell_matches]
        self._lender = lender
        self._lost = [name for name in REFERENCES if name in kind.mapped]
        self.cells_needed = max(self._positions.values()) + 1
        self.cells_headed = headings.width

    def build(self, chunk: Chunk) -> tuple[pl.DataFrame, int]:
        """The chunk's payment rows, in their order, with the flags `_short` (truncated) and `_long` (shifted).

        Beside it the number of rows left out as layout.
        """
        import polars as pl

        frame = self._with_values(self._texts(chunk))
        unmarked = frame.filter(self._is_unmarked())["row_number"].to_list()
        layout = self._layout_rows({number: chunk.row(number) for number in unmarked})
        return frame.filter(~pl.col("row_number").is_in(layout)) if layout else frame, len(layout)

    def _texts(self, chunk: Chunk) -> pl.DataFrame:
        import polars as pl

        cells = {name: chunk.cells(position) for name, position in self._positions.items()}
        numbers = range(chunk.first_row, chunk.first_row + len(chunk))
        flags = {
            "row_number": pl.Series(numbers, dtype=pl.Int32),
            "_short": chunk.widths() < self.cells_needed,
            "_long": [False] * len(chunk) if self._typed_cells else chunk.runs_over(self.cells_headed),
        }
        frame = pl.DataFrame(flags | cells, schema_overrides=dict.fromkeys(cells, pl.String))
        return frame.with_columns(columns.cell_text(pl.col(name)).alias(name) for name in cells)

    def _with_values(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns from cells first; then those that take the first of several; then what is computed."""
        import polars as pl

        mapped = self._kind.mapped
        given = {name: column for name, column in mapped.items() if _is_given(column)}
        choosing = {name: column for name, column in mapped.items() if column.first_of}
        # lazily: polars then works out once what several expressions have in common
        rows = frame.lazy().with_columns(self._given(name, column) for name, column in given.items())
        rows = self._typed(rows, {name: column for name, column in mapped.items() if name not in choosing})
        if choosing:
            firsts = (pl.coalesce(column.first_of).alias(name) for name, column in choosing.items())
            rows = self._typed(rows.with_columns(firsts), choosing)
        for name, formula in self._kind.formulas.items():
            rows = rows.with_columns(computed(formula).alias(name))
        unmapped = [
            name for name in PAYMENT_COLUMNS if name not in mapped and name not in self._kind.formulas
        ]
        return rows.with_columns(
            pl.lit(None, dtype=pl.Int64 if name == "charge" else pl.String).alias(name) for name in unmapped
        ).collect()

    def _given(self, name: str, column: AnyColumn) -> pl.Expr:
        """The same text on every row: a constant of the mapping, or a value that stands once in the file."""
        import polars as pl

        text = self._file_values[column.file_value] if column.file_value else _constant(column)
        return columns.cell_text(pl.lit(text, dtype=pl.String)).alias(name)

    def _typed(self, rows: pl.LazyFrame, mapped: Mapping[str, AnyColumn]) -> pl.LazyFrame:
        """The columns' texts, the parts taken out of them, and their values."""
        rows = rows.with_columns(
            columns.written(name, self._kind.blanks[name]).alias(f"text:{name}") for name in mapped
        )
        parted = {name: column for name, column in mapped.items() if columns.has_part(name, column)}
        rows = rows.with_columns(
            columns.part(
                f"text:{name}", column, is_reference=name in REFERENCES, blanks=self._kind.blanks[name]
            ).alias(f"part:{name}")
            for name, column in parted.items()
        )
        pattern, iso = self._lender.loan_id_pattern, self._typed_cells
        return rows.with_columns(
            columns.value(
                f"part:{name}" if name in parted else f"text:{name}",
                column,
                loan_id_pattern=pattern,
                iso_dates=iso,
            ).alias(name)
            for name, column in mapped.items()
        )

    def with_remarks(self, accepted: pl.DataFrame) -> pl.DataFrame:
        """The rows with a remark in the note on references that a spreadsheet has rounded: lost, but not hidden."""
        import polars as pl

        nothing_left = [
            pl.col(f"text:{name}").is_not_null() & pl.col(f"part:{name}").is_null() for name in self._lost
        ]
        if not self._lost or not accepted.select(pl.any_horizontal(nothing_left).any()).item():
            return accepted
        remarks = [
            pl.format(f"{name} lost, a spreadsheet has rounded it to {{}}", columns.lost(f"text:{name}"))
            for name in self._lost
        ]
        any_lost = pl.any_horizontal(remark.is_not_null() for remark in remarks)
        noted = pl.concat_str("note", *remarks, separator="; ", ignore_nulls=True)
        return accepted.with_columns(pl.when(any_lost).then(noted).otherwise(pl.col("note")).alias("note"))

    def _is_unmarked(self) -> pl.Expr:
        """Rows without the mark of a payment, a date; where one date stands for the whole file, a loan or mandate."""
        import polars as pl

        if not self._kind.columns.date.file_value:
            return pl.col("date").is_null()
        address = pl.col("loan_id" if "loan_id" in self._kind.mapped else "umrn")
        return address.is_null() | ~address.str.contains(r"\d")

    def _layout_rows(self, unmarked: Mapping[int, TextRow]) -> list[int]:
        """The numbers of rows that are blank, the headings again (a new page), or named by a layout rule."""
        firsts = {number: _first_cell(row) for number, row in unmarked.items()}
        matching = self._matching(firsts)
        return [
            number
            for number, row in unmarked.items()
            if not firsts[number]
            or number in matching
            or same_heading(firsts[number]).startswith(self._layout_starts)
            or [same_heading(cell) for cell in row] == self._heading_cells
        ]

    def _matching(self, firsts: Mapping[int, str]) -> set[int]:
        """The rows whose first cell a layout pattern fits. By polars, whose patterns take no more than linear time."""
        import polars as pl

        if not self._layout_patterns or not firsts:
            return set()
        cells = pl.DataFrame({"number": list(firsts), "first": list(firsts.values())})
        fits = pl.any_horizontal(pl.col("first").str.contains(pattern) for pattern in self._layout_patterns)
        return set(cells.filter(fits)["number"])


def _constant(column: AnyColumn) -> str | None:
    return column.constant if isinstance(column, TextColumn | AmountColumn) else None


def _is_given(column: AnyColumn) -> bool:
    return bool(column.file_value or _constant(column))


def _first_cell(row: TextRow) -> str:
    """The first cell that is not blank, with its blanks evened out."""
    return next((text for text in (" ".join(cell.split()) for cell in row) if text), "")
