"""What a lender mapping (include/lender_mappings/<slug>.yml) may say. Strict: nothing unknown, nothing converted.

These types are the whole language; docs and checks follow from them. `registry` reads the files and turns what
pydantic finds into messages with file, line and hint.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import date
from functools import cache, cached_property
from typing import Annotated, Literal, Self

from croniter import croniter  # type: ignore[import-untyped]  # ships no types
from pydantic import Field, StringConstraints, field_validator, model_validator

from turno_lms.domain.money import AmountError, rupees
from turno_lms.domain.names import check_slug
from turno_lms.lenders.columns import (
    BLANK_REFERENCES,
    REFERENCES,
    STANDARD_TYPES,
    AnyColumn,
    HelperColumn,
    KeyPath,
    StandardColumns,
    StatusColumn,
    TextColumn,
    Texts,
)
from turno_lms.lenders.expressions import Formula, FormulaError, amounts_in, parse_formula
from turno_lms.lenders.filters import COMPARISONS, Comparison, Filter
from turno_lms.lenders.formats import (
    AnyFormat,
    ControlTotals,
    CsvFormat,
    FileValue,
    FixedWidthFormat,
    JsonFormat,
    JsonLinesFormat,
    LayoutRule,
    Section,
)
from turno_lms.lenders.los import LoanOperations
from turno_lms.lenders.parts import Name, Part, Text, wrong
from turno_lms.lenders.patterns import Pattern
from turno_lms.lenders.payment_links import REFERENCE_FIELDS, REFERENCE_SEPARATOR, PaymentLinkPolicy
from turno_lms.lenders.reconciliation import Reconciliation
from turno_lms.lenders.resolutions import Resolutions

UMRN_PATTERN = "[A-Z0-9]{1,20}"
"""A mandate's reference: NACH documents up to 20 letters and digits and no inner structure."""
TOKEN_PATTERN = "token_[A-Za-z0-9]{1,40}"  # noqa: S105  # the form of a name
"""Razorpay's name of a mandate."""

ComputedName = Literal["charge", "amount"]
COMPUTED: tuple[ComputedName, ...] = ("charge", "amount")
Gateway = Literal["razorpay", "cashfree"]
ReferenceMeaning = Literal["razorpay", "cashfree", "bank_reference", "settlement", "own"]
PostingPolicy = Literal["at_once", "after_recon", "never"]

Channel = Annotated[str, StringConstraints(pattern="^(razorpay|cashfree|file:[a-z][a-z0-9]*(_[a-z0-9]+)*)$")]

FILE_CHANNEL = "file:"
RESERVED_PREFIXES = ("archive/", "los/", "settlements/", "statements/", "umrn/")


