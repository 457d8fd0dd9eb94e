"""What a lender mapping (include/lender_mappings/<slug>.yml) may say. Strict: nothing unknown, nothing converted.

These types are the whole language; docs and checks follow from them. `registry` reads the files and turns what
pydantic finds into messages with file, line and hint.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache, cached_property
from typing import Annotated, Any, Literal, Self

from croniter import croniter  # type: ignore[import-untyped]  # ships no types
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from turno_lms.domain.money import AmountError, rupees
from turno_lms.domain.names import check_slug
from turno_lms.lenders.date_formats import check_date_formats
from turno_lms.lenders.expressions import Formula, FormulaError, amounts_in, parse_formula

UMRN_PATTERN = "[A-Z0-9]{1,20}"
"""A mandate's reference: NACH documents up to 20 letters and digits and no inner structure."""

ComputedName = Literal["charge", "amount"]
COMPUTED: tuple[ComputedName, ...] = ("charge", "amount")
Gateway = Literal["razorpay", "cashfree"]
ReferenceMeaning = Literal["razorpay", "cashfree", "bank_reference", "own"]
PostingPolicy = Literal["at_once", "after_recon", "never"]
PaymentStatus = Literal["collected", "failed", "pending", "reversed", "other"]

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Name = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=40)]
Channel = Annotated[str, StringConstraints(pattern="^(razorpay|cashfree|file:[a-z][a-z0-9]*(_[a-z0-9]+)*)$")]
FieldPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$", max_length=200)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=100)]

FILE_CHANNEL = "file:"
RESERVED_PREFIXES = ("archive/", "umrn/")
STANDARD_TYPES = {
    "loan_id": "loan_id", "umrn": "umrn", "amount": "amount", "charge": "amount", "date": "date", "status": "status",
    "note": "text", "payment_id": "text", "sub_reference_id": "text",
}  # fmt: skip
"""The standard columns a mapping can fill, each with the one type it may have."""
_LOOK_AROUND = re.compile(r"\(\?[^:]|\\[1-9]")


def wrong(message: str, *place: str) -> PydanticCustomError:
    """A complaint about a key some steps below the part being checked: it is told with that key's line."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "place": place})


@cache
def check_cron(text: str) -> str:
    """Return a cron expression; raise ValueError for other text."""
    if not croniter.is_valid(text):
        raise ValueError(f"{text!r} is no cron expression, such as '30 8 * * *' (times in IST)")
    return text


class Part(BaseModel):
    """Base of every part of a mapping."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        """Name an unknown key together with the known one it resembles."""
        known = [field.alias or name for name, field in cls.model_fields.items()]
        unknown = [str(key) for key in data if key not in known] if isinstance(data, dict) else []
        if unknown:
            close = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
            raise PydanticCustomError(
                "unknown_key", "unknown key {key}; {hint}", {"key": unknown[0], "hint": hint}
            )
        return data


class Fineract(Part):
    """The lender's loans in Fineract."""

    product_id: int = Field(gt=0)
    payment_type_id: int = Field(gt=0)


