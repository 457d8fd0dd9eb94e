"""A chunk's rows as a frame: of every mapped column its text (`text:<name>`) and its value (`<name>`).

Where a column takes only a part of its text, that part stands beside them (`part:<name>`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from turno_lms.ingestion import columns
from turno_lms.ingestion.arithmetic import computed
from turno_lms.ingestion.tables import Chunk, Headings, TextRow, same_heading
from turno_lms.lenders.columns import REFERENCES, AnyColumn
from turno_lms.lenders.formats import LayoutRule
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
        self._layout_starts = tuple(
            same_heading(start) for rule in kind.layout.values() for start in _starts(rule)
        )
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
        # A date that the whole file shares marks no row as a payment; the loan or mandate does then.
        mark = pl.coalesce("loan_id", "umrn") if self._kind.columns.date.file_value else pl.col("date")
        undated = frame.filter(mark.is_null())["row_number"].to_list()
        layout = [number for number in undated if self._is_layout(chunk.row(number))]
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
        return frame.with_columns(columns.cell(name).alias(name) for name in cells)

    def _with_values(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns from cells first; then those that take the first of several; then what is computed."""
        import polars as pl

        mapped = self._kind.mapped
        constants = {
            name: self._file_values[column.file_value]
            if column.file_value
            else getattr(column, "constant", None)
            for name, column in mapped.items()
        }
        frame = frame.with_columns(pl.lit(text).alias(name) for name, text in constants.items() if text)
        frame = self._typed(frame, {name: column for name, column in mapped.items() if not column.first_of})
        choosing = {name: column for name, column in mapped.items() if column.first_of}
        if choosing:
            firsts = (pl.coalesce(column.first_of).alias(name) for name, column in choosing.items())
            frame = self._typed(frame.with_columns(firsts), choosing)
        for name, formula in self._kind.formulas.items():
            frame = frame.with_columns(computed(formula).alias(name))
        unmapped = [name for name in PAYMENT_COLUMNS if name not in frame.columns]
        frame = frame.with_columns(
            pl.lit(None, dtype=pl.Int64 if name == "charge" else pl.String).alias(name) for name in unmapped
        )
        return frame.with_columns(self._note()) if self._lost else frame

    def _typed(self, frame: pl.DataFrame, mapped: Mapping[str, AnyColumn]) -> pl.DataFrame:
        """The columns' texts, the parts taken out of them, and their values."""

        frame = frame.with_columns(
            columns.written(name, column).alias(f"text:{name}") for name, column in mapped.items()
        )
        parted = {name: column for name, column in mapped.items() if columns.has_part(name, column)}
        frame = frame.with_columns(
            columns.part(f"text:{name}", column, is_reference=name in REFERENCES).alias(f"part:{name}")
            for name, column in parted.items()
        )
        pattern, iso = self._lender.loan_id_pattern, self._typed_cells
        return frame.with_columns(
            columns.value(
                f"part:{name}" if name in parted else f"text:{name}",
                column,
                loan_id_pattern=pattern,
                iso_dates=iso,
            ).alias(name)
            for name, column in mapped.items()
        )

    def _note(self) -> pl.Expr:
        """The note, with the references a spreadsheet has rounded: they identify nothing now, but are not hidden."""
        import polars as pl

        remarks = [
            pl.format(f"{name} lost, a spreadsheet has rounded it to {{}}", columns.lost(f"text:{name}"))
            for name in self._lost
        ]
        any_lost = pl.any_horizontal(remark.is_not_null() for remark in remarks)
        noted = pl.concat_str("note", *remarks, separator="; ", ignore_nulls=True)
        return pl.when(any_lost).then(noted).otherwise(pl.col("note")).alias("note")

    def _is_layout(self, row: TextRow) -> bool:
        """Blank, the headings again (a new page), or a row that a layout rule of the mapping names."""
        cells = [same_heading(cell) for cell in row]
        first = next((cell for cell in cells if cell), "")
        return not first or cells == self._heading_cells or first.startswith(self._layout_starts)


def _starts(rule: LayoutRule) -> tuple[str, ...]:
    return rule.first_cell_starts_with