@cache
def check_cron(text: str) -> str:
    """Return a cron expression; raise ValueError for other text."""
    if not croniter.is_valid(text):
        raise ValueError(f"{text!r} is no cron expression, such as '30 8 * * *' (times in IST)")
    return text


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
            raise ValueError(f"{', '.join(RESERVED_PREFIXES)} hold our own objects")
        return prefix


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
    format: AnyFormat
    section: Section | None = None
    layout: dict[Name, LayoutRule] = {}
    values: dict[Name, FileValue] = {}
    control_totals: ControlTotals | None = None
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
    ignored_headings: Texts = ()
    """Headings that are not mapped and may come and go. Any other that does refuses the file."""

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
        self._check_places()
        self._check_values()
        for name, column in self.mapped.items():
            self._check_first_of(name, column)
        for name, formula in self.formulas.items():
            self._check_formula(name, formula)
        for name, rule in self.filters.items():
            self._check_filter(name, rule)
        return self

    @cached_property
    def mapped(self) -> dict[str, AnyColumn]:
        """Every column with a value before anything is computed, standard and helper, by name."""
        return {**dict(self.columns.items()), **self.helpers}

    @cached_property
    def headed(self) -> dict[str, AnyColumn]:
        """The mapped columns that stand under a heading of the file."""
        return {name: column for name, column in self.mapped.items() if column.heading}

    @cached_property
    def blanks(self) -> dict[str, frozenset[str]]:
        """What counts as nothing in each column, in lower case: in a reference, or what one is taken from, more."""
        chosen = {part for name in REFERENCES if name in self.mapped for part in self.mapped[name].first_of}
        texts = {
            name: (*column.blanks, *(BLANK_REFERENCES if name in chosen.union(REFERENCES) else ()))
            for name, column in self.mapped.items()
        }
        return {name: frozenset(map(str.lower, blanks)) for name, blanks in texts.items()}

    @cached_property
    def formulas(self) -> dict[str, Formula]:
        """The parsed formulas in the order they are worked out: charge first, since the amount may build on it."""
        return {name: parse_formula(self.compute[name]) for name in COMPUTED if name in self.compute}

    def _check_places(self) -> None:
        """Columns by position belong to a file whose columns have one; and a file has headings or it has none."""
        by_position = [name for name, column in self.mapped.items() if column.position]
        if not self.headed and not by_position:
            raise ValueError("no column is taken from the file: give headings, or positions")
        if isinstance(self.format, CsvFormat) and (self.format.cells is None) == (not self.headed):
            message = (
                "is the width of a file without headings: it belongs to columns by position, and they need it"
            )
            raise wrong(message, "format", "cells")
        if by_position and isinstance(self.format, FixedWidthFormat | JsonFormat | JsonLinesFormat):
            raise ValueError(f"{by_position[0]} has a position, but {self.format.type} names its columns")

    def _check_values(self) -> None:
        named = isinstance(self.format, FixedWidthFormat | JsonFormat | JsonLinesFormat)
        if self.section and named:
            raise wrong(f"a {self.format.type} file has no sections", "section")
        for name, value in self.values.items():
            self._check_value(name, value)
        used = {column.file_value for column in self.mapped.values() if column.file_value}
        used |= set(self.control_totals.values.values()) if self.control_totals else set()
        if unknown := sorted(used - set(self.values)):
            raise ValueError(f"{unknown[0]!r} is none of the file's values; there are {_listed(self.values)}")

    def _check_value(self, name: str, value: FileValue) -> None:
        if isinstance(self.format, FixedWidthFormat):
            record = self.format.others.get(value.record or "")
            if record is None or value.field not in record.fields:
                raise wrong("names no record and field of the format's others", "values", name)
        elif value.record or isinstance(self.format, JsonFormat | JsonLinesFormat):
            raise wrong(f"a {self.format.type} file has no such rows or records", "values", name)

    def _amount_names(self) -> set[str]:
        return {name for name, column in self.mapped.items() if column.type == "amount"}

    def _is_reversal_put_aside(self, rule: Filter) -> bool:
        status = self.columns.status
        if not isinstance(status, StatusColumn) or "reversed" not in status.values:
            return False
        return rule.takes_out("reversed")

    def _check_first_of(self, name: str, column: AnyColumn) -> None:
        place = ("helpers" if name in self.helpers else "columns", name, "first_of")
        for number, part in enumerate(column.first_of, start=1):
            helper = self.helpers.get(part)
            if not isinstance(helper, TextColumn) or helper.first_of:
                raise wrong(f"{part!r} is no helper of type text that has a source of its own", *place)
            if helper.required and number < len(column.first_of):
                raise wrong(f"{part!r} is required, so the ones behind it never count", *place)

    def _check_formula(self, name: str, formula: Formula) -> None:
        known = self._amount_names() | ({"charge"} & set(self.compute) if name == "amount" else set())
        unknown = sorted(amounts_in(formula) - known)
        if unknown:
            raise wrong(f"{unknown[0]!r} is no amount column; there are {_listed(known)}", "compute", name)

    def _check_filter(self, name: str, rule: Filter) -> None:
        types = {known: column.type for known, column in self.mapped.items()}
        types |= {computed: "amount" for computed in self.compute}
        if rule.column not in types:
            raise wrong(f"{rule.column!r} is no column; there are {_listed(types)}", "filters", name)
        measured = types[rule.column] in ("amount", "date")
        condition = rule.condition
        if isinstance(condition, Comparison) and measured == (condition.matches is not None):
            usable = f"one of {', '.join(COMPARISONS)}" if measured else "matches, or a list of texts"
            raise wrong(f"a column of type {types[rule.column]} is compared by {usable}", "filters", name)
        if measured:
            _check_values(rule.values, types[rule.column], name)
        if rule.column == "status" and self._is_reversal_put_aside(rule):
            raise wrong(
                "puts reversals aside, and nobody would hear of money that went back: keep `reversed` too, or list "
                "those texts under `other` where a gateway's webhooks tell of them",
                "filters",
                name,
            )


