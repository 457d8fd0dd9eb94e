"""What people do about a repayment that posting could not end: look it up, retry, settle with evidence, post again.

An intent in doubt leaves that state by a person alone; a refused repayment is parked, with its reason and its age, and
is never sent again until a person says so. Nothing here talks to Fineract but `look`.
"""

from pathlib import Path
from uuid import uuid4

from psycopg.sql import SQL

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind, IntentState, PostingOutcome, RepaymentKind, advance
from turno_lms.fineract import leases
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.repayments import Finding, Repayment, finding
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.posting import ledger
from turno_lms.posting.intents import Ended, Intent
from turno_lms.warehouse.connection import Row, WarehouseConnection

_LEASE_SECONDS = 60
PARKED_KINDS = (
    ExceptionKind.POSTING_FAILED,
    ExceptionKind.POSTING_IN_DOUBT,
    ExceptionKind.OVERPAID,
    ExceptionKind.BOUNCED_AFTER_POSTING,
    ExceptionKind.RETURNED_AFTER_POSTING,
    ExceptionKind.REVERSAL_UNMATCHED,
    ExceptionKind.PARTLY_RETURNED,
)
"""The questions that posting asks people."""

_IN_DOUBT = """
select pending.*, null as block
from core.core_fineract_pending_transactions as pending
where pending.posting_key = %s
for update
"""
_RETRY = """
update core.core_fineract_pending_transactions
set state = %s, attempt = attempt + 1, tries = 1, next_try_at = clock_timestamp(), last_error = %s
where posting_key = %s
"""
_FENCE = "update core.core_fineract_pending_transactions set fence = %s where posting_key = %s"
_NOTE = """
update core.core_recon_exception
set detail = detail || jsonb_build_object('decision', %s::text, 'decided_by', %s::text)
where subject = %s and kind = any(%s) and state = 'open'
"""
_QUEUED = "select from core.core_fineract_pending_transactions where posting_key = %s for update"
_REPOST = Path(__file__).with_name("repost.sql").read_text(encoding="utf-8")
PARKED = Path(__file__).with_name("parked.sql").read_text(encoding="utf-8")
"""The query of all that waits for a person's word on posting."""
_CLOSE = """
update core.core_recon_exception
set state = 'resolved', closed_at = now(), closed_by = %s, close_reason = %s
where subject = %s and kind = %s and state = 'open'
"""


class CaseError(ValueError):
    """What a person asked for does not fit the repayment's state; the message says what does. Nothing was changed."""


def parked(conn: WarehouseConnection) -> list[Row]:
    """Every repayment that waits for a person: kind, key, loan, rupees, reason and age in days, oldest first."""
    query = SQL("select * from ({}) as question order by question.opened_at, question.exception_id")
    return conn.execute(query.format(SQL(PARKED))).fetchall()


def look(conn: WarehouseConnection, client: FineractClient, posting_key: str) -> tuple[Finding, str]:
    """What Fineract holds under an intent's external id, and its answer in words. Changes nothing."""
    row = conn.execute(_IN_DOUBT, (posting_key,)).fetchone()
    if row is None:
        raise CaseError(
            f"{posting_key} is not in the queue: `turno payments show {posting_key}` says what it is"
        )
    address = loan_addresses(conn, [row["loan_id"]])[row["loan_id"]]
    repayment = Repayment(
        posting_key, address.external_id, row["business_date"], row["amount"], row["payment_type_id"]
    )
    answer = client.look_up_transaction(address.external_id, posting_key)
    found = finding(answer, repayment)
    body = answer.body if isinstance(answer.body, dict) else {}
    shown = ", ".join(
        f"{name}={body[name]}" for name in ("id", "amount", "date", "manuallyReversed") if name in body
    )
    return found, shown or f"{answer.status or answer.delivery} {answer.code or ''} {answer.message}".strip()


def retry(conn: WarehouseConnection, posting_key: str, reason: str, actor: str) -> None:
    """Put an intent in doubt back into the queue: the next run reads it back and sends it if Fineract has it not.

    It goes out as the next attempt, for the old key may be spent; the external id, which guards it, stays.
    """
    with conn.transaction():
        row = _in_doubt(conn, posting_key)
        note = _decision(conn, posting_key, f"retry: {_evidence(reason)}", actor)
        conn.execute(_RETRY, (advance(IntentState(row["state"]), IntentState.QUEUED), note, posting_key))


