"""Execution, shared by settlements, write-offs and foreclosures: walk over the steps, verify the end in Fineract, undo
on a definitive failure, and ask a person where neither is possible.
"""

from collections.abc import Callable
from dataclasses import dataclass

from turno_lms.domain.money import canonical_amount
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ResolutionState
from turno_lms.fineract.errors import FineractConfigurationError, FineractError
from turno_lms.fineract.snapshots import loan_addresses, snapshot_loan
from turno_lms.resolutions import books
from turno_lms.resolutions.books import Book
from turno_lms.resolutions.journal import note
from turno_lms.resolutions.quotes import ResolutionError, outstanding_of, still_owed
from turno_lms.resolutions.steps import (
    StepsEnd,
    Walk,
    run_steps,
    transactions_since,
    undo_steps,
)
from turno_lms.warehouse.connection import Row, WarehouseConnection

_UNDOING = {
    ResolutionState.COMPENSATING: ResolutionState.COMPENSATED,
    ResolutionState.UNDOING: ResolutionState.UNDONE,
}


@dataclass(frozen=True)
class EndState:
    """Fineract's status of a loan that ended as planned, with nothing outstanding."""

    status: int


def carry_on(walk: Walk, book: Book, ref: str, end_state: Callable[[Row], EndState]) -> None:
    """Go on with what is executing or being undone, as far as it goes."""
    row = books.read(walk.conn, book, ref)
    if row["state"] == ResolutionState.EXECUTING:
        _run(walk, book, row, end_state)
    take_back(walk, book, ref)


def take_back(walk: Walk, book: Book, ref: str) -> None:
    """Go on with what is being undone, as far as it goes: after a failure, or after the end."""
    state = books.read(walk.conn, book, ref)["state"]
    if state in _UNDOING:
        _undo(walk, book, ref, _UNDOING[state])


def _run(walk: Walk, book: Book, row: Row, end_state: Callable[[Row], EndState]) -> None:
    ref = book.ref(row)
    progress = run_steps(walk, ref)
    if progress.end is StepsEnd.WAITING:
        _keep(walk, book, ref, progress.reason)
    elif progress.end is StepsEnd.DONE:
        _verify(walk, book, ref, end_state)
    elif progress.end is StepsEnd.REFUSED:
        _move(walk, book, ref, ResolutionState.COMPENSATING, progress.reason)
    else:
        _move(walk, book, ref, ResolutionState.STUCK, progress.reason)


def _verify(walk: Walk, book: Book, ref: str, end_state: Callable[[Row], EndState]) -> None:
    """Every step was read back; now the loan itself must stand as planned."""
    row = books.read(walk.conn, book, ref)
    address = loan_addresses(walk.conn, [row["loan_id"]])[row["loan_id"]]
    try:
        loan = walk.client.find_loan(address.external_id)
    except FineractConfigurationError:
        raise
    except FineractError as unclear:
        _keep(walk, book, ref, f"the end cannot be read: {unclear}")
        return
    status, outstanding = int((loan or {}).get("status", {}).get("id") or 0), outstanding_of(loan or {})
    planned = end_state(row).status
    if status != planned or outstanding:
        reason = (
            f"all steps are done, but Fineract shows status {status} with {canonical_amount(outstanding)} rupees "
            f"outstanding; planned were {planned} and 0.00"
        )
        _move(walk, book, ref, ResolutionState.STUCK, reason)
        return
    with walk.conn.transaction():
        row = books.read(walk.conn, book, ref, lock=True)
        snapshot_loan(
            walk.conn, loan or {}, walk.run
        )  # so that the loan master knows at once, and shows no drift
        if row["state"] == ResolutionState.EXECUTING:
            ended = {"fineract_status": status, "fineract_outstanding": outstanding}
            books.move(walk.conn, book, row, ResolutionState.DONE, walk.run, **ended)
            books.answered(walk.conn, ref, walk.run, "done")


