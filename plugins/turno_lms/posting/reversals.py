"""Reversals: undo a posted repayment in Fineract with a reason, and post a correction in its place where one is given.

A reversal is a row of core.core_reversal before anything is sent, so that whoever takes it over knows to read back
first. It takes the loan's lease, is audited like every call, and ends in the ledger: the payment's outcome becomes
`reversed`, its correction (under the key with the next -rM) becomes claimable. In Fineract the reversed transaction
keeps its external id. Run twice: what is reversed is found reversed, and nothing is sent.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.money import rupees
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ReversalState, advance
from turno_lms.fineract import leases
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.errors import FineractConfigurationError, FineractError, FineractRefusedError
from turno_lms.fineract.leases import Lease
from turno_lms.fineract.repayments import Finding, Repayment, finding
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.warehouse.connection import Row, WarehouseConnection, is_built

_LEASE_CALLS = 4
_TOLD_BY = ("core.core_transaction_data", "core.core_payment_sighting", "base.base_gateway_payment")
_CORRECTION = re.compile(r"-r(\d+)$")
_PREPARE = Path(__file__).with_name("prepare_reversals.sql").read_text(encoding="utf-8")
_ASK = Path(__file__).with_name("unmatched_reversals.sql").read_text(encoding="utf-8")
_SEARCHED_UNTIL = """
insert into core.core_reversal_search as search (_txid) values (0)
on conflict (only_row) do update set _txid = search._txid
returning search._txid
"""
_READ_HORIZON = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as horizon"
_SEARCHED = "update core.core_reversal_search set _txid = %s"
_FINISH = Path(__file__).with_name("finish_reversal.sql").read_text(encoding="utf-8")
_CORRECT = Path(__file__).with_name("correct.sql").read_text(encoding="utf-8")
_POSTED = """
select * from core.core_transaction_data_processed where posting_key = %s for update
"""
_FIND = "select * from core.core_reversal where posting_key = %s for update"
_STANDING = "select state from core.core_reversal where posting_key = %s"
_REQUEST = """
insert into core.core_reversal (posting_key, lender, loan_id, business_date, amount, reason, state, requested_by)
values (%(posting_key)s, %(lender)s, %(loan_id)s, %(business_date)s, %(amount)s, %(reason)s, %(state)s, %(actor)s)
on conflict (posting_key) do update
    set state = excluded.state, reason = excluded.reason, requested_by = excluded.requested_by, requested_at = now(),
        last_error = null
"""
_DROP = """
update core.core_reversal set state = %s, last_error = %s, ended_at = now() where posting_key = %s
"""
_CLOSE_QUESTION = """
update core.core_recon_exception
set state = 'resolved', closed_at = now(), closed_by = %s, close_reason = %s
where subject = %s and kind in ('bounced_after_posting', 'returned_after_posting') and state = 'open'
"""
_DUE = "select * from core.core_reversal where state in ('requested', 'in_flight') order by requested_at"
_MARK = """
update core.core_reversal
set state = %(state)s, fence = %(fence)s, last_error = %(error)s
where posting_key = %(key)s and state = %(before)s
"""


class ReversalError(ValueError):
    """A reversal that cannot be asked for; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Correction:
    """What is to be posted in place of the reversed repayment, in rupees; None keeps what the original says."""

    loan_id: str | None = None
    business_date: date | None = None
    amount: Decimal | None = None


def prepare_reversals(conn: WarehouseConnection, run: RunContext) -> int:
    """Prepare the reversal of every posted payment that a later record says bounced, and ask a person about it.

    Prepared is not sent: `request_reversal` confirms it, `drop_reversal` does not. About a reversal that fits no
    payment a person is asked as well (`reversal_unmatched`). Each search reads what was written since the one before,
    whenever it was committed; searches take turns.
    """
    with conn.transaction():
        if not is_built(conn, *_TOLD_BY):
            return 0
        (since,) = _only_row(conn, _SEARCHED_UNTIL)
        (horizon,) = _only_row(conn, _READ_HORIZON)
        told = {"run": run.label, "since": since}
        prepared = conn.execute(_PREPARE, told).rowcount
        conn.execute(_ASK, told)
        conn.execute(_SEARCHED, (horizon,))
    return prepared


def _only_row(conn: WarehouseConnection, query: str) -> tuple[Any, ...]:
    row = conn.execute(query).fetchone()
    if row is None:
        raise LookupError(f"no row: {query}")
    return tuple(row.values())


def request_reversal(
    conn: WarehouseConnection, posting_key: str, reason: str, actor: str, correction: Correction | None = None
) -> str | None:
    """Ask for the reversal of a posted repayment; returns the key of its correction if there is one.

    Raises ReversalError unless the ledger has it as posted and no reversal of it is under way.
    """
    if not reason.strip():
        raise ReversalError("a reversal needs a reason")
    with conn.transaction():
        posted = conn.execute(_POSTED, (posting_key,)).fetchone()
        if posted is None or posted["outcome"] != "posted":
            found = posted["outcome"] if posted else "not in the ledger"
            raise ReversalError(f"{posting_key} is {found}: only a posted repayment can be reversed")
        before = conn.execute(_FIND, (posting_key,)).fetchone()
        state = ReversalState.REQUESTED
        if before and ReversalState(before["state"]) in {ReversalState.REQUESTED, ReversalState.IN_FLIGHT}:
            raise ReversalError(f"{posting_key} is being reversed already ({before['state']})")
        if before:
            state = advance(ReversalState(before["state"]), state)
        conn.execute(_REQUEST, {**posted, "reason": reason.strip(), "state": state, "actor": actor})
        return _correct(conn, posted, correction, reason, actor) if correction else None


