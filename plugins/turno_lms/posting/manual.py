"""Manual repayments: checked against Fineract's loan, shown with their effect, approved, and landed in RAW.

From raw.raw_manual_repayment they go the way of every other payment: sighting, identity, core_transaction_data, ledger.
Run twice under one request key: the second time lands nothing.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from turno_lms.approvals import approvals
from turno_lms.approvals.approvals import Approval
from turno_lms.domain.duplicates import MANUAL_WINDOW_DAYS
from turno_lms.domain.money import canonical_amount, indian_rupees, rupees
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.repayments import iso_date
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.posting.manual_entries import ManualEntry
from turno_lms.warehouse.connection import Row, WarehouseConnection, is_built

PURPOSE = "manual_repayment"
LIMIT_VARIABLE = "TURNO_MANUAL_APPROVAL_ABOVE"
"""The environment variable with the rupees of one request above which a second person approves."""
_DEFAULT_LIMIT = "25000"
_ACTIVE, _CLOSED, _WRITTEN_OFF, _OVERPAID = 300, 600, 601, 700

_LENDERS = "select lender, product_id, post_from from core.core_lender where lender = any(%s)"
_DUPLICATES = Path(__file__).with_name("probable_duplicates.sql").read_text(encoding="utf-8")
_LANDED = """
select approval.*, landed.figures as landed_figures, landed.posting_keys, landed.rupees
from core.core_approval as approval
inner join (
    select
        manual.approval_id,
        jsonb_agg(
            jsonb_build_object(
                'lender', manual.lender, 'loan_id', manual.loan_id, 'amount', manual.amount, 'date', manual.date,
                'mode', manual.mode, 'reference', manual.reference, 'note', manual.note
            )
            order by manual.line
        ) as figures,
        sum(manual.amount::numeric) as rupees,
        array_agg(waiting.posting_key) filter (where waiting.posting_key is not null) as posting_keys
    from raw.raw_manual_repayment as manual
    left join core.core_payment_identity as identity
        on identity.native_reference = 'manual:' || manual.manual_id
    left join core.core_transaction_data as waiting
        on identity.posting_key = waiting.posting_key and waiting.posting_block is null
        and not exists (
            select 1 from core.core_transaction_data_processed as processed
            where processed.posting_key = waiting.posting_key and processed.outcome <> 'withdrawn'
        )
    group by manual.approval_id
) as landed on approval.approval_id = landed.approval_id
where landed.posting_keys is not null
"""
_LAND = """
insert into raw.raw_manual_repayment (
    approval_id, line, lender, loan_id, amount, date, mode, reference, note, entered_by, entered_by_run
)
values (
    %(approval_id)s, %(line)s, %(lender)s, %(loan_id)s, %(amount)s, %(date)s, %(mode)s, %(reference)s, %(note)s,
    %(entered_by)s, %(run)s
)
"""


class ManualRepaymentError(ValueError):
    """Entries that may not be posted; one sentence per fault. Nothing was stored."""

    def __init__(self, faults: Sequence[str]):
        super().__init__("; ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True)
class Effect:
    """What an entry would do to its loan, in rupees as of now; `excess` is what Fineract would book as overpaid."""

    entry: ManualEntry
    outstanding: Decimal
    excess: Decimal
    duplicates: tuple[str, ...] = ()

    @property
    def outstanding_after(self) -> Decimal:
        """Rupees owed after it."""
        return max(self.outstanding - self.entry.amount, Decimal(0))


@dataclass
class Preview:
    """The effects of all entries, and what speaks against posting them."""

    effects: list[Effect] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """Rupees of all entries."""
        return sum((effect.entry.amount for effect in self.effects), Decimal(0))

    def markdown(self) -> str:
        """The table that the approver sees."""
        lines = [
            "| loan | rupees | date | mode | reference | outstanding | after | excess | note |",
            "| --- | ---: | --- | --- | --- | ---: | ---: | ---: | --- |",
        ]
        for each in self.effects:
            entry = each.entry
            cells = [
                f"{entry.lender} {entry.loan_id}", indian_rupees(entry.amount), f"{entry.business_date:%Y-%m-%d}",
                entry.mode, entry.reference or "", indian_rupees(each.outstanding),
                indian_rupees(each.outstanding_after), indian_rupees(each.excess), entry.note or "",
            ]  # fmt: skip
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        seen = [text for each in self.effects for text in each.duplicates]
        warnings = [f"- probable duplicate: {text}" for text in seen]
        return "\n".join([*lines, "", f"Total {indian_rupees(self.total)} rupees.", *warnings])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def preview(
    conn: WarehouseConnection,
    client: FineractClient,
    entries: Sequence[ManualEntry],
    *,
    duplicates_confirmed: bool,
    excess_confirmed: bool,
) -> Preview:
    """Look at each entry's loan in Fineract and at what the warehouse knows; writes nothing but the API log.

    A fault is anything that must not be posted: no such loan, another lender's, not active, a date out of range, and,
    unless confirmed, money beyond the outstanding or a probable duplicate. Raises ManualRepaymentError in a warehouse
    that was never built, where nobody could say what is a duplicate.
    """
    if not is_built(conn, "core.core_transaction_data"):
        raise ManualRepaymentError(["the warehouse was never built: trigger build_warehouse first"])
    result = Preview()
    lenders = {row["lender"]: row for row in conn.execute(_LENDERS, ([each.lender for each in entries],))}
    addresses = loan_addresses(conn, [each.loan_id for each in entries])
    twins = _duplicates(conn, entries)
    earlier: dict[str, Decimal] = {}
    for line, entry in enumerate(entries, start=1):
        loan = client.find_loan(addresses[entry.loan_id].external_id)
        faults = _faults(entry, loan, lenders.get(entry.lender))
        outstanding = max(_outstanding(loan) - earlier.get(entry.loan_id, Decimal(0)), Decimal(0))
        earlier[entry.loan_id] = earlier.get(entry.loan_id, Decimal(0)) + entry.amount
        effect = Effect(entry, outstanding, max(entry.amount - outstanding, Decimal(0)), tuple(twins[line]))
        if effect.excess and not faults and not excess_confirmed:
            faults.append(
                f"{canonical_amount(entry.amount)} is {canonical_amount(effect.excess)} more than the outstanding "
                f"{canonical_amount(outstanding)}: correct it, or confirm the excess"
            )
        if effect.duplicates and not duplicates_confirmed:
            faults.append(
                f"probable duplicate of {', '.join(effect.duplicates)}: confirm that it is other money"
            )
        result.effects.append(effect)
        result.faults += [f"line {line}, loan {entry.loan_id}: {fault}" for fault in faults]
    return result


def _faults(entry: ManualEntry, loan: Json | None, lender: Row | None) -> list[str]:
    if lender is None:
        return [f"lender {entry.lender} is not known"]
    if loan is None:
        return ["Fineract has no loan of this id"]
    if loan.get("loanProductId") != lender["product_id"]:
        return [f"its product {loan.get('loanProductId')} is not {entry.lender}'s"]
    status = loan["status"]["id"]
    if status == _WRITTEN_OFF:
        return ["it is written off: recoveries are posted with `turno posting repost --kind recovery`"]
    if status not in {_ACTIVE, _CLOSED, _OVERPAID}:
        return [f"it takes no repayment: {loan['status'].get('value')}"]
    return _date_faults(entry.business_date, loan, lender["post_from"])


def _date_faults(day: date, loan: Json, post_from: date) -> list[str]:
    disbursed = iso_date(loan.get("timeline", {}).get("actualDisbursementDate"))
    if day < post_from:
        return [f"{day} is before {post_from}, from when this system posts"]
    if disbursed and day < disbursed:
        return [f"{day} is before its disbursal on {disbursed}"]
    return []


def _outstanding(loan: Json | None) -> Decimal:
    return Decimal((loan or {}).get("summary", {}).get("totalOutstanding") or 0)


def _duplicates(conn: WarehouseConnection, entries: Sequence[ManualEntry]) -> dict[int, list[str]]:
    """By line: payments and manual entries of the same loan and amount within days, and lines of the same request."""
    values = {
        "loans": [each.loan_id for each in entries],
        "amounts": [each.amount for each in entries],
        "dates": [each.business_date for each in entries],
        "days": MANUAL_WINDOW_DAYS,
    }
    found: dict[int, list[str]] = {line: [] for line in range(1, len(entries) + 1)}
    for row in conn.execute(_DUPLICATES, values):
        found[row["line"]].append(row["twin"])
    for line, entry in enumerate(entries, start=1):
        for other, earlier in enumerate(entries[: line - 1], start=1):
            near = abs((entry.business_date - earlier.business_date).days) <= MANUAL_WINDOW_DAYS
            if near and (entry.loan_id, entry.amount) == (earlier.loan_id, earlier.amount):
                found[line].append(f"line {other}")
    return found


def figures_of(entries: Sequence[ManualEntry]) -> list[dict[str, str | None]]:
    """What an approval of entries speaks of."""
    return [entry.figures() for entry in entries]


def approval_limit() -> Decimal:
    """Rupees of one request above which a second person approves."""
    return rupees(os.environ.get(LIMIT_VARIABLE) or _DEFAULT_LIMIT)


def needs_approval(entries: Sequence[ManualEntry]) -> bool:
    """Whether the rupees of a request are above what one person may post."""
    return sum((entry.amount for entry in entries), Decimal(0)) > approval_limit()


def ask(conn: WarehouseConnection, entries: Sequence[ManualEntry], run: RunContext) -> Approval:
    """Record the request of this run, to be approved or not needing it."""
    figures = figures_of(entries)
    return approvals.request(conn, PURPOSE, run.label, figures, run, needed=needs_approval(entries))


def land(conn: WarehouseConnection, approval_id: int, entries: Sequence[ManualEntry], run: RunContext) -> int:
    """Use the approval and land the entries, in one transaction; returns how many, 0 when this was done before.

    Raises ApprovalError unless the approval is of these figures, by another person where the limit asks for one, and
    in time.
    """
    with conn.transaction():
        needed = needs_approval(entries)
        if not approvals.use(conn, approval_id, figures_of(entries), run, needed=needed):
            return 0
        for line, entry in enumerate(entries, start=1):
            values: dict[str, Any] = {
                **entry.figures(), "approval_id": approval_id, "line": line, "entered_by": run.actor, "run": run.label,
            }  # fmt: skip
            conn.execute(_LAND, values)
        return len(entries)


def approved_manual_payments(conn: WarehouseConnection) -> list[str]:
    """Posting keys of landed manual payments that wait for an intent and whose approval stands, read once more.

    The claim calls this in the transaction that makes the intents: what was landed past the approval is not claimed.
    """
    return [
        key
        for row in conn.execute(_LANDED)
        if approvals.stands(row, row["landed_figures"], needed=row["rupees"] > approval_limit())
        for key in row["posting_keys"]
    ]
