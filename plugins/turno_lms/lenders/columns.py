"""The columns of a mapping: where a value stands in the file, what is taken out of its text, and what type it has.

A text passes three optional steps in this order: the value of one key if the cell holds JSON (`json`), one part of a
text cut at a separator (`split`), the only match of a pattern (`extract`). A step that finds nothing leaves nothing:
never the whole text.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from turno_lms.domain.money import AmountError, rupees
from turno_lms.lenders.date_formats import check_date_formats
from turno_lms.lenders.parts import Name, Part, Text, wrong
from turno_lms.lenders.patterns import Extraction

PaymentStatus = Literal["collected", "failed", "pending", "reversed", "other"]
Texts = Annotated[tuple[Text, ...], Field(strict=False)]
SomeTexts = Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]
KeyPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$", max_length=200)]

STANDARD_TYPES = {
    "loan_id": "loan_id", "umrn": "umrn", "amount": "amount", "charge": "amount", "date": "date", "status": "status",
    "note": "text", "payment_id": "text", "sub_reference_id": "text",
}  # fmt: skip
"""The standard columns a mapping can fill, each with the one type it may have."""
REFERENCES = ("payment_id", "sub_reference_id")
BLANK_REFERENCES = (
    "NA", "N/A", "N.A.", "#N/A", "N A", "NULL", "(NULL)", "NIL", "NONE", "BLANK", "NAN", "UNDEFINED", "NOT AVAILABLE",
    "NOT APPLICABLE", "TBD", "-", "--", "---", ".", "_", "?", "0", "00", "000", "0000",
)  # fmt: skip
"""What a reference never is: two rows without a reference are not the same payment. Case is ignored."""
_SOURCES = ("heading", "position", "file_value", "first_of", "constant")


class Split(Part):
    """One part, counted from 1, of a text cut at a separator. A text without the separator has no parts."""

    separator: Annotated[str, StringConstraints(min_length=1, max_length=5)]
    part: int = Field(ge=1, le=20)


class Column(Part):
    """What all columns share: their source and what is taken out of the text.

    The source is a `heading` (several are aliases, of which exactly one must be there), a `position` in the row, a
    `file_value` (one of the file's `values`), or `first_of` several helper columns: the first that is not blank.
    """

    heading: Texts = ()
    nth: int | None = Field(default=None, ge=1, le=20)
    """Which of several columns with this heading, counted from 1 and from the left."""
    position: int | None = Field(default=None, ge=1, le=1000)
    """The column's place, counted from 1: for files without headings, or a column without one."""
    file_value: Name | None = None
    first_of: Annotated[tuple[Name, ...], Field(strict=False, max_length=10)] = ()
    blanks: Texts = ()
    """Placeholders that mean nothing, such as NIL and -; case is ignored. In a reference BLANK_REFERENCES are, too."""
    json_key: KeyPath | None = Field(default=None, alias="json")
    """The key, dotted where it lies deeper, of a cell that holds a JSON object."""
    split: Split | None = None
    extract: Extraction | None = None
    """A pattern that must match exactly one text of the cell; its group, if it has one, is the part that is taken."""

    @field_validator("heading", mode="before", json_schema_input_type=Text | SomeTexts)
    @classmethod
    def _aliases(cls, heading: Any) -> Any:
        return (heading,) if isinstance(heading, str) else heading

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        named = [source for source in _SOURCES if getattr(self, source, None)]
        if len(named) != 1:
            known = ", ".join(source for source in _SOURCES if hasattr(self, source))
            found = " and ".join(named) or "nothing"
            raise ValueError(f"say where the value comes from by exactly one of {known}, not {found}")
        if self.nth and not self.heading:
            raise ValueError("nth counts columns with the same heading: there is no heading here")
        return self

    @property
    def takes_part(self) -> bool:
        """Whether the value is only a part of the text."""
        return bool(self.json_key or self.split or self.extract)


class TextColumn(Column):
    """Text, blanks trimmed. `one_of` lists the only values allowed; `values` renames them, and allows no others."""

    type: Literal["text"]
    required: bool = True
    constant: Text | None = None
    """The same text on every row, in place of a heading."""
    one_of: Texts = ()
    values: dict[Text, SomeTexts] = {}
    """What to write for the lender's texts: ours, with the texts that mean it (case and blanks ignored)."""

    @field_validator("values")
    @classmethod
    def _one_meaning(cls, values: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        check_one_meaning(values.values())
        return values

    @model_validator(mode="after")
    def _one_list(self) -> Self:
        if self.one_of and self.values:
            raise ValueError("take `one_of` or `values`, not both: `values` allows nothing else anyway")
        return self

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        choices = self.one_of or [text for texts in self.values.values() for text in texts]
        return f"one of {', '.join(choices)}" if choices else "plain text"


class Suffixes(Part):
    """What Cr and Dr behind an amount mean at this lender. In a debit report Dr is money collected, in a statement it
    is money that goes back. Where suffixes are said, an amount without one is refused.
    """

    positive: SomeTexts
    negative: SomeTexts

    @model_validator(mode="after")
    def _different(self) -> Self:
        check_one_meaning((self.positive, self.negative))
        return self


class AmountColumn(Column):
    """Money. `grouping: indian` allows 1,23,456.00; a blank is zero in arithmetic where it is not `required`.

    A minus, brackets or a `negative` suffix make it negative: money that goes back, never a collection.
    """

    type: Literal["amount"]
    required: bool = True
    constant: Text | None = None
    """The same amount in rupees on every row, in place of a heading."""
    unit: Literal["rupees", "paise"] = "rupees"
    grouping: Literal["none", "indian", "western"] = "none"
    suffixes: Suffixes | None = None

    @field_validator("constant")
    @classmethod
    def _exact(cls, constant: str | None) -> str | None:
        try:
            return constant if constant is None else f"{rupees(constant):f}"
        except AmountError as error:
            raise ValueError(str(error)) from error

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        words = [f"an amount in {self.unit}"]
        if self.grouping != "none":
            words.append(f"with {self.grouping} grouping")
        if self.suffixes:
            words.append(f"and {' or '.join((*self.suffixes.positive, *self.suffixes.negative))} behind it")
        return " ".join(words)


class DateColumn(Column):
    """A business date in IST. The formats are tried in order; `excel_serial` takes bare serial numbers, `epoch_seconds`
    Unix times. A time without a zone of its own is of `zone`; its date in India counts.
    """

    type: Literal["date"]
    required: bool = True
    formats: SomeTexts
    month_first: bool = False
    """Said once more where a partner writes 01/31/2026; without it such a format is refused."""
    zone: Literal["IST", "UTC"] = "IST"

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        try:
            check_date_formats(self.formats, month_first=self.month_first)
        except ValueError as error:
            raise wrong(str(error), "formats") from error
        return self

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        return f"a date of the form {' or '.join(self.formats)}"


class StatusColumn(Column):
    """What became of the payment: our statuses, each with the texts that mean it (case and blanks ignored)."""

    type: Literal["status"]
    values: Annotated[dict[PaymentStatus, SomeTexts], Field(min_length=1)]

    @field_validator("values")
    @classmethod
    def _one_meaning(
        cls, values: dict[PaymentStatus, tuple[str, ...]]
    ) -> dict[PaymentStatus, tuple[str, ...]]:
        check_one_meaning(values.values())
        return values

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        return f"one of {', '.join(text for texts in self.values.values() for text in texts)}"


class LoanIdColumn(Column):
    """A loan id: the whole text or what the steps leave of it, or the only loan id inside it (`within_text`)."""

    type: Literal["loan_id"]
    within_text: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.within_text and self.takes_part:
            raise ValueError("take `within_text` or one of json, split and extract, not both")
        return self

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        return "a loan id"


class UmrnColumn(Column):
    """A NACH mandate's UMRN; the loan is looked up in the UMRN master as of the payment date."""

    type: Literal["umrn"]

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        return "a UMRN: up to 20 letters and digits"


AnyColumn = Annotated[
    TextColumn | AmountColumn | DateColumn | StatusColumn | LoanIdColumn | UmrnColumn,
    Field(discriminator="type"),
]
HelperColumn = Annotated[TextColumn | AmountColumn | DateColumn, Field(discriminator="type")]


class StandardColumns(Part):
    """The standard columns. A file names its loan by `loan_id` or by `umrn`."""

    loan_id: AnyColumn | None = None
    umrn: AnyColumn | None = None
    amount: AnyColumn | None = None
    date: AnyColumn
    status: AnyColumn | None = None
    charge: AnyColumn | None = None
    note: AnyColumn | None = None
    payment_id: AnyColumn | None = None
    sub_reference_id: AnyColumn | None = None

    @model_validator(mode="after")
    def _types_fit(self) -> Self:
        for name, column in self.items():
            if column.type != STANDARD_TYPES[name]:
                raise wrong(f"must be of type {STANDARD_TYPES[name]}, not {column.type}", name)
            if name in REFERENCES and getattr(column, "constant", None):
                raise wrong("a reference that is the same on every row identifies no payment", name)
        if (self.loan_id is None) == (self.umrn is None):
            raise ValueError("map exactly one of loan_id and umrn")
        if isinstance(self.date, DateColumn) and not self.date.required:
            raise wrong("is always required: a payment without a date belongs nowhere", "date")
        if isinstance(self.amount, AmountColumn) and (not self.amount.required or self.amount.constant):
            raise wrong("is always required: a blank amount is not zero", "amount")
        return self

    def items(self) -> Iterator[tuple[str, AnyColumn]]:
        """The columns that are mapped, by name."""
        for name in STANDARD_TYPES:
            column = getattr(self, name)
            if column is not None:
                yield name, column


def same_text(text: str) -> str:
    """A text with the differences that do not matter (case, blanks) taken out."""
    return " ".join(text.split()).casefold()


def check_one_meaning(groups: Any) -> None:
    """Raise ValueError when a text stands for two things."""
    texts = [same_text(text) for group in groups for text in group]
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice:
        raise ValueError(f"{twice[0]!r} is given more than once")