def _correct(conn: WarehouseConnection, posted: Row, correction: Correction, reason: str, actor: str) -> str:
    key = next_correction(posted["posting_key"])
    amount = posted["amount"] if correction.amount is None else rupees(correction.amount)
    if amount <= 0:
        raise ReversalError(f"a correction of {amount} rupees is none: reverse without a correction")
    values: dict[str, Any] = {
        "key": key, "corrects": posted["posting_key"], "original": _CORRECTION.sub("", posted["posting_key"]),
        "loan_id": canonical_loan_id(correction.loan_id or posted["loan_id"]),
        "business_date": correction.business_date or posted["business_date"], "amount": amount,
        "reason": reason.strip(), "actor": actor,
    }  # fmt: skip
    if conn.execute(_CORRECT, values).rowcount != 1:
        raise ReversalError(f"{posted['posting_key']} has a correction {key} already, or its payment is gone")
    return key


def next_correction(posting_key: str) -> str:
    """The key of the correction of a posting key: `-r1`, after `-r1` comes `-r2`."""
    found = _CORRECTION.search(posting_key)
    number = int(found.group(1)) + 1 if found else 1
    return f"{_CORRECTION.sub('', posting_key)}-r{number}"


def is_prepared(conn: WarehouseConnection, posting_key: str) -> bool:
    """Whether a later record says that a posted payment went back, and nobody has decided about it."""
    row = conn.execute(_STANDING, (posting_key,)).fetchone()
    return row is not None and row["state"] == ReversalState.PREPARED


def drop_reversal(conn: WarehouseConnection, posting_key: str, reason: str, actor: str) -> None:
    """Decide that the repayment stands: a prepared, requested or refused reversal of it is not to be.

    The same for money that a gateway says it gave back. Raises ReversalError when nobody asked about it.
    """
    if not reason.strip():
        raise ReversalError("dropping a reversal needs a reason")
    with conn.transaction():
        row = conn.execute(_FIND, (posting_key,)).fetchone()
        if row:
            dropped = advance(ReversalState(row["state"]), ReversalState.DROPPED)
            conn.execute(_DROP, (dropped, f"{reason.strip()} ({actor})", posting_key))
        answer = actor, f"the repayment stands: {reason.strip()}", posting_key
        if conn.execute(_CLOSE_QUESTION, answer).rowcount == 0 and row is None:
            raise ReversalError(f"there is no reversal of {posting_key}, and no question about it")


def execute_reversals(conn: WarehouseConnection, client: FineractClient, run: RunContext) -> dict[str, int]:
    """Carry out every reversal that is due; returns how many are done, refused, and left for the next run.

    `conn` commits by itself. Raises FineractConfigurationError when every further call would fail alike.
    """
    counts: Counter[str] = Counter()
    for row in conn.execute(_DUE).fetchall():
        counts[_execute(conn, client, row, run)] += 1
    return dict(counts)


def _execute(conn: WarehouseConnection, client: FineractClient, row: Row, run: RunContext) -> str:
    seconds = _LEASE_CALLS * (client.timeouts.connect + client.timeouts.read)
    held = leases.acquire(conn, [row["loan_id"]], f"{run.label}/{uuid4().hex[:8]}", seconds)
    if not held:
        return "left"
    lease = held[0]
    try:
        state = ReversalState(row["state"])
        if not _mark(conn, row, lease, state, ReversalState.IN_FLIGHT, error=None):
            return "left"
        found, error = _undo(conn, client, row)
        if found is Finding.REVERSED:
            _finish(conn, row, lease, run)
            return "done"
        if found is Finding.INCONCLUSIVE:
            _mark(conn, row, lease, ReversalState.IN_FLIGHT, ReversalState.IN_FLIGHT, error=error)
            return "left"
        _mark(conn, row, lease, ReversalState.IN_FLIGHT, ReversalState.REFUSED, error=error)
        return "refused"
    finally:
        leases.release(conn, lease)


def _undo(conn: WarehouseConnection, client: FineractClient, row: Row) -> tuple[Finding, str]:
    """Look, undo what stands, look again; what Fineract holds at the end, and what was said on the way."""
    address = loan_addresses(conn, [row["loan_id"]])[row["loan_id"]]
    repayment = Repayment(row["posting_key"], address.external_id, row["business_date"], row["amount"], 0)

    def look() -> Finding:
        return finding(client.look_up_transaction(address.external_id, row["posting_key"]), repayment)

    found = look()
    if found is not Finding.SAME:
        return found, f"Fineract's transaction is {found}"
    try:
        client.undo_transaction(address.external_id, row["posting_key"], row["business_date"])
    except FineractConfigurationError:
        raise
    except FineractRefusedError as refused:
        return look(), str(refused)
    except FineractError as unclear:
        after = look()
        return (after if after is Finding.REVERSED else Finding.INCONCLUSIVE), str(unclear)
    after = look()
    return (after if after is Finding.REVERSED else Finding.INCONCLUSIVE), f"undone, but read back as {after}"


def _mark(
    conn: WarehouseConnection,
    row: Row,
    lease: Lease,
    before: ReversalState,
    after: ReversalState,
    *,
    error: str | None,
) -> bool:
    values = {
        "state": advance(before, after), "fence": lease.fence, "error": error, "key": row["posting_key"],
        "before": before,
    }  # fmt: skip
    with conn.transaction():
        leases.check(conn, lease)
        return conn.execute(_MARK, values).rowcount == 1


def _finish(conn: WarehouseConnection, row: Row, lease: Lease, run: RunContext) -> None:
    """Reversal, ledger, archive, change log and question in one transaction, under the lease."""
    advance(ReversalState.IN_FLIGHT, ReversalState.DONE)
    with conn.transaction():
        leases.check(conn, lease)
        conn.execute(_FINISH, {"key": row["posting_key"], "fence": lease.fence, "run": run.label})
