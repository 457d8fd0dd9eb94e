"""Write-offs: loans that nobody expects to be paid, one by one or in bulk, approved.

Who is eligible says the lender's policy: days past due and rupees. Everything outstanding is written off; what comes in
afterwards is posted by the ledger as a recovery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from turno_lms.approvals import approvals
from turno_lms.domain.money import canonical_amount, indian_rupees
from turno_lms.domain.resolutions import NOTHING, band_for
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState, ResolutionState, StepKind
from turno_lms.fineract.client import FineractClient
from turno_lms.lenders.resolutions import WriteOffPolicy
from turno_lms.resolutions import books, execution
from turno_lms.resolutions.books import WRITE_OFFS as BOOK
from turno_lms.resolutions.execution import EndState
from turno_lms.resolutions.forms import WriteOffLine
from turno_lms.resolutions.journal import note
from turno_lms.resolutions.policies import band_named, write_off_policy
from turno_lms.resolutions.quotes import (
    WRITTEN_OFF,
    Quote,
    ResolutionError,
    check_guards,
    money_on_its_way,
    quote_loan,
    take_turn,
)
from turno_lms.resolutions.steps import PlannedStep, Walk, add_steps, new_reference
from turno_lms.warehouse.connection import Row, WarehouseConnection

_OF_REQUEST = "select * from core.core_write_off where request_key = %s order by loan_id"
_OPEN = """
select write_off_ref from core.core_write_off
where state in ('requested', 'accepted', 'executing', 'compensating', 'undoing')
order by requested_at
"""


@dataclass(frozen=True)
class Asked:
    """What a run asked for: its rows, in the order of their loans."""

    rows: Sequence[Row]

    @property
    def rupees(self) -> Decimal:
        """All that would be written off."""
        return sum((row["dues_total"] for row in self.rows), NOTHING)


class BulkError(ResolutionError):
    """Lines that may not be written off; one sentence per fault. Nothing was stored."""

    def __init__(self, faults: Sequence[str]):
        super().__init__("; ".join(faults))
        self.faults = list(faults)


def request(
    conn: WarehouseConnection,
    client: FineractClient,
    lines: Sequence[WriteOffLine],
    run: RunContext,
    today: date,
    *,
    override_reason: str | None = None,
) -> Asked:
    """Quote every loan and hold it against the policy; all lines or none. One approval covers the whole request.

    A run asks once: called again, it returns what it asked for. Raises BulkError with every fault.
    """
    with conn.transaction():
        asked = conn.execute(_OF_REQUEST, (run.label,)).fetchall()
        if asked:
            return Asked(asked)
        faults: list[str] = []
        for line in sorted(lines, key=lambda each: each.loan_id):  # one order of locks for all
            take_turn(conn, line.loan_id)
            try:
                _add(conn, client, line, run, today, override_reason)
            except ValueError as fault:
                faults.append(f"loan {line.loan_id}: {fault}")
        if faults:
            raise BulkError(faults)
        rows = conn.execute(_OF_REQUEST, (run.label,)).fetchall()
        band = _band(rows)
        figures = figures_of(rows, band)
        approval = approvals.request(conn, BOOK.purpose, run.label, figures, run, needed=True)
        for row in rows:
            books.change(conn, BOOK, row, {"approval_id": approval.approval_id, "band": band})
        return Asked(conn.execute(_OF_REQUEST, (run.label,)).fetchall())


def _add(  # noqa: PLR0917  # one line of a request
    conn: WarehouseConnection,
    client: FineractClient,
    line: WriteOffLine,
    run: RunContext,
    today: date,
    override_reason: str | None,
) -> None:
    policy = write_off_policy(line.lender)
    check_guards(conn, line.loan_id, override_reason=override_reason)
    quote = quote_loan(conn, client, line.lender, line.loan_id, today)
    check_eligibility(quote, policy)
    dues, ref = quote.dues, new_reference("wof")
    values = {
        "write_off_ref": ref, "lender": quote.lender, "loan_id": quote.loan_id, "state": ResolutionState.REQUESTED,
        "request_key": run.label, "dues_principal": dues.principal, "dues_interest": dues.interest,
        "dues_fees": dues.fees, "dues_penalties": dues.penalties, "dues_total": dues.total,
        "days_past_due": quote.days_past_due, "charges_off": policy.charge_off_first,
        "charge_off_reason_id": policy.charge_off_reason_id if policy.charge_off_first else None,
        "band": band_for(policy.approval_bands, dues.total, dues.total).name, "reason": line.reason,
        "override_reason": override_reason, "requested_by": run.actor, "requested_by_run": run.label,
    }  # fmt: skip
    books.insert(conn, BOOK, values)
    note(
        conn, ref, quote.loan_id, "write_off requested", run, rupees=canonical_amount(dues.total),
        days_past_due=quote.days_past_due, reason=line.reason, override_reason=override_reason,
    )  # fmt: skip


def check_eligibility(quote: Quote, policy: WriteOffPolicy) -> None:
    """Raise ResolutionError unless the loan is late enough and owes no more than the policy allows."""
    total = quote.dues.total
    if not total:
        raise ResolutionError("it owes nothing")
    if quote.days_past_due < policy.min_days_past_due:
        raise ResolutionError(
            f"it is {quote.days_past_due} days past due, {policy.min_days_past_due} are asked for"
        )
    if total > policy.max_rupees:
        raise ResolutionError(
            f"it owes {canonical_amount(total)} rupees, more than the {policy.max_rupees} that may be written off"
        )


def _band(rows: Sequence[Row]) -> str:
    """The band that reaches as far as all loans of a request together; they are of one lender."""
    lenders = sorted({row["lender"] for row in rows})
    if len(lenders) != 1:
        raise BulkError([f"one request is of one lender, this one names {', '.join(lenders)}"])
    total = sum((row["dues_total"] for row in rows), NOTHING)
    return band_for(write_off_policy(lenders[0]).approval_bands, total, total).name


def figures_of(rows: Sequence[Row], band: str) -> dict[str, Any]:
    """What the approval of a request speaks of, read from its rows."""
    return {
        "band": band,
        "loans": [
            {
                "write_off_ref": row["write_off_ref"], "lender": row["lender"], "loan_id": row["loan_id"],
                "rupees": canonical_amount(row["dues_total"]), "days_past_due": row["days_past_due"],
                "charges_off": row["charges_off"], "reason": row["reason"],
                "override_reason": row["override_reason"],
            }
            for row in rows
        ],
    }  # fmt: skip


def preview(asked: Asked) -> str:
    """The table that the approver sees."""
    lines = [
        "| loan | days past due | principal | interest | fees | penalties | rupees | reason |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in asked.rows:
        parts = [row[f"dues_{name}"] for name in ("principal", "interest", "fees", "penalties", "total")]
        cells = [f"{row['lender']} {row['loan_id']}", str(row["days_past_due"]), *map(indian_rupees, parts)]
        reason = " ".join(row["reason"].split()).replace("|", "\\|")
        lines.append("| " + " | ".join([*cells, reason]) + " |")
    first = asked.rows[0]
    charged_off = "charged off first, then " if first["charges_off"] else ""
    lines += [
        "",
        f"{indian_rupees(asked.rupees)} rupees of {len(asked.rows)} loans are {charged_off}written off, band "
        f"**{first['band']}**. Asked for by {first['requested_by']}.",
    ]
    if first["override_reason"]:
        lines.append(f"Open questions are passed over: {' '.join(first['override_reason'].split())}.")
    return "\n".join(lines)


def decide(
    conn: WarehouseConnection, request_key: str, decider: RunContext, *, approved: bool
) -> ApprovalState:
    """Record what a person answered about a whole request; the requester may not."""
    with conn.transaction():
        rows = _locked(conn, request_key)
        first = rows[0]
        band = band_named(write_off_policy(first["lender"]).approval_bands, first["band"])
        state = books.decide(conn, BOOK, first, band, decider, approved=approved)
        for row in rows[1:]:
            if approved:
                note(
                    conn, row["write_off_ref"], row["loan_id"], "write_off approved", decider, band=band.name
                )
            else:
                books.move(conn, BOOK, row, ResolutionState.REJECTED, decider)
        return state


def accept(conn: WarehouseConnection, request_key: str, run: RunContext) -> list[str]:
    """Use the approval of a request for all of its loans; from here on their incoming money is held.

    Returns their references. Called again it changes nothing. Raises ApprovalError unless the approval holds.
    """
    with conn.transaction():
        rows = _locked(conn, request_key)
        refs = [row["write_off_ref"] for row in rows]
        if all(row["state"] != ResolutionState.REQUESTED for row in rows):
            return refs
        first = rows[0]
        band = band_named(write_off_policy(first["lender"]).approval_bands, first["band"])
        books.use_approval(conn, first["approval_id"], figures_of(rows, first["band"]), run, band)
        for row in rows:
            books.move(conn, BOOK, row, ResolutionState.ACCEPTED, run, accepted_at=datetime.now(UTC))
        return refs


def _locked(conn: WarehouseConnection, request_key: str) -> list[Row]:
    rows = conn.execute(f"{_OF_REQUEST} for update", (request_key,)).fetchall()
    if not rows:
        raise ResolutionError(f"{request_key} asked for no write-off")
    return rows


# ---------------------------------------------------------------- execution


def open_write_offs(conn: WarehouseConnection) -> list[str]:
    """References of what can go on by itself, oldest first."""
    return [row["write_off_ref"] for row in conn.execute(_OPEN).fetchall()]


def advance(walk: Walk, ref: str, today: date) -> Row:
    """Take a write-off as far as it goes now, and return its row."""
    row = books.read(walk.conn, BOOK, ref)
    if row["state"] == ResolutionState.REQUESTED:
        books.expire(walk.conn, BOOK, ref, walk.run)
    if row["state"] == ResolutionState.ACCEPTED:
        walk.desk.post(
            row["loan_id"]
        )  # what may have been sent is read back, what was not is withdrawn by the hold
        _execute(walk, ref, today)
    execution.carry_on(walk, BOOK, ref, lambda _: EndState(WRITTEN_OFF))
    return books.read(walk.conn, BOOK, ref)


def _execute(walk: Walk, ref: str, today: date) -> None:
    """Quote again: the dues must be the approved ones to the paisa, and the loan still eligible."""
    conn = walk.conn
    with conn.transaction():
        row = books.read(conn, BOOK, ref, lock=True)
        if row["state"] != ResolutionState.ACCEPTED:
            return  # another run has begun it
        take_turn(conn, row["loan_id"])
        on_its_way = money_on_its_way(conn, row["loan_id"], ref)
        if on_its_way:
            books.change(conn, BOOK, row, {"last_error": on_its_way})
            return
        try:
            check_guards(conn, row["loan_id"], ref=ref, override_reason=row["override_reason"])
            rows = conn.execute(_OF_REQUEST, (row["request_key"],)).fetchall()
            books.check_used_approval(conn, row["approval_id"], figures_of(rows, row["band"]))
            quote = quote_loan(conn, walk.client, row["lender"], row["loan_id"], today)
            check_eligibility(quote, write_off_policy(row["lender"]))
            _check_unchanged(row, quote)
        except (ResolutionError, approvals.ApprovalError) as stopped:
            books.move(conn, BOOK, row, ResolutionState.STOPPED, walk.run, last_error=str(stopped))
            return
        add_steps(conn, ref, row["loan_id"], today, _steps(row))
        books.move(conn, BOOK, row, ResolutionState.EXECUTING, walk.run, executed_on=today)


def _check_unchanged(row: Row, quote: Quote) -> None:
    if quote.dues.total != row["dues_total"]:
        raise ResolutionError(
            f"it owes {canonical_amount(quote.dues.total)} rupees now, {canonical_amount(row['dues_total'])} were "
            "approved: ask anew"
        )


def _steps(row: Row) -> list[PlannedStep]:
    written_off = PlannedStep(StepKind.WRITE_OFF, row["dues_total"])
    if not row["charges_off"]:
        return [written_off]
    charged_off = PlannedStep(StepKind.CHARGE_OFF, row["dues_total"], reason_id=row["charge_off_reason_id"])
    return [charged_off, written_off]