def _check_values(texts: Iterable[str], kind: str, name: str) -> None:
    for text in texts:
        try:
            rupees(text) if kind == "amount" else date.fromisoformat(text)
        except AmountError as error:
            raise wrong(str(error), "filters", name) from error
        except ValueError as error:
            raise wrong(f"{text!r} is no date such as 2026-01-31", "filters", name) from error


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


class WebhookRule(Part):
    """Where a gateway payment names its loan: a dotted field of the payload, perhaps one part of it.

    It holds the loan's id, its mandate's UMRN, or the gateway's token of the mandate, whose own events name the UMRN.
    """

    field: KeyPath
    separator: Annotated[str, StringConstraints(min_length=1, max_length=5)] | None = None
    part: int | None = Field(default=None, ge=1, le=20)
    resolves: Literal["loan_id", "umrn", "token"]

    @model_validator(mode="after")
    def _whole_split(self) -> Self:
        if (self.separator is None) != (self.part is None):
            raise ValueError("separator and part belong together")
        return self


class GatewayRules(Part):
    """How a lender's payments at one gateway name their loans; the first field that holds something decides."""

    loan_from: Annotated[tuple[WebhookRule, ...], Field(strict=False, min_length=1)]


def _reads_reference(gateway: Gateway, rule: WebhookRule) -> bool:
    taken = (rule.separator, rule.part, rule.resolves)
    return rule.field in REFERENCE_FIELDS[gateway] and taken == (REFERENCE_SEPARATOR, 1, "loan_id")


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
    resolutions: Resolutions = Resolutions()
    los: LoanOperations = LoanOperations()
    payment_links: PaymentLinkPolicy | None = None
    reconciliation: Reconciliation = Reconciliation()

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

    @model_validator(mode="after")
    def _links_find_their_loan(self) -> Self:
        """A link's payment must post by itself: its gateway posts, and a rule reads the loan off the reference."""
        if self.payment_links is None:
            return self
        gateway = self.payment_links.gateway
        if gateway not in {stream.posts for stream in self.streams.values()}:
            raise wrong(f"no stream is posted by {gateway}", "payment_links", "gateway")
        if not any(_reads_reference(gateway, rule) for rule in self.gateways[gateway].loan_from):
            fields = " or ".join(REFERENCE_FIELDS[gateway])
            message = f"no rule of gateways.{gateway} reads the loan off a link: field {fields}, separator _, part 1"
            raise wrong(message, "payment_links", "gateway")
        return self

    def stream_of(self, channel: str) -> str:
        """The stream that a channel (`file:<kind>`, `razorpay`, `cashfree`) reports."""
        return next(name for name, stream in self.streams.items() if channel in stream.channels)

    @property
    def schedules(self) -> tuple[str, ...]:
        """The cron expressions (IST) at which this lender's files are looked for, without repeats."""
        return tuple(sorted({kind.schedule for kind in self.files.values()}))