class Stream(Part):
    """One stream of a lender's money: the channel that posts it, and the channels that only bear witness."""

    posts: Channel
    policy: PostingPolicy
    evidence: Annotated[tuple[Channel, ...], Field(strict=False)] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels that report this stream, the posting one first."""
        return (self.posts, *self.evidence)


class Split(Part):
    """One part, counted from 1, of a text cut at a separator."""

    separator: Annotated[str, StringConstraints(min_length=1, max_length=5)]
    part: int = Field(ge=1, le=20)


class Column(Part):
    """A column of the file, by heading; several headings are aliases of which exactly one must be there."""

    heading: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]

    @field_validator("heading", mode="before")
    @classmethod
    def _aliases(cls, heading: Any) -> Any:
        return (heading,) if isinstance(heading, str) else heading


class TextColumn(Column):
    """Text, blanks trimmed. `blanks` lists the placeholders that mean nothing, `one_of` the only values allowed."""

    type: Literal["text"]
    required: bool = True
    blanks: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    one_of: Annotated[tuple[Text, ...], Field(strict=False)] = ()

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        return f"one of {', '.join(self.one_of)}" if self.one_of else "plain text"


class AmountColumn(Column):
    """Money. `grouping: indian` allows 1,23,456.00; a blank is zero in arithmetic where it is not `required`."""

    type: Literal["amount"]
    required: bool = True
    unit: Literal["rupees", "paise"] = "rupees"
    grouping: Literal["none", "indian", "western"] = "none"

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        return f"an amount in {self.unit}" + (
            f" with {self.grouping} grouping" if self.grouping != "none" else ""
        )


class DateColumn(Column):
    """A business date in IST. The formats are tried in order; `excel_serial` takes bare serial numbers."""

    type: Literal["date"]
    formats: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]

    @field_validator("formats")
    @classmethod
    def _unambiguous(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        check_date_formats(formats)
        return formats

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        return f"a date of the form {' or '.join(self.formats)}"


class StatusColumn(Column):
    """What became of the payment: our statuses, each with the texts that mean it (case and blanks ignored)."""

    type: Literal["status"]
    values: Annotated[
        dict[PaymentStatus, Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]],
        Field(min_length=1),
    ]

    @field_validator("values")
    @classmethod
    def _one_meaning(
        cls, values: dict[PaymentStatus, tuple[str, ...]]
    ) -> dict[PaymentStatus, tuple[str, ...]]:
        texts = [" ".join(text.split()).casefold() for group in values.values() for text in group]
        twice = sorted({text for text in texts if texts.count(text) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is given more than once")
        return values

    @property
    def expected(self) -> str:
        """What a cell must hold, in words."""
        return f"one of {', '.join(text for texts in self.values.values() for text in texts)}"


class LoanIdColumn(Column):
    """A loan id: the whole text, a part of it (`split`), or the only match inside it (`within_text`)."""

    type: Literal["loan_id"]
    split: Split | None = None
    within_text: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.split and self.within_text:
            raise ValueError("take `split` or `within_text`, not both")
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
HelperColumn = Annotated[TextColumn | AmountColumn, Field(discriminator="type")]


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
        if (self.loan_id is None) == (self.umrn is None):
            raise ValueError("map exactly one of loan_id and umrn")
        return self

    def items(self) -> Iterator[tuple[str, AnyColumn]]:
        """The columns that are mapped, by name."""
        for name in STANDARD_TYPES:
            column = getattr(self, name)
            if column is not None:
                yield name, column


class S3Place(Part):
    """Where the files of a kind arrive. `*` in the pattern never crosses a slash."""

    prefix: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/$", max_length=200)
    ]
    pattern: Annotated[str, StringConstraints(pattern="^[^/]+$", max_length=100)] = "*"

    @field_validator("prefix")
    @classmethod
    def _not_ours(cls, prefix: str) -> str:
        if prefix.startswith(RESERVED_PREFIXES):
            raise ValueError(f"{' and '.join(RESERVED_PREFIXES)} hold our own objects")
        return prefix


class CsvFormat(Part):
    """Delimited text. UTF-8 is read with or without a byte order mark; UTF-16 needs one."""

    type: Literal["csv"]
    encoding: Literal["utf-8", "utf-16", "cp1252"] = "utf-8"
    delimiter: Literal[",", ";", "|", "\t", "~"] = ","


class XlsxFormat(Part):
    """A workbook: the named sheet, or the first one that holds the headings."""

    type: Literal["xlsx"]
    sheet: Text | None = None


class LayoutRule(Part):
    """Rows that are no payments: totals, signatures, notes. A row that holds a date in the date column never is one."""

    first_cell_starts_with: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)]


class Filter(Part):
    """Rows of no interest, kept apart under the filter's name: those not in `keep`, or those in `drop`.

    Text is compared without regard to case; amounts as rupees, such as "0.00".
    """

    column: Name
    keep: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    drop: Annotated[tuple[Text, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if bool(self.keep) == bool(self.drop):
            raise ValueError("say either keep or drop")
        return self


class Thresholds(Part):
    """How much of a file may be rejected, in percent of its rows and in rupees.

    Above `reject_percent` or `reject_rupees` it is halted: its rejects are kept and none of its rows is loaded. Above
    `warn_percent` or `warn_rupees` it is loaded with a warning. Amounts that cannot be read count in the rows alone.
    """

    reject_percent: int = Field(ge=0, le=100)
    reject_rupees: int | None = Field(default=None, gt=0)
    warn_percent: int | None = Field(default=None, ge=0, le=100)
    warn_rupees: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _warns_before_it_halts(self) -> Self:
        if self.warn_percent is not None and self.warn_percent >= self.reject_percent:
            raise wrong("must be below reject_percent: a halted file gives no warning", "warn_percent")
        if self.warn_rupees and self.reject_rupees and self.warn_rupees >= self.reject_rupees:
            raise wrong("must be below reject_rupees: a halted file gives no warning", "warn_rupees")
        return self

    def halts(self, rejected: int, rows: int, paise: int = 0) -> bool:
        """Whether a file of `rows` rows with `rejected` of them, worth `paise`, rejected must not be loaded."""
        return _above(self.reject_percent, self.reject_rupees, rejected, rows, paise)

    def warns(self, rejected: int, rows: int, paise: int = 0) -> bool:
        """Whether a person should look at the rejects of a file."""
        return _above(self.warn_percent, self.warn_rupees, rejected, rows, paise)


def _above(percent: int | None, limit: int | None, rejected: int, rows: int, paise: int) -> bool:
    too_many = percent is not None and rejected * 100 > percent * rows
    return too_many or (limit is not None and paise > limit * 100)


class Expected(Part):
    """By when a file of this kind comes: `by` is a cron expression (IST) of the deadlines, one file for each.

    It is overdue `tolerance_minutes` after the deadline. One that comes more than `window_minutes` before it is early.
    """

    by: Annotated[str, StringConstraints(max_length=100)]
    tolerance_minutes: int = Field(default=0, ge=0, le=10_080)
    window_minutes: int = Field(default=720, gt=0, le=10_080)

    @field_validator("by")
    @classmethod
    def _cron(cls, by: str) -> str:
        return check_cron(by)


class FileKind(Part):
    """One kind of file a lender sends."""

    s3: S3Place
    schedule: Annotated[str, StringConstraints(max_length=100)]
    format: Annotated[CsvFormat | XlsxFormat, Field(discriminator="type")]
    layout: dict[Name, LayoutRule] = {}
    columns: StandardColumns
    helpers: dict[Name, HelperColumn] = {}
    compute: dict[ComputedName, Annotated[str, StringConstraints(min_length=1, max_length=200)]] = {}
    filters: dict[Name, Filter] = {}
    payment_id_is: ReferenceMeaning = "own"
    sub_reference_id_is: ReferenceMeaning = "own"
    thresholds: Thresholds
    same_name: Literal["corrects", "adds"] = "corrects"
    """What new content under a known key is: the corrected file, or (a lender that reuses names) another file."""
    expected: Expected | None = None

    @field_validator("schedule")
    @classmethod
    def _cron(cls, schedule: str) -> str:
        return check_cron(schedule)

    @field_validator("helpers")
    @classmethod
    def _helpers_have_own_names(cls, helpers: dict[str, AnyColumn]) -> dict[str, AnyColumn]:
        taken = sorted(set(helpers) & set(STANDARD_TYPES))
        if taken:
            raise wrong("is a standard column: map it under columns", taken[0])
        return helpers

    @field_validator("compute")
    @classmethod
    def _safe(cls, compute: dict[str, str]) -> dict[str, str]:
        for name, text in compute.items():
            try:
                parse_formula(text)
            except FormulaError as error:
                raise wrong(str(error), name) from error
        return compute

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.columns.amount is None) == ("amount" not in self.compute):
            raise ValueError("amount must be either mapped under columns or computed")
        if self.columns.charge is not None and "charge" in self.compute:
            raise wrong("charge is both mapped and computed", "compute", "charge")
        if isinstance(self.columns.amount, AmountColumn) and not self.columns.amount.required:
            raise wrong("is always required: a blank amount is not zero", "columns", "amount")
        for name, formula in self.formulas.items():
            self._check_formula(name, formula)
        for name, rule in self.filters.items():
            self._check_filter(name, rule)
        return self

    @cached_property
    def mapped(self) -> dict[str, AnyColumn]:
        """Every column read from the file, standard and helper, by name."""
        return {**dict(self.columns.items()), **self.helpers}

    @cached_property
    def formulas(self) -> dict[str, Formula]:
        """The parsed formulas in the order they are worked out: charge first, since the amount may build on it."""
        return {name: parse_formula(self.compute[name]) for name in COMPUTED if name in self.compute}

    def _amount_names(self) -> set[str]:
        return {name for name, column in self.mapped.items() if column.type == "amount"}

    def _check_formula(self, name: str, formula: Formula) -> None:
        known = self._amount_names() | ({"charge"} & set(self.compute) if name == "amount" else set())
        unknown = sorted(amounts_in(formula) - known)
        if unknown:
            raise wrong(f"{unknown[0]!r} is no amount column; there are {_listed(known)}", "compute", name)

    def _check_filter(self, name: str, rule: Filter) -> None:
        computed = dict.fromkeys(self.compute, "amount")
        types = {known: column.type for known, column in self.mapped.items()} | computed
        if rule.column not in types:
            raise wrong(f"{rule.column!r} is no column; there are {_listed(types)}", "filters", name)
        if types[rule.column] not in ("amount", "text", "status"):
            raise wrong(f"a column of type {types[rule.column]} cannot be filtered on", "filters", name)
        if types[rule.column] == "amount":
            _check_amounts(rule.keep or rule.drop, name)


def _check_amounts(texts: Iterable[str], name: str) -> None:
    for text in texts:
        try:
            rupees(text)
        except AmountError as error:
            raise wrong(str(error), "filters", name) from error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


class WebhookRule(Part):
    """Where a gateway payment names its loan: a dotted field of the payload, perhaps one part of it."""

    field: FieldPath
    separator: Annotated[str, StringConstraints(min_length=1, max_length=5)] | None = None
    part: int | None = Field(default=None, ge=1, le=20)
    resolves: Literal["loan_id", "umrn"]

    @model_validator(mode="after")
    def _whole_split(self) -> Self:
        if (self.separator is None) != (self.part is None):
            raise ValueError("separator and part belong together")
        return self


class GatewayRules(Part):
    """How a lender's payments at one gateway name their loans; the first field that holds something decides."""

    loan_from: Annotated[tuple[WebhookRule, ...], Field(strict=False, min_length=1)]


