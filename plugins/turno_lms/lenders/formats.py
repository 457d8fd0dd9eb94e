"""The formats a mapping can name: how the bytes of a lender's file become rows of cells.

What a file is called does not matter, what it holds does: a file of another kind than its format says is refused with
a message that tells what it looks like. Text streams at any size; workbooks, HTML and JSON are read whole, up to the
caps of `turno_lms.ingestion.readers`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from turno_lms.lenders.parts import Name, Part, Text, wrong
from turno_lms.lenders.patterns import Pattern

Encoding = Literal["utf-8", "utf-16", "cp1252"]
ConnectionId = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_.-]+$", max_length=200)]
FilePattern = Annotated[str, StringConstraints(pattern="^[^/]+$", max_length=100)]
RecordsPath = Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
Starts = Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]


class ZipContainer(Part):
    """The file comes in a zip archive, in which exactly one member fits the pattern."""

    member: FilePattern = "*"
    password_connection: ConnectionId | None = None
    """The Airflow connection whose password opens the archive."""


class Format(Part):
    """Base of every format."""

    zip: ZipContainer | None = None

    @property
    def has_typed_cells(self) -> bool:
        """Whether dates and numbers arrive as such and not as text: only from workbooks."""
        return False


class CsvFormat(Format):
    """Delimited text, whatever the file's name. UTF-8 is read with or without a byte order mark; UTF-16 needs one."""

    type: Literal["csv"]
    encoding: Encoding = "utf-8"
    delimiter: Annotated[str, StringConstraints(pattern=r'^[^"\r\n\x00]$')] = ","
    quoted: bool = True
    """Whether quotes keep a delimiter inside a cell; `false` takes quotes for plain text."""
    cells: int | None = Field(default=None, ge=1, le=1000)
    """Of a file without headings: the cells of every record. Its columns are then given by `position`."""


class FixedField(Part):
    """Where a field stands: its first character, counted from 1, and its width."""

    start: int = Field(ge=1, le=10_000)
    width: int = Field(ge=1, le=1_000)


class FixedRecord(Part):
    """One kind of record: how its lines begin, and its fields by name."""

    starts_with: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    fields: Annotated[dict[Name, FixedField], Field(min_length=1)]


class FixedWidthFormat(Format):
    """Lines of fields at fixed places. `detail` are the payments; the fields' names stand for headings.

    Lines of the `others` (headers, trailers) are layout; any further kind of line is read as a detail that is cut
    short, and so rejected.
    """

    type: Literal["fixed_width"]
    encoding: Encoding = "utf-8"
    width: int = Field(ge=1, le=10_000)
    """Characters of every line; blanks at a line's end may be missing."""
    detail: FixedRecord
    others: dict[Name, FixedRecord] = {}

    @model_validator(mode="after")
    def _within_the_line(self) -> Self:
        for place, record in (
            (("detail",), self.detail),
            *((("others", n), r) for n, r in self.others.items()),
        ):
            for name, field in record.fields.items():
                if field.start + field.width - 1 > self.width:
                    raise wrong(f"ends after the line's {self.width} characters", *place, "fields", name)
        codes = [record.starts_with for record in (self.detail, *self.others.values())]
        for code in codes:
            if sum(other.startswith(code) for other in codes) > 1:
                raise ValueError(f"lines that start with {code} would be two kinds of record")
        return self


class XlsFormat(Format):
    """A workbook of Excel 97 to 2003: the named sheet, or the first one that holds the headings."""

    type: Literal["xls"]
    sheet: Text | None = None
    password_connection: ConnectionId | None = None
    """The Airflow connection whose password opens the workbook."""

    @property
    def has_typed_cells(self) -> bool:
        """Dates and numbers arrive as such."""
        return True


class XlsxFormat(Format):
    """A workbook: the named sheet, or the first one that holds the headings."""

    type: Literal["xlsx"]
    sheet: Text | None = None
    password_connection: ConnectionId | None = None
    """The Airflow connection whose password opens the workbook."""

    @property
    def has_typed_cells(self) -> bool:
        """Dates and numbers arrive as such."""
        return True


class HtmlFormat(Format):
    """A web page, often called .xls: the first of its tables that holds the headings."""

    type: Literal["html"]
    encoding: Encoding = "utf-8"


class JsonFormat(Format):
    """One JSON document. `records` is the dotted path of the list of payments; without it the document is the list.

    A column's heading is a record's key, dotted where it lies deeper.
    """

    type: Literal["json"]
    records: RecordsPath | None = None


class JsonLinesFormat(Format):
    """A JSON object on every line, in UTF-8. A column's heading is a key, dotted where it lies deeper."""

    type: Literal["json_lines"]


AnyFormat = Annotated[
    CsvFormat | FixedWidthFormat | XlsFormat | XlsxFormat | HtmlFormat | JsonFormat | JsonLinesFormat,
    Field(discriminator="type"),
]


class Section(Part):
    """The part of a sheet or file that counts: from below the row that starts so, to above the row that starts so."""

    after: Starts | None = None
    before: Starts | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.after is None and self.before is None:
            raise ValueError("say `after`, `before` or both")
        return self


class LayoutRule(Part):
    """Rows that are no payments: totals, signatures, notes. A row that holds a date in the date column never is one."""

    first_cell_starts_with: Starts | None = None
    first_cell_matches: Pattern | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.first_cell_starts_with is None) == (self.first_cell_matches is None):
            raise ValueError("say either first_cell_starts_with or first_cell_matches")
        return self


class FileValue(Part):
    """A value that stands once in the file: in a row above the headings or below the payments, or in a fixed record.

    `first_cell_starts_with` finds the row, `cell` counts from 1; in a fixed-width file `record` and `field` name it.
    Where several rows or records fit, they must say the same.
    """

    first_cell_starts_with: Starts | None = None
    cell: int | None = Field(default=None, ge=1, le=1000)
    record: Name | None = None
    field: Name | None = None

    @field_validator("first_cell_starts_with", mode="before", json_schema_input_type=Text | Starts)
    @classmethod
    def _one_or_several(cls, starts: Any) -> Any:
        return (starts,) if isinstance(starts, str) else starts

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_row = (self.first_cell_starts_with is not None, self.cell is not None)
        by_record = (self.record is not None, self.field is not None)
        if (all(by_row), any(by_record)) != (True, False) and (all(by_record), any(by_row)) != (True, False):
            raise ValueError("say first_cell_starts_with and cell, or record and field")
        return self


class ControlTotal(Part):
    """A total that the lender states, as one of the file's `values`, and the rows it counts.

    `all` are all data rows; `unfiltered` those that no filter takes out, whatever else becomes of them.
    """

    value: Name
    of: Literal["all", "unfiltered"] = "all"


class AmountTotal(ControlTotal):
    """A total of amounts."""

    unit: Literal["rupees", "paise"] = "rupees"


class ControlTotals(Part):
    """What the lender says the file adds up to. A file that does not is refused: something is missing or too much."""

    rows: ControlTotal | None = None
    amount: AmountTotal | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.rows is None and self.amount is None:
            raise ValueError("say rows, amount or both")
        return self

    @property
    def values(self) -> dict[str, str]:
        """Total to the file value that states it."""
        totals = {"rows": self.rows, "amount": self.amount}
        return {name: total.value for name, total in totals.items() if total is not None}
