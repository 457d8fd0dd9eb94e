"""Taking a settlement or write-off that is done back: asked for, approved by another person of its band, undone step by
step, the last first, and verified.

What Fineract would not take back is refused before anybody is asked, and looked for once more before the first step.
Money that a settlement took becomes ordinary repayments of its own days; recoveries stay what they are. A foreclosure
cannot be taken back: Fineract does not reopen a foreclosed loan.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from turno_lms.approvals import approvals
from turno_lms.domain.money import canonical_amount, indian_rupees
from turno_lms.domain.resolutions import Band
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState, ResolutionState, StepKind, StepState
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.repayments import iso_date, locale_amount
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.resolutions import books, execution
from turno_lms.resolutions.books import SETTLEMENTS, WRITE_OFFS, Book
from turno_lms.resolutions.journal import note
from turno_lms.resolutions.policies import band_named, settlement_policy, write_off_policy
from turno_lms.resolutions.quotes import ResolutionError, check_guards, recalculates, take_turn
from turno_lms.resolutions.steps import Walk, steps_of, transactions_since
from turno_lms.warehouse.connection import Row, WarehouseConnection

_FORECLOSED = 100
"""Fineract's sub-status of a foreclosed loan."""
_MONEY_OUT = {16: "refund", 18: "refund", 20: "refund of the excess", 25: "chargeback"}
"""Transaction types by which money left the loan: what it would owe without the settlement cannot be told."""
_DATED_AGAINST_CHARGE_OFF = frozenset(StepKind) - {StepKind.WRITE_OFF, StepKind.CHARGE_OFF}
_AFTERWARDS = {
    StepKind.WAIVE_CHARGE: "the charge is owed again",
    StepKind.ADJUST_CHARGE: "the part of the charge is owed again",
    StepKind.WAIVE_INTEREST: "the interest is owed again",
    StepKind.POST_MONEY: "reversed; its payments become ordinary repayments of their own days",
    StepKind.GOODWILL_CREDIT: "owed again",
    StepKind.CHARGE_OFF: "charged off no more",
    StepKind.WRITE_OFF: "owed again; the loan is active",
}


@dataclass(frozen=True)
class _Undoable:
    """What differs between the kinds: whose bands approve it, and the columns that the approval speaks of."""

    bands: Callable[[str], tuple[Band, ...]]
    speaks_of: Mapping[str, str]


_UNDOABLE = {
    SETTLEMENTS.purpose: _Undoable(
        lambda lender: settlement_policy(lender).approval_bands,
        {
            "dues": "executed_dues", "paid": "executed_paid", "waived": "executed_waived",
            "remainder": "executed_remainder",
        },
    ),
    WRITE_OFFS.purpose: _Undoable(
        lambda lender: write_off_policy(lender).approval_bands, {"rupees": "dues_total"}
    ),
}  # fmt: skip


def request(conn: WarehouseConnection, client: FineractClient, ref: str, reason: str, run: RunContext) -> Row:
    """Ask another person to approve that it is taken back; who asks anew replaces the question before.

    Raises ResolutionError unless it is done, and Fineract can take back everything that it did.
    """
    book = books.book_of(ref)
    if book.purpose not in _UNDOABLE:
        raise ResolutionError(f"{ref} cannot be taken back: Fineract does not reopen a foreclosed loan")
    if not reason.strip():
        raise ResolutionError(f"taking a {kind_of(ref)} back needs its reason")
    with conn.transaction():
        row = books.read(conn, book, ref, lock=True)
        if row["state"] != ResolutionState.DONE:
            raise ResolutionError(
                f"{ref} is {row['state']}: only a {kind_of(ref)} that is done can be taken back"
            )
        take_turn(conn, row["loan_id"])
        _check(conn, client, row, ref, reason)
        row = books.change(conn, book, row, {"undo_reason": reason.strip()})
        key = f"{ref} {run.label}"
        approval = approvals.request(conn, _purpose(book), key, figures(book, row), run, needed=True)
        note(conn, ref, row["loan_id"], "undo requested", run, reason=reason.strip())
        return books.change(conn, book, row, {"undo_approval_id": approval.approval_id})


def figures(book: Book, row: Row) -> dict[str, Any]:
    """What the approval of an undoing speaks of."""
    rupees = _UNDOABLE[book.purpose].speaks_of
    return {
        book.key: book.ref(row), "loan_id": row["loan_id"], "undo_reason": row["undo_reason"],
        **{name: canonical_amount(row[column]) for name, column in rupees.items()},
    }  # fmt: skip


def preview(conn: WarehouseConnection, row: Row, ref: str, asked_by: str) -> str:
    """The table that the approver sees: what is undone, in this order."""
    book = books.book_of(ref)
    lines = [
        f"Loan {row['lender']} {row['loan_id']}: the {kind_of(ref)} of {row['executed_on']} is taken back. "
        f"{indian_rupees(row[str(book.owed)])} rupees were owed before it.",
        "",
        "| undone, the last step first | rupees | afterwards |",
        "| --- | ---: | --- |",
    ]
    for step in reversed(steps_of(conn, ref)):
        kind = StepKind(step["kind"])
        lines.append(f"| {kind.replace('_', ' ')} | {indian_rupees(step['amount'])} | {_AFTERWARDS[kind]} |")
    lines += ["", f"Reason: {' '.join(row['undo_reason'].split())}. Asked for by {asked_by}."]
    return "\n".join(lines)