def settle(
    conn: WarehouseConnection, posting_key: str, outcome: PostingOutcome, evidence: str, run: RunContext, *,
    fineract_transaction_id: int | None = None,
) -> None:  # fmt: skip
    """End an intent in doubt as posted or failed, on a person's evidence, under the loan's lease.

    Posted needs Fineract's transaction id; the next proof holds it against Fineract. Raises CaseError otherwise.
    """
    if outcome not in {PostingOutcome.POSTED, PostingOutcome.FAILED}:
        raise CaseError("an intent in doubt is settled as posted or as failed")
    if outcome is PostingOutcome.POSTED and fineract_transaction_id is None:
        raise CaseError("settling as posted needs the id of the transaction in Fineract")
    note = _evidence(evidence)
    with conn.transaction():
        row = _in_doubt(conn, posting_key)
        held = leases.acquire(conn, [row["loan_id"]], f"{run.label}/{uuid4().hex[:8]}", _LEASE_SECONDS)
        if not held:
            raise CaseError(f"loan {row['loan_id']} is being posted to just now: try again in a minute")
        conn.execute(_FENCE, (held[0].fence, posting_key))
        _decision(conn, posting_key, f"settled as {outcome}: {note}", run.actor)
        code = None if outcome is PostingOutcome.POSTED else "settled_by_hand"
        ended = Ended(outcome, fineract_transaction_id, None, code, note, settled_by=run.actor)
        ledger.end(conn, held[0], _intent(row), ended, run).check()


def repost(
    conn: WarehouseConnection, posting_key: str, kind: RepaymentKind, reason: str, run: RunContext
) -> None:
    """Queue a refused repayment for another attempt, as a repayment or (on a written-off loan) as a recovery.

    Its question stays open until it is posted. Raises CaseError for anything that has not failed.
    """
    with conn.transaction():
        # waits for a worker that is ending it just now: what the ledger says is read after that
        is_queued = conn.execute(_QUEUED, (posting_key,)).rowcount > 0
        values = {"key": posting_key, "kind": kind, "run": run.label}
        if is_queued or conn.execute(_REPOST, values).rowcount != 1:
            raise CaseError(
                f"{posting_key} did not end as failed, is queued again already, or is no payment any more: "
                f"`turno payments show {posting_key}` says what it is"
            )
        _decision(conn, posting_key, f"post again as {kind}: {_evidence(reason)}", run.actor)


def resolve_overpayment(conn: WarehouseConnection, posting_key: str, reason: str, actor: str) -> None:
    """Close the question of an overpaid loan: the excess was given back, or stays by agreement."""
    closed = conn.execute(_CLOSE, (actor, _evidence(reason), posting_key, ExceptionKind.OVERPAID))
    if not closed.rowcount:
        raise CaseError(f"{posting_key} has no open question of an overpayment")


def _in_doubt(conn: WarehouseConnection, posting_key: str) -> Row:
    row = conn.execute(_IN_DOUBT, (posting_key,)).fetchone()
    if row is None or row["state"] != IntentState.IN_DOUBT:
        state = row["state"] if row else "not in the queue"
        raise CaseError(f"{posting_key} is {state}, not in doubt: posting itself will deal with it")
    return row


def _evidence(text: str) -> str:
    if not text.strip():
        raise CaseError("a decision about money needs its reason or evidence")
    return text.strip()


def _decision(conn: WarehouseConnection, posting_key: str, decision: str, actor: str) -> str:
    conn.execute(_NOTE, (decision, actor, posting_key, list(PARKED_KINDS)))
    return f"{decision} ({actor})"


def _intent(row: Row) -> Intent:
    return Intent(
        row["posting_key"], row["lender"], row["loan_id"], row["business_date"], row["amount"], row["payment_type_id"],
        row["bank_reference"], IntentState(row["state"]), row["attempt"], row["tries"], None, None,
        RepaymentKind(row["kind"]),
    )  # fmt: skip