def _undo(walk: Walk, book: Book, ref: str, end: ResolutionState) -> None:
    row = books.read(walk.conn, book, ref)
    progress = undo_steps(walk, ref, row["last_error"] or f"{book.purpose} {ref} is taken back")
    if progress.end is not StepsEnd.DONE:
        note(walk.conn, ref, row["loan_id"], "undoing waits", walk.run, reason=progress.reason)
        if progress.end is StepsEnd.REFUSED:
            books.ask_a_person(walk.conn, book, row, f"it cannot be taken back: {progress.reason}", walk.run)
        return
    address = loan_addresses(walk.conn, [row["loan_id"]])[row["loan_id"]]
    loan = walk.client.find_loan(address.external_id) or {}
    listed = walk.client.loan_transactions(address.external_id)
    owes = still_owed(walk.client, loan, row["executed_on"])
    with walk.conn.transaction():
        row = books.read(walk.conn, book, ref, lock=True)
        if row["state"] not in _UNDOING:
            return
        if loan:
            snapshot_loan(walk.conn, loan, walk.run)
        status, outstanding = int(loan.get("status", {}).get("id") or 0), outstanding_of(loan)
        shown = {"fineract_status": status, "fineract_outstanding": outstanding}
        row = books.move(walk.conn, book, row, end, walk.run, last_error=row["last_error"], **shown)
        others = transactions_since(walk.conn, listed, ref, row["executed_on"])
        owed = row[book.owed] if book.owed and not others else owes
        if owes == owed:
            books.answered(walk.conn, ref, walk.run, f"{end}: everything was taken back")
            return
        reason = (
            f"everything was taken back, but Fineract shows status {status} with "
            f"{canonical_amount(owes)} rupees outstanding; {canonical_amount(owed)} were owed before"
        )
        books.ask_a_person(walk.conn, book, row, reason, walk.run)


def _move(walk: Walk, book: Book, ref: str, new: ResolutionState, reason: str) -> None:
    with walk.conn.transaction():
        row = books.read(walk.conn, book, ref, lock=True)
        if row["state"] == ResolutionState.EXECUTING:
            row = books.move(walk.conn, book, row, new, walk.run, last_error=reason)
            books.ask_a_person(walk.conn, book, row, reason, walk.run)


def _keep(walk: Walk, book: Book, ref: str, reason: str) -> None:
    with walk.conn.transaction():
        row = books.read(walk.conn, book, ref, lock=True)
        books.change(walk.conn, book, row, {"last_error": reason})


def decide_stuck(
    conn: WarehouseConnection, book: Book, ref: str, reason: str, run: RunContext, *, go_on: bool
) -> Row:
    """What a person says about a resolution that is stuck: go on with it, or take back what was done.

    Going on sends a step in doubt again after one more look. Raises ResolutionError for anything that is not stuck.
    """
    if not reason.strip():
        raise ResolutionError("a decision about money needs its reason")
    with conn.transaction():
        row = books.read(conn, book, ref, lock=True)
        if row["state"] != ResolutionState.STUCK:
            raise ResolutionError(f"{ref} is {row['state']}, not stuck: it goes on by itself, or has ended")
        new = ResolutionState.EXECUTING if go_on else ResolutionState.COMPENSATING
        if go_on:
            conn.execute(_SEND_AGAIN, (ref,))
        return books.move(conn, book, row, new, run, last_error=f"{run.actor}: {reason.strip()}")


_SEND_AGAIN = """
update core.core_resolution_step set state = 'sent', attempt = attempt + 1, tries = 0
where resolution_ref = %s and state = 'in_doubt'
"""


def stop(conn: WarehouseConnection, book: Book, ref: str, reason: str, run: RunContext) -> Row:
    """Give up what has not touched Fineract yet. Raises ResolutionError otherwise."""
    if not reason.strip():
        raise ResolutionError("giving up a resolution needs its reason")
    with conn.transaction():
        row = books.read(conn, book, ref, lock=True)
        if row["state"] not in {ResolutionState.REQUESTED, ResolutionState.ACCEPTED}:
            raise ResolutionError(f"{ref} is {row['state']}: it has ended, or has touched Fineract")
        return books.move(
            conn, book, row, ResolutionState.STOPPED, run, last_error=f"{run.actor}: {reason.strip()}"
        )
