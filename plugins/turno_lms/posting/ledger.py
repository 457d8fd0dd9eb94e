"""The ledger's writes: taking an intent, keeping it for later, ending it. Each is part of the caller's transaction,
under the loan's lease; what an older fence brings is refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind, IntentState, PostingOutcome, advance
from turno_lms.fineract.leases import Lease
from turno_lms.posting.intents import Ended, Intent, Open
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Row, WarehouseConnection

_TAKE = Path(__file__).with_name("take.sql").read_text(encoding="utf-8")
_END = Path(__file__).with_name("end.sql").read_text(encoding="utf-8")
_KEEP = """
update core.core_fineract_pending_transactions
set
    state = %(state)s,
    attempt = attempt + %(raise_attempt)s,
    tries = tries - %(uncount)s,
    next_try_at = clock_timestamp() + %(wait)s * interval '1 second',
    last_error = %(reason)s
where posting_key = %(posting_key)s and fence = %(fence)s
"""
_RAISE_EXCEPTION = """
insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
"""
_CLEAR_EXCEPTIONS = """
update core.core_recon_exception
set state = 'cleared', closed_at = now(), closed_by = %s, close_reason = 'posted'
where subject = %s and kind in (%s, %s) and state = 'open'
"""


class LedgerError(RuntimeError):
    """The queue does not hold what this worker took under its lease: someone changed it by hand. Nothing was stored."""


@dataclass(frozen=True)
class Head:
    """The oldest open intent of a loan: `intent` if it was due and is now in flight, else seconds until it is due."""

    intent: Intent | None
    due_in_seconds: float


def take(conn: WarehouseConnection, lease: Lease) -> Head | None:
    """Mark the loan's oldest open intent as in flight, with a second look at its payment; None if it has none."""
    row = conn.execute(_TAKE, {"loan": lease.loan_id, "fence": lease.fence}).fetchone()
    if row is None:
        return None
    if not row["is_taken"]:
        return Head(None, float(row["due_in_seconds"]))
    return Head(_intent(row), 0.0)


def _intent(row: Row) -> Intent:
    state = IntentState(row["state"])
    before = advance(state, IntentState.UNKNOWN) if state is IntentState.IN_FLIGHT else state
    advance(before, IntentState.IN_FLIGHT)
    since = row["seconds_since_last_try"]
    return Intent(
        posting_key=row["posting_key"],
        lender=row["lender"],
        loan_id=row["loan_id"],
        business_date=row["business_date"],
        amount=row["amount"],
        payment_type_id=row["payment_type_id"],
        bank_reference=row["bank_reference"],
        state=state,
        attempt=row["attempt"],
        tries=row["tries"] + 1,
        block=row["block"],
        seconds_since_last_try=None if since is None else float(since),
    )


def keep(conn: WarehouseConnection, lease: Lease, intent: Intent, result: Open, run: RunContext) -> None:
    """Put a taken intent back into the queue for a later try, or for a person."""
    values = {
        "state": advance(IntentState.IN_FLIGHT, result.state),
        "raise_attempt": int(result.next_attempt),
        "uncount": int(not result.counts),
        "wait": result.wait,
        "reason": result.reason,
        "posting_key": intent.posting_key,
        "fence": lease.fence,
    }
    _expect_one(conn, _KEEP, values)
    if result.state is IntentState.IN_DOUBT:
        _raise_exception(conn, ExceptionKind.POSTING_IN_DOUBT, intent, result.reason, run)


def end(conn: WarehouseConnection, lease: Lease, intent: Intent, result: Ended, run: RunContext) -> None:
    """Move a taken intent into the archive and the ledger, and announce it."""
    values = {
        "posting_key": intent.posting_key,
        "fence": lease.fence,
        "outcome": result.outcome,
        "transaction_id": result.fineract_transaction_id,
        "status_code": result.status_code,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "run": run.label,
    }
    _expect_one(conn, _END, values)
    record_changes(conn, "posting", [intent.posting_key])
    if result.outcome is PostingOutcome.FAILED:
        _raise_exception(
            conn, ExceptionKind.POSTING_FAILED, intent, f"{result.error_code}: {result.error_message}", run
        )
    elif intent.attempt > 1 or intent.tries > 1:
        conn.execute(
            _CLEAR_EXCEPTIONS,
            (run.label, intent.posting_key, ExceptionKind.POSTING_FAILED, ExceptionKind.POSTING_IN_DOUBT),
        )


def _expect_one(conn: WarehouseConnection, statement: str, values: dict[str, Any]) -> None:
    if conn.execute(statement, values).rowcount != 1:
        raise LedgerError(
            f"intent {values['posting_key']} is no longer in core.core_fineract_pending_transactions under fence "
            f"{values['fence']}, or was posted already: find out who changed it, then run post_repayments again"
        )


def _raise_exception(
    conn: WarehouseConnection, kind: ExceptionKind, intent: Intent, reason: str, run: RunContext
) -> None:
    detail = Jsonb({"reason": reason, "attempt": intent.attempt, "tries": intent.tries})
    values = (kind, intent.posting_key, intent.lender, intent.loan_id, intent.amount, detail, run.label)
    conn.execute(_RAISE_EXCEPTION, values)
