"""The ledger's writes: taking an intent, keeping it for later, ending it. Each is one statement of the caller's
transaction that looks at the loan's lease itself, so that a turn can be sent in one go (psycopg's pipeline) and only
its answers be waited for; what an older fence brings is refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Cursor

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind, IntentState, PostingOutcome, RepaymentKind, advance
from turno_lms.fineract.leases import Lease, LeaseLostError
from turno_lms.posting.intents import Ended, Intent, Open
from turno_lms.warehouse.connection import Row, WarehouseConnection

_TAKE = Path(__file__).with_name("take.sql").read_text(encoding="utf-8")
_END = Path(__file__).with_name("end.sql").read_text(encoding="utf-8")
_KEEP = Path(__file__).with_name("keep.sql").read_text(encoding="utf-8")


class LedgerError(RuntimeError):
    """The queue does not hold what this worker took under its lease: someone changed it by hand. Nothing was stored."""


@dataclass(frozen=True)
class Head:
    """The oldest open intent of a loan: `intent` if it was due and is now in flight, else seconds until it is due.

    `more` says whether the loan has further open intents.
    """

    lease: Lease
    intent: Intent | None
    due_in_seconds: float
    more: bool


class Take:
    """What `take` asked for; `head` waits for the answer when the statement was sent in a pipeline."""

    def __init__(self, cursor: Cursor[Row]):
        self._cursor = cursor

    def head(self) -> Head | None:
        """The loan's head, None if it has no open intent or `holder` has no lease of it."""
        row = self._cursor.fetchone()
        if row is None:
            return None
        lease = Lease(row["loan_id"], row["fence"])
        if not row["is_taken"]:
            return Head(lease, None, float(row["due_in_seconds"]), row["more"])
        return Head(lease, _intent(row), 0.0, row["more"])


class Written:
    """What `keep` or `end` wrote; `check` waits for the answer when the statement was sent in a pipeline."""

    def __init__(self, cursor: Cursor[Row], lease: Lease, posting_key: str):
        self._cursor = cursor
        self._lease = lease
        self._posting_key = posting_key

    def check(self) -> None:
        """Raise LeaseLostError if another holder has the loan by now, LedgerError if the intent is not as it was taken.

        In both cases nothing was written.
        """
        row = self._cursor.fetchone()
        if row is None or not row["leases"]:
            raise LeaseLostError(self._lease)
        if not row["written"]:
            raise LedgerError(
                f"intent {self._posting_key} is no longer in core.core_fineract_pending_transactions under fence "
                f"{self._lease.fence}, or was posted already: find out who changed it, then run post_repayments again"
            )


def take(conn: WarehouseConnection, loan_id: str, holder: str) -> Take:
    """Mark the oldest open intent of a loan leased by `holder` as in flight, with a second look at its payment."""
    return Take(conn.execute(_TAKE, {"loan": loan_id, "holder": holder}))


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
        kind=RepaymentKind(row["kind"]),
        is_stopped=row["is_stopped"],
    )


def keep(
    conn: WarehouseConnection,
    lease: Lease,
    intent: Intent,
    result: Open,
    run: RunContext,
    *,
    lease_seconds: float = 0,
) -> Written:
    """Put a taken intent back into the queue for a later try, or for a person.

    The lease goes on for `lease_seconds` from now; with 0 it is given back.
    """
    values = {
        "state": advance(IntentState.IN_FLIGHT, result.state),
        "raise_attempt": int(result.next_attempt),
        "uncount": int(not result.counts),
        "wait": result.wait,
        "reason": result.reason,
        "exception_kind": ExceptionKind.POSTING_IN_DOUBT if result.state is IntentState.IN_DOUBT else None,
        "run": run.label,
    }
    return _write(conn, _KEEP, lease, intent, {**values, "lease_seconds": lease_seconds})


def end(
    conn: WarehouseConnection,
    lease: Lease,
    intent: Intent,
    result: Ended,
    run: RunContext,
    *,
    lease_seconds: float = 0,
) -> Written:
    """Move a taken intent into the archive and the ledger, and announce it. `lease_seconds` is as in `keep`."""
    values = {
        "outcome": result.outcome,
        "transaction_id": result.fineract_transaction_id,
        "status_code": result.status_code,
        "error_code": result.error_code,
        "error_message": result.error_message,
        "settled_by": result.settled_by,
        "exception_kind": ExceptionKind.POSTING_FAILED if result.outcome is PostingOutcome.FAILED else None,
        "questions": [ExceptionKind.POSTING_FAILED, ExceptionKind.POSTING_IN_DOUBT],
        "run": run.label,
    }
    return _write(conn, _END, lease, intent, {**values, "lease_seconds": lease_seconds})


def _write(
    conn: WarehouseConnection, statement: str, lease: Lease, intent: Intent, values: dict[str, Any]
) -> Written:
    keys = {"posting_key": intent.posting_key, "loan": lease.loan_id, "fence": lease.fence}
    return Written(conn.execute(statement, {**values, **keys}), lease, intent.posting_key)