class Lender(Part):
    """One lender: the whole of its onboarding."""

    slug: str = Field(alias="lender")
    name: Text
    fineract: Fineract
    post_from: date
    loan_id_pattern: Pattern
    streams: Annotated[dict[Name, Stream], Field(min_length=1)]
    files: dict[Name, FileKind] = {}
    gateways: dict[Gateway, GatewayRules] = {}

    @property
    def canonical_content(self) -> str:
        """The mapping as JSON: what it says, without comments and in one order of keys."""
        return json.dumps(self.model_dump(mode="json", by_alias=True, exclude_unset=True), sort_keys=True)

    @cached_property
    def mapping_version(self) -> str:
        """Twelve hexadecimal digits of the mapping's content: comments and the order of keys do not change it."""
        return hashlib.sha256(self.canonical_content.encode()).hexdigest()[:12]

    @field_validator("slug")
    @classmethod
    def _slug(cls, slug: str) -> str:
        return check_slug(slug)

    @field_validator("loan_id_pattern")
    @classmethod
    def _plain_pattern(cls, pattern: str) -> str:
        if _LOOK_AROUND.search(pattern):
            raise ValueError(
                "look-around, flags and back-references differ between our engines; leave them out"
            )
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        return pattern

    @model_validator(mode="after")
    def _streams_cover_channels(self) -> Self:
        described = {*(f"{FILE_CHANNEL}{kind}" for kind in self.files), *self.gateways}
        reported: set[str] = set()
        for name, stream in self.streams.items():
            for channel in stream.channels:
                if channel not in described:
                    raise wrong(
                        f"channel {channel} is not described under files or gateways", "streams", name
                    )
                if channel in reported:
                    raise wrong(
                        f"channel {channel} is named before; a channel reports one stream", "streams", name
                    )
                reported.add(channel)
        for idle in sorted(described - reported):
            raise wrong(
                f"no stream names the channel {idle}: its money would never be posted or compared", "streams"
            )
        return self

    def stream_of(self, channel: str) -> str:
        """The stream that a channel (`file:<kind>`, `razorpay`, `cashfree`) reports."""
        return next(name for name, stream in self.streams.items() if channel in stream.channels)

    @property
    def schedules(self) -> tuple[str, ...]:
        """The cron expressions (IST) at which this lender's files are looked for, without repeats."""
        return tuple(sorted({kind.schedule for kind in self.files.values()}))
