"""Settlements: a loan closed for less than it owes.

Quoted from Fineract, approved by another person, paid, executed step by step, verified. From approval on the loan's
incoming money is held for it; what is not paid in time lapses with Fineract untouched, and the money becomes ordinary
repayments of its own days. Run twice: `advance` goes on where the last run stopped.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from turno_lms.approvals.approvals import ApprovalError
from turno_lms.domain.money import canonical_amount, indian_rupees
from turno_lms.domain.resolutions import (
    NOTHING,
    Component,
    Ending,
    FiguresChangedError,
    Promise,
    PromiseState,
    ResolutionFiguresError,
    Split,
    band_for,
    check_promises,
    check_tolerance,
    promise_states,
    split_dues,
)
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState, ResolutionState, StepKind
from turno_lms.fineract.client import FineractClient
from turno_lms.resolutions import books, execution
from turno_lms.resolutions.books import SETTLEMENTS as BOOK
from turno_lms.resolutions.execution import EndState
from turno_lms.resolutions.forms import SettlementForm
from turno_lms.resolutions.journal import note
from turno_lms.resolutions.policies import band_named, settlement_policy
from turno_lms.resolutions.quotes import (
    CLOSED,
    PREPAYMENT,
    WRITTEN_OFF,
    Quote,
    ResolutionError,
    check_guards,
    money_on_its_way,
    quote_loan,
    take_turn,
)
from turno_lms.resolutions.statements import STATEMENTS
from turno_lms.resolutions.steps import Incoming, PlannedStep, Walk, add_steps, new_reference
from turno_lms.warehouse.connection import Row, WarehouseConnection

_OF_RUN = "select settlement_ref from core.core_settlement where requested_by_run = %s"
_PROMISES = """
select number, due_on, amount, state from core.core_settlement_promise where settlement_ref = %s order by number
"""
_ADD_PROMISE = """
insert into core.core_settlement_promise (settlement_ref, number, due_on, amount, state) values (%s, %s, %s, %s, %s)
"""
_DECIDE_PROMISE = """
update core.core_settlement_promise set state = %s, decided_at = now()
where settlement_ref = %s and number = %s and state <> %s
"""
_OPEN = """
select settlement_ref from core.core_settlement
where state in ('requested', 'accepted', 'executing', 'compensating', 'undoing')
order by requested_at
"""


# ---------------------------------------------------------------- quote and decision


def request(
    conn: WarehouseConnection, client: FineractClient, form: SettlementForm, run: RunContext, today: date
) -> Row:
    """Quote the loan, check the wish against the lender's policy, and ask another person to approve.

    A run asks once: called again, it returns what it asked for. Raises ResolutionError, ResolutionFiguresError.
    """
    with conn.transaction():
        take_turn(conn, form.loan_id)
        asked = conn.execute(_OF_RUN, (run.label,)).fetchone()
        if asked:
            return books.read(conn, BOOK, asked["settlement_ref"])
        policy = settlement_policy(form.lender)
        promises = form.promised(today, policy.pay_within_days)
        longest = policy.longest_plan_days if form.promises else policy.pay_within_days
        check_promises(promises, form.amount, today, longest)
        check_guards(conn, form.loan_id, override_reason=form.override_reason)
        last_day = max(promise.due_on for promise in promises)
        quote = quote_loan(conn, client, form.lender, form.loan_id, today, paid_by=last_day)
        split = split_dues(quote.to_settle, quote.charges, form.amount, form.wish, policy.ending)
        _check_ending(quote, split)
        if not split.forgiven:
            raise ResolutionError(
                f"{canonical_amount(form.amount)} rupees are all that is owed: post them as an ordinary repayment"
            )
        band = band_for(policy.approval_bands, split.forgiven, split.dues.total)
        values = _values(form, quote, split, run)
        values |= {"band": band.name, "tolerance": Decimal(policy.tolerance_rupees)}
        books.insert(conn, BOOK, values)
        ref = values[BOOK.key]
        for promise in promises:
            conn.execute(
                _ADD_PROMISE, (ref, promise.number, promise.due_on, promise.amount, PromiseState.OPEN)
            )
        row = books.read(conn, BOOK, ref)
        note(conn, ref, form.loan_id, "settlement requested", run, **figures(conn, row))
        return books.ask(conn, BOOK, row, figures(conn, row), run)


def _check_ending(quote: Quote, split: Split) -> None:
    if quote.payoff_by == PREPAYMENT and split.ending is Ending.WRITE_OFF and split.remainder:
        raise ResolutionError(
            f"loan {quote.loan_id} recalculates interest: what is written off of it would include interest that is not "
            "owed yet, so that nobody could approve its rupees. Let all that is not waived be paid"
        )


def _values(form: SettlementForm, quote: Quote, split: Split, run: RunContext) -> dict[str, Any]:
    dues = split.dues
    return {
        "settlement_ref": new_reference("stl"), "lender": quote.lender, "loan_id": quote.loan_id,
        "state": ResolutionState.REQUESTED, "amount": form.amount, "dues_principal": dues.principal,
        "dues_interest": dues.interest, "dues_fees": dues.fees, "dues_penalties": dues.penalties,
        "dues_total": dues.total, "payoff": quote.payoff, "payoff_by": quote.payoff_by, "waived": split.waived,
        "remainder": split.remainder, "ending": split.ending, "waiver_wish": list(form.wish), "reason": form.reason,
        "evidence": form.evidence, "override_reason": form.override_reason, "requested_by": run.actor,
        "requested_by_run": run.label,
    }  # fmt: skip


def figures(conn: WarehouseConnection, row: Row) -> dict[str, Any]:
    """What the approval of a settlement speaks of, read from its row: canonical text throughout."""
    money = (
        "amount", "dues_principal", "dues_interest", "dues_fees", "dues_penalties", "dues_total", "waived", "remainder",
        "tolerance",
    )  # fmt: skip
    texts = (
        "settlement_ref",
        "lender",
        "loan_id",
        "ending",
        "band",
        "reason",
        "evidence",
        "override_reason",
    )
    return {
        **{name: row[name] for name in texts},
        **{name: canonical_amount(row[name]) for name in money},
        "waiver_wish": sorted(row["waiver_wish"]),
        "promises": [
            f"{each.due_on:%Y-%m-%d} {canonical_amount(each.amount)}"
            for each in promises_of(conn, row["settlement_ref"])
        ],
    }


def promises_of(conn: WarehouseConnection, ref: str) -> list[Promise]:
    """The promised payments of a settlement, in order."""
    rows = conn.execute(_PROMISES, (ref,)).fetchall()
    return [Promise(row["number"], row["due_on"], row["amount"]) for row in rows]


def preview(conn: WarehouseConnection, row: Row) -> str:
    """The table that the approver sees: the quote, the split, the end and the promises."""
    lines = ["| | rupees |", "| --- | ---: |"]
    entries = (
        ("principal", "dues_principal"), ("interest", "dues_interest"), ("fees", "dues_fees"),
        ("penalties", "dues_penalties"), ("**owed in all**", "dues_total"), ("to be paid", "amount"),
        ("waived before the money is posted", "waived"), ("remainder", "remainder"),
    )  # fmt: skip
    lines += [f"| {title} | {indian_rupees(row[name])} |" for title, name in entries]
    forgiven = row["waived"] + row["remainder"]
    percent = (forgiven * 100 / row["dues_total"]).quantize(Decimal("0.01"))
    credited = row["ending"] == Ending.GOODWILL_CREDIT
    how = "closed with a goodwill credit" if credited else "written off"
    ending = f"The remainder is {how}. " if row["remainder"] else ""
    pay_off = (
        f"{indian_rupees(row['payoff'])} ({row['payoff_by']})" if row["payoff"] is not None else "not quoted"
    )
    lines += [
        "",
        f"Loan {row['lender']} {row['loan_id']}: {indian_rupees(forgiven)} rupees ({percent} %) are forgiven, "
        f"band **{row['band']}**. {ending}Paid off as its product has it, it would cost {pay_off}.",
        "",
        f"Reason: {_line(row['reason'])}. Evidence: {_line(row['evidence'])}. Asked for by {row['requested_by']}.",
    ]
    if row["override_reason"]:
        lines.append(f"Open questions about the loan are passed over: {_line(row['override_reason'])}.")
    lines += ["", "Promised:"]
    for each in promises_of(conn, row["settlement_ref"]):
        lines.append(f"- {indian_rupees(each.amount)} by {each.due_on:%Y-%m-%d}")
    return "\n".join(lines)


def _line(text: str) -> str:
    return " ".join(text.split())


def decide(conn: WarehouseConnection, ref: str, decider: RunContext, *, approved: bool) -> ApprovalState:
    """Record what a person answered; the requester may not, and to approve one must be of the band."""
    with conn.transaction():
        row = books.read(conn, BOOK, ref, lock=True)
        band = band_named(settlement_policy(row["lender"]).approval_bands, row["band"])
        return books.decide(conn, BOOK, row, band, decider, approved=approved)


def accept(conn: WarehouseConnection, ref: str, run: RunContext) -> Row:
    """Use the approval: from here on the settlement waits for its money, and a one-off holds the loan's.

    Called again it changes nothing. Raises ApprovalError unless the approval holds for the figures as they stand.
    """
    with conn.transaction():
        row = books.read(conn, BOOK, ref, lock=True)
        if row["state"] != ResolutionState.REQUESTED:
            return row
        band = band_named(settlement_policy(row["lender"]).approval_bands, row["band"])
        books.use_approval(conn, row["approval_id"], figures(conn, row), run, band)
        holds = len(promises_of(conn, ref)) == 1
        return books.move(
            conn, BOOK, row, ResolutionState.ACCEPTED, run, accepted_at=datetime.now(UTC), holds_money=holds
        )


# ---------------------------------------------------------------- money and execution


def open_settlements(conn: WarehouseConnection) -> list[str]:
    """References of what can go on by itself, oldest first."""
    return [row["settlement_ref"] for row in conn.execute(_OPEN).fetchall()]


def advance(walk: Walk, ref: str, today: date) -> Row:
    """Take a settlement as far as it goes now, and return its row: expire, lapse, execute, undo, or wait."""
    row = books.read(walk.conn, BOOK, ref)
    if row["state"] == ResolutionState.REQUESTED:
        books.expire(walk.conn, BOOK, ref, walk.run)
    if row["state"] == ResolutionState.ACCEPTED:
        _await_money(walk, row, today)
    execution.carry_on(walk, BOOK, ref, _end_state)
    return books.read(walk.conn, BOOK, ref)


def _end_state(row: Row) -> EndState:
    written_off = row["ending"] == Ending.WRITE_OFF and row["executed_remainder"]
    return EndState(WRITTEN_OFF if written_off else CLOSED)


def _await_money(walk: Walk, row: Row, today: date) -> None:
    ref, loan_id = row["settlement_ref"], row["loan_id"]
    posted = _posted(walk.conn, row)
    incoming = walk.desk.unposted(loan_id)
    collected = posted["since_acceptance"] + sum((each.amount for each in incoming), NOTHING)
    states = promise_states(promises_of(walk.conn, ref), collected, today)
    with walk.conn.transaction():
        row = books.read(walk.conn, BOOK, ref, lock=True)
        if row["state"] != ResolutionState.ACCEPTED:
            return
        for number, state in enumerate(states, start=1):
            walk.conn.execute(_DECIDE_PROMISE, (state, ref, number, state))
        if PromiseState.MISSED in states:
            number = states.index(PromiseState.MISSED) + 1
            books.move(walk.conn, BOOK, row, ResolutionState.LAPSED, walk.run, last_error=(
                f"promise {number} was not paid in time: {canonical_amount(collected)} rupees came in all"
            ))  # fmt: skip
            return
        still_open = states.count(PromiseState.OPEN)
        if still_open <= 1 and not row["holds_money"]:
            books.change(walk.conn, BOOK, row, {"holds_money": True})
            note(walk.conn, ref, loan_id, "money held for the last promise", walk.run)
        if still_open:
            return
    _execute(walk, ref, today)


def _posted(conn: WarehouseConnection, row: Row) -> Row:
    values = {"loan": row["loan_id"], "quoted_at": row["requested_at"], "accepted_at": row["accepted_at"]}
    return conn.execute(STATEMENTS["posted_on_loan"], values).fetchone() or {}


def _execute(walk: Walk, ref: str, today: date) -> None:
    """Quote again, compare, plan the steps; whatever speaks against it leaves Fineract untouched."""
    conn = walk.conn
    with conn.transaction():
        row = books.read(conn, BOOK, ref, lock=True)
        if row["state"] != ResolutionState.ACCEPTED:
            return  # another run has begun it
        take_turn(conn, row["loan_id"])
        waits_for = _waits_for(conn, row)
        if waits_for:
            books.change(conn, BOOK, row, {"last_error": waits_for})
            return
        try:
            books.check_used_approval(conn, row["approval_id"], figures(conn, row))
            quote = quote_loan(conn, walk.client, row["lender"], row["loan_id"], today)
            split, taken = _plan(conn, walk, row, quote)
        except (ApprovalError, ResolutionError, ResolutionFiguresError) as stopped:
            books.move(conn, BOOK, row, ResolutionState.STOPPED, walk.run, last_error=str(stopped))
            return
        for payment in taken:
            values = {
                "posting_key": payment.posting_key, "ref": ref, "loan_id": row["loan_id"], "amount": payment.amount,
                "business_date": payment.business_date, "booked_on": today, "posted_by": "ledger",
            }  # fmt: skip
            conn.execute(STATEMENTS["take_money"], values)
        add_steps(conn, ref, row["loan_id"], today, planned_steps(split))
        books.move(
            conn, BOOK, row, ResolutionState.EXECUTING, walk.run, holds_money=True, executed_on=today,
            executed_dues=split.dues.total, executed_paid=split.paid, executed_waived=split.waived,
            executed_remainder=split.remainder,
        )  # fmt: skip


def _waits_for(conn: WarehouseConnection, row: Row) -> str | None:
    """Why a paid settlement cannot begin yet: money is on its way, or somebody asked a question since."""
    on_its_way = money_on_its_way(conn, row["loan_id"], row["settlement_ref"])
    if on_its_way:
        return on_its_way
    try:
        check_guards(conn, row["loan_id"], ref=row["settlement_ref"], override_reason=row["override_reason"])
    except ResolutionError as guard:
        return str(guard)
    return None


def _plan(conn: WarehouseConnection, walk: Walk, row: Row, quote: Quote) -> tuple[Split, Sequence[Incoming]]:
    """The split as the dues are now, and what pays for it. Raises FiguresChangedError beyond the tolerance."""
    posted = _posted(conn, row)
    taken = _enough(walk.desk.unposted(row["loan_id"]), row["amount"] - posted["since_acceptance"])
    paid = sum((payment.amount for payment in taken), NOTHING)
    dues, by_the_last_day = quote.to_settle, row["payoff_by"] == PREPAYMENT
    check_tolerance(
        row["dues_total"], dues.total, posted["since_quote"], row["tolerance"], less_is_fine=by_the_last_day
    )
    wish = [Component(name) for name in row["waiver_wish"]]
    split = split_dues(dues, quote.charges, paid, wish, Ending(row["ending"]))
    approved = row["waived"] + row["remainder"]
    if split.forgiven > approved + row["tolerance"]:
        raise FiguresChangedError(
            f"{canonical_amount(split.forgiven)} rupees would be forgiven, {canonical_amount(approved)} were approved"
        )
    return split, taken


def _enough(payments: Sequence[Incoming], needed: Decimal) -> list[Incoming]:
    """The oldest payments up to the one with which they reach what is needed."""
    taken: list[Incoming] = []
    for payment in payments:
        if sum((each.amount for each in taken), NOTHING) >= needed:
            break
        taken.append(payment)
    return taken


def planned_steps(split: Split) -> list[PlannedStep]:
    """Charges, interest, adjustments, money, remainder: waivers first, so that penalties do not eat the money."""
    charges = [each for each in split.waivers if each.charge_id is not None]
    whole = [
        PlannedStep(StepKind.WAIVE_CHARGE, each.amount, each.charge_id) for each in charges if each.is_whole
    ]
    parts = [
        PlannedStep(StepKind.ADJUST_CHARGE, each.amount, each.charge_id)
        for each in charges
        if not each.is_whole
    ]
    interest = [
        PlannedStep(StepKind.WAIVE_INTEREST, each.amount) for each in split.waivers if each.charge_id is None
    ]
    money = [PlannedStep(StepKind.POST_MONEY, split.paid)] if split.paid else []
    last = StepKind.GOODWILL_CREDIT if split.ending is Ending.GOODWILL_CREDIT else StepKind.WRITE_OFF
    remainder = [PlannedStep(last, split.remainder)] if split.remainder else []
    return [*whole, *interest, *parts, *money, *remainder]