def decide(
    conn: WarehouseConnection, ref: str, approval_id: int, decider: RunContext, *, approved: bool
) -> ApprovalState:
    """Record what a person answered about taking it back; who asked may not, and it takes one of the band."""
    book = books.book_of(ref)
    with conn.transaction():
        row = books.read(conn, book, ref, lock=True)
        if row["undo_approval_id"] != approval_id:
            raise ResolutionError(f"{ref} was asked about anew meanwhile: answer that question")
        if approved:
            books.check_person(_band(book, row), decider.actor)
        decision = approvals.decide(conn, approval_id, decider.actor, approved=approved)
        note(conn, ref, row["loan_id"], f"undo {decision.state}", decider)
        return decision.state


def kind_of(ref: str) -> str:
    """What a reference is of, in words: settlement, write-off. Raises ResolutionError for no reference of ours."""
    return books.book_of(ref).purpose.replace("_", "-")


def undo(walk: Walk, ref: str) -> Row:
    """Use the approval and take it back. Called again it goes on, as `advance` of its kind does by itself."""
    book = books.book_of(ref)
    row = books.read(walk.conn, book, ref)
    if row["state"] == ResolutionState.DONE:
        walk.desk.post(row["loan_id"])  # what is on its way ends first
        _begin(walk, book, ref)
    execution.take_back(walk, book, ref)
    return books.read(walk.conn, book, ref)


def _begin(walk: Walk, book: Book, ref: str) -> None:
    conn = walk.conn
    with conn.transaction():
        row = books.read(conn, book, ref, lock=True)
        if row["state"] != ResolutionState.DONE:
            return  # another run has begun it
        take_turn(conn, row["loan_id"])
        books.use_approval(conn, row["undo_approval_id"], figures(book, row), walk.run, _band(book, row))
        _check(conn, walk.client, row, ref, row["undo_reason"])
        books.move(conn, book, row, ResolutionState.UNDOING, walk.run, last_error=row["undo_reason"])


def _purpose(book: Book) -> str:
    return f"{book.purpose}_undo"


def _band(book: Book, row: Row) -> Band:
    return band_named(_UNDOABLE[book.purpose].bands(row["lender"]), row["band"])


# ---------------------------------------------------------------- what Fineract does not take back


def _check(conn: WarehouseConnection, client: FineractClient, row: Row, ref: str, reason: str) -> None:
    """Raise ResolutionError while the loan's money is on its way, or where Fineract would refuse a step's undoing.

    The reason for taking it back answers open questions about the loan: they are often why.
    """
    check_guards(conn, row["loan_id"], ref=ref, override_reason=reason)
    address = loan_addresses(conn, [row["loan_id"]])[row["loan_id"]].external_id
    loan = client.find_loan(address, ("transactions",))
    if loan is None:
        raise ResolutionError(f"Fineract has no loan {row['loan_id']}")
    listed = loan.get("transactions", [])
    steps = [step for step in steps_of(conn, ref) if step["state"] == StepState.DONE]
    later = transactions_since(conn, listed, ref, row["executed_on"])
    faults = [*_of_the_loan(loan), *_of_the_steps(loan, listed, steps), *_of_what_came_later(loan, later)]
    if faults:
        raise ResolutionError(f"{ref} cannot be taken back: {'; '.join(faults)}")


def _of_the_loan(loan: Json) -> list[str]:
    foreclosed = (loan.get("subStatus") or {}).get("id") == _FORECLOSED
    return ["the loan is foreclosed since, and Fineract does not reopen it"] if foreclosed else []


def _of_the_steps(loan: Json, listed: Sequence[Json], steps: Sequence[Row]) -> list[str]:
    """Every transaction must be there as it was recorded, or be undone already, and not dated into a charge-off."""
    there = {each.get("externalId"): each for each in listed}
    charged_off_on = (
        iso_date(loan.get("timeline", {}).get("chargedOffOnDate")) if loan.get("chargedOff") else None
    )
    faults: list[str] = []
    for step in steps:
        if step["kind"] == StepKind.POST_MONEY:
            continue  # the posting ledger knows, and asks where it cannot
        name = f"step {step['position']} {step['kind']}"
        found = there.get(step["external_id"])
        if found is None:
            faults.append(f"Fineract has no transaction of {name}")
        elif locale_amount(found.get("amount")) != step["amount"]:
            faults.append(f"Fineract has {found.get('amount')} rupees for {name}, not {step['amount']}")
        elif charged_off_on and step["kind"] in _DATED_AGAINST_CHARGE_OFF and _day(found) <= charged_off_on:
            faults.append(f"{name} is dated before the charge-off of {charged_off_on}: take that back first")
    return faults


def _of_what_came_later(loan: Json, later: Sequence[Json]) -> list[str]:
    faults = [
        f"a {_MONEY_OUT[each['type']['id']]} of {each['amount']} rupees on {_day(each)} came after it"
        for each in later
        if each["type"]["id"] in _MONEY_OUT
    ]
    if later and recalculates(loan):
        faults.append(
            f"its product recalculates interest, and {len(later)} later transactions stand: Fineract takes nothing "
            "back before the last one. Take those back first"
        )
    return faults


def _day(transaction: Json) -> date:
    return iso_date(transaction.get("date")) or date.max
