"""A chunk's rows as a frame: of every mapped column its text (`text:<name>`) and its value (`<name>`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turno_lms.ingestion import columns
from turno_lms.ingestion.tables import Chunk, Headings, TextRow, same_heading
from turno_lms.lenders.formats import CsvFormat
from turno_lms.lenders.schema import FileKind, LayoutRule, Lender

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
        self._delimited = isinstance(kind.format, CsvFormat)
        self._heading_cells = [same_heading(text) for text in headings.texts]
        self._layout_starts = tuple(
            same_heading(start) for rule in kind.layout.values() for start in _starts(rule)
        )
        self._values = {
            name: columns.value(
                name, column, loan_id_pattern=lender.loan_id_pattern, iso_dates=not self._delimited
            )
            for name, column in kind.mapped.items()
        }
        self.cells_needed = max(self._positions.values()) + 1
        self.cells_headed = max(i for i, text in enumerate(self._heading_cells) if text) + 1

    def build(self, chunk: Chunk) -> tuple[pl.DataFrame, int]:
        """The chunk's payment rows, in their order, with the flags `_short` (truncated) and `_long` (shifted).

        Beside it the number of rows left out as layout.
        """
        import polars as pl

        frame = self._with_values(self._texts(chunk))
        undated = frame.filter(pl.col("date").is_null())["row_number"].to_list()
        layout = [number for number in undated if self._is_layout(chunk.row(number))]
        return frame.filter(~pl.col("row_number").is_in(layout)) if layout else frame, len(layout)

    def _texts(self, chunk: Chunk) -> pl.DataFrame:
        import polars as pl

        needed = self.cells_needed
        lengths = list(map(len, chunk.rows))
        rows = (
            chunk.rows if min(lengths) >= needed else [row + [""] * (needed - len(row)) for row in chunk.rows]
        )
        cells = {name: [row[position] for row in rows] for name, position in self._positions.items()}
        numbers = range(chunk.first_row, chunk.first_row + len(rows))
        flags = {
            "row_number": pl.Series(numbers, dtype=pl.Int32),
            "_short": [length < needed for length in lengths],
            "_long": [
                self._delimited and length > self.cells_headed and self._has_more(row)
                for row, length in zip(rows, lengths, strict=True)
            ],
        }
        frame = pl.DataFrame(flags | cells, schema_overrides=dict.fromkeys(cells, pl.String))
        trimmed = frame.with_columns(columns.cell(name).alias(name) for name in cells)
        return trimmed.with_columns(
            columns.written(name, column).alias(name) for name, column in self._kind.mapped.items()
        )

    def _with_values(self, texts: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        frame = texts.with_columns(
            *(pl.col(name).alias(f"text:{name}") for name in self._values),
            *(value.alias(name) for name, value in self._values.items()),
        )
        for name, formula in self._kind.formulas.items():
            frame = frame.with_columns(columns.computed(formula).alias(name))
        unmapped = [name for name in PAYMENT_COLUMNS if name not in frame.columns]
        return frame.with_columns(
            pl.lit(None, dtype=pl.Int64 if name == "charge" else pl.String).alias(name) for name in unmapped
        )

    def _has_more(self, row: TextRow) -> bool:
        return any(map(str.strip, row[self.cells_headed :]))

    def _is_layout(self, row: TextRow) -> bool:
        """Blank, the headings again (a new page), or a row that a layout rule of the mapping names."""
        cells = [same_heading(cell) for cell in row]
        first = next((cell for cell in cells if cell), "")
        return not first or cells == self._heading_cells or first.startswith(self._layout_starts)


def _starts(rule: LayoutRule) -> tuple[str, ...]:
    return rule.first_cell_starts_with
