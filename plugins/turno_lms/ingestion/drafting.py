"""A mapping drafted from a sample: what its headings and values suggest, and what a person must decide.

Everything taken from the sample carries `# suggested:` with what speaks for it. What the sample cannot tell, or tells
in two ways, is the word DECIDE, with which no mapping passes `turno lenders check`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from turno_lms.ingestion import suggestions
from turno_lms.ingestion.sniffing import Sample, read_sample
from turno_lms.ingestion.suggestions import SampleColumn
from turno_lms.lenders.columns import STANDARD_TYPES, same_text
from turno_lms.lenders.documents import UNDECIDED
from turno_lms.lenders.json_schema import MODELINE

DEFAULT_KIND = "statement"
_ROLES = ("umrn", "loan_id", "amount", "date", "status", "payment_id", "note")
_STATUSES = "collected, failed, pending, reversed, other"


def draft(path: Path, slug: str, name: str | None = None, kind: str = DEFAULT_KIND) -> str:
    """The text of a drafted mapping. Raises FileRefusedError when no table can be seen in the sample."""
    return "\n".join(_Draft(read_sample(path), path.name, slug, name or slug, kind).lines()) + "\n"


def quoted(text: str) -> str:
    """A text as YAML."""
    return json.dumps(text, ensure_ascii=False)


def _columns(sample: Sample) -> Iterator[SampleColumn]:
    seen: Counter[str] = Counter()
    times = Counter(sample.headings)
    for position, heading in enumerate(sample.headings):
        seen[heading] += 1
        nth = seen[heading] if times[heading] > 1 else None
        if heading:
            yield SampleColumn(heading, tuple(sample.column(position)), position, nth)


class _Draft:
    """The lines of one draft."""

    def __init__(self, sample: Sample, file_name: str, slug: str, name: str, kind: str) -> None:
        self._sample = sample
        self._file_name = file_name
        self._slug, self._name, self._kind = slug, name, kind
        self._columns = list(_columns(sample))
        self._roles = self._assigned()

    def lines(self) -> Iterator[str]:
        """The mapping from top to bottom."""
        loan = self._roles.get("loan_id", [])
        pattern = suggestions.loan_pattern(loan[0].values) if len(loan) == 1 else None
        yield MODELINE
        yield f"# Drafted from {quoted(self._file_name)}. Settle every {UNDECIDED}, look at every suggestion, and run"
        yield f"# turno lenders check, and turno lenders preview --mapping {self._slug}.yml SAMPLE"
        yield f"lender: {self._slug}"
        yield f"name: {quoted(self._name)}"
        yield "fineract:"
        yield f"  product_id: {UNDECIDED} # decide: the lender's loan product in Fineract"
        yield f"  payment_type_id: {UNDECIDED} # decide: the payment type its repayments are posted with"
        yield f"post_from: {UNDECIDED} # decide: the first business date that is posted, such as 2026-01-01"
        if pattern:
            yield f"loan_id_pattern: {pattern} # suggested: the form of {quoted(loan[0].heading)}"
        else:
            yield rf"loan_id_pattern: {UNDECIDED} # decide: the form of a whole loan id, such as SMP\d{{6}}"
        yield ""
        yield from self._streams()
        yield ""
        yield "files:"
        yield f"  {self._kind}:"
        yield from (f"    {line}" for line in self._file_kind())

    def _streams(self) -> Iterator[str]:
        yield "streams:"
        yield f"  {UNDECIDED}: # decide: what money this is, such as nach_debits, gateway_payments or bank_transfers"
        yield f"    posts: file:{self._kind} # or a gateway, if its webhook posts this money; the file is then evidence"
        yield f"    policy: {UNDECIDED} # decide: at_once, after_recon or never"

    def _file_kind(self) -> Iterator[str]:
        suffix = Path(self._file_name).suffix
        yield f"s3: {{ prefix: lenders/{self._slug}/{self._kind}/, pattern: {quoted('*' + suffix)} }}"
        yield 'schedule: "0 9 * * *" # suggested: nine in the morning, IST'
        described = ", ".join(f"{key}: {quoted(value)}" for key, value in self._sample.format.items())
        yield f"format: {{ {described} }} # suggested: the headings stand in row {self._sample.heading_row}"
        yield from self._layout()
        yield "columns:"
        for role in _ROLES:
            yield from (f"  {line}" for line in self._role(role))
        yield from self._not_mapped()
        if "status" in self._roles:
            yield "filters:"
            yield "  not_collected: { column: status, keep: [collected] } # suggested: only money that arrived"
        if "payment_id" in self._roles:
            meaning = (
                "razorpay or cashfree (its payment id), bank_reference (a UTR or RRN of one payment), "
                "settlement (a UTR of several), own"
            )
            yield f"payment_id_is: {UNDECIDED} # decide: {meaning}"
        yield "thresholds: { reject_percent: 20 } # suggested: above this share of rejects nothing is loaded"

    def _assigned(self) -> dict[str, list[SampleColumn]]:
        """The columns that could fill each role, those whose headings speak for it first."""
        found: dict[str, list[SampleColumn]] = {}
        free = list(self._columns)
        for role in ("umrn", "date", "amount", "loan_id", "status", "payment_id", "note"):
            if role == "loan_id" and "umrn" in found:
                continue
            fitting = [column for column in free if _fits(role, column)]
            hinted = [column for column in fitting if column.hinted(role)]
            chosen = hinted if role in _BY_HEADING else hinted or fitting
            if chosen:
                found[role] = chosen
                free = [column for column in free if column not in chosen]
        return found

    def _role(self, role: str) -> Iterator[str]:
        columns = self._roles.get(role, [])
        if not columns:
            if role in ("amount", "date") or (role == "loan_id" and "umrn" not in self._roles):
                others = ", ".join(column.named for column in self._columns)
                yield f"{role}: {UNDECIDED} # decide: nothing in the sample looks like it; headings are {others}"
            return
        column = columns[0]
        heading = quoted(column.heading)
        why = f"suggested: {len(column.values)} values"
        if len(columns) > 1:
            heading = UNDECIDED
            why = f"decide: which of {', '.join(each.named for each in columns)}"
        yield f"{role}:"
        yield f"  type: {STANDARD_TYPES[role]}"
        yield f"  heading: {heading} # {why}{_for_example(column.values)}"
        if column.nth and len(columns) == 1:
            yield f"  nth: {column.nth} # suggested: the heading stands more than once"
        yield from (f"  {line}" for line in _details(role, column))

    def _not_mapped(self) -> Iterator[str]:
        mapped = {column.position for columns in self._roles.values() for column in columns}
        for column in self._columns:
            if column.position not in mapped:
                yield f"  # not mapped: {column.named}{_for_example(column.values)}"

    def _layout(self) -> Iterator[str]:
        """Rows without a date: totals and signatures, which are no payments."""
        dates = self._roles.get("date", [])
        positions = [column.position for column in dates]
        starts: dict[str, None] = {}
        for _, row in self._sample.rows:
            cells = [cell.strip() for cell in row]
            first = next((cell for cell in cells if cell), "")
            if first and not any(position < len(cells) and cells[position] for position in positions):
                starts[first] = None
        if positions and starts:
            yield "layout:"
            listed = ", ".join(quoted(" ".join(start.split())[:40]) for start in starts)
            yield f"  no_payments: {{ first_cell_starts_with: [{listed}] }} # suggested: rows without a date"


_BY_HEADING = ("status", "payment_id", "note")
"""Roles that values alone do not speak for."""
_LOOKS: dict[str, Callable[[SampleColumn], object]] = {
    "umrn": suggestions.looks_like_umrn,
    "date": lambda column: (
        suggestions.date_formats(column.values) or suggestions.only_month_first(column.values)
    ),
    "amount": lambda column: suggestions.amount_look(column.values).fits,
    "loan_id": lambda column: suggestions.loan_pattern(column.values),
    "status": suggestions.looks_like_status,
    "payment_id": suggestions.looks_like_reference,
    "note": lambda column: column.values,
}


def _fits(role: str, column: SampleColumn) -> bool:
    return bool(column.values and _LOOKS[role](column))


def _details(role: str, column: SampleColumn) -> Iterator[str]:
    if role == "date":
        yield from _date_details(column.values)
    elif role == "amount":
        yield from _amount_details(column.values)
    elif role == "status":
        texts = sorted({same_text(value) for value in column.values})
        yield "values:"
        yield f"  {UNDECIDED}: [{', '.join(map(quoted, texts))}] # decide: which of these is {_STATUSES}"
    elif role == "loan_id":
        yield from _loan_details(column)
    elif role in ("payment_id", "note"):
        yield "required: false # suggested: a blank one does not reject the payment"
    if column.placeholders:
        yield f"blanks: [{', '.join(map(quoted, column.placeholders))}] # suggested: they seem to mean nothing"


def _date_details(values: Sequence[str]) -> Iterator[str]:
    formats = suggestions.date_formats(values)
    if not formats:
        yield f"formats: [{', '.join(map(quoted, suggestions.only_month_first(values)))}]"
        yield f"month_first: {UNDECIDED} # decide: values read only with the month in front; true if that is right"
        return
    open_ones = [name for name in formats if suggestions.also_month_first(values, name)]
    if open_ones:
        other = suggestions.month_first(open_ones[0])
        asked = f"decide: {open_ones[0]} or {other} (with month_first: true)? Every value in the sample reads as both"
        rest = [quoted(name) for name in formats if name not in open_ones]
        yield f"formats: [{', '.join([UNDECIDED, *rest])}] # {asked}"
        return
    unread = [value for value in values if not suggestions.date_formats([value])]
    also = f", but not {', '.join(unread[:3])}" if unread else ""
    yield f"formats: [{', '.join(map(quoted, formats))}] # suggested: they read the values{also}"


def _amount_details(values: Sequence[str]) -> Iterator[str]:
    look = suggestions.amount_look(values)
    if look.grouping is None:
        asked = "decide: indian (1,23,456.00) or western (123,456.00)? The sample has no amount that tells"
        yield f"grouping: {UNDECIDED} # {asked}"
    elif look.grouping != "none":
        yield f"grouping: {look.grouping} # suggested"
    if look.suffixes:
        listed = ", ".join(map(quoted, look.suffixes))
        yield "suffixes:"
        yield f"  positive: [{UNDECIDED}] # decide: which of {listed} is money collected"
        yield f"  negative: [{UNDECIDED}] # decide: which is money that goes back"


def _loan_details(column: SampleColumn) -> Iterator[str]:
    pattern = suggestions.loan_pattern(column.values)
    if pattern and not suggestions.stands_alone(column, pattern):
        yield "within_text: true # suggested: other text stands around the id"


def _for_example(values: Sequence[str]) -> str:
    shown = [" ".join(value.split())[:40] for value in dict.fromkeys(values)][:2]
    return f", such as {' and '.join(shown)}" if shown else ""
