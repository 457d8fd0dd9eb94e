"""Ask for, decide and use an approval. Whoever acts on one reads it again in the transaction in which it acts.

An approval speaks of figures: a JSON value whose sha256 the approver's page was made from. It counts only while the
figures are the same, the approver is not the requester, and it has not expired; it is used once. Airflow's task states
say nothing here: a task marked as success leaves the approval as it was.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState, advance
from turno_lms.warehouse.connection import Row, WarehouseConnection

VALID_FOR = timedelta(hours=24)

_REQUEST = """
insert into core.core_approval (
    purpose, request_key, figures, figures_hash, state, requested_by, requested_by_run, expires_at
)
values (
    %(purpose)s, %(request_key)s, %(figures)s, %(figures_hash)s, %(state)s, %(requested_by)s, %(run)s,
    now() + %(valid_for)s
)
on conflict (purpose, request_key) do nothing
returning approval_id
"""
_FIND = "select * from core.core_approval where purpose = %s and request_key = %s for update"
_READ = "select *, expires_at < now() as is_expired from core.core_approval where approval_id = %s for update"
_DECIDE = """
update core.core_approval set state = %s, decided_by = %s, decided_at = now() where approval_id = %s
"""
_USE = "update core.core_approval set state = %s, used_at = now(), used_by_run = %s where approval_id = %s"


class ApprovalError(RuntimeError):
    """An approval that does not allow what is asked; the message says why and what to do. Nothing was done."""


@dataclass(frozen=True)
class Approval:
    """An approval as it stands. `decided_by` is None while nobody has spoken, and where nobody had to."""

    approval_id: int
    state: ApprovalState
    figures_hash: str
    requested_by: str
    decided_by: str | None
    expires_at: datetime


def figures_hash(figures: Any) -> str:
    """sha256 of a JSON value in one form: keys sorted, no blanks. Money in it is text, never a float."""
    text = json.dumps(figures, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def request(
    conn: WarehouseConnection, purpose: str, request_key: str, figures: Any, run: RunContext, *, needed: bool
) -> Approval:
    """Ask once for an approval of `figures`; `needed` False records that the rules ask for none.

    The same key again finds what was asked; other figures under it raise ApprovalError.
    """
    digest = figures_hash(figures)
    values = {
        "purpose": purpose, "request_key": request_key, "figures": Jsonb(figures), "figures_hash": digest,
        "state": ApprovalState.REQUESTED if needed else ApprovalState.NOT_NEEDED,
        "requested_by": run.actor, "run": run.label, "valid_for": VALID_FOR,
    }  # fmt: skip
    conn.execute(_REQUEST, values)
    row = conn.execute(_FIND, (purpose, request_key)).fetchone()
    if row is None or row["figures_hash"] != digest:
        raise ApprovalError(f"{purpose} {request_key} was asked for with other figures: start a new run")
    return _approval(row)


def decide(conn: WarehouseConnection, approval_id: int, decided_by: str, *, approved: bool) -> Approval:
    """Record what a person decided. Raises ApprovalError if that is the requester or nobody, or it is too late."""
    row = _read(conn, approval_id)
    if not decided_by.strip():
        raise ApprovalError(
            f"approval {approval_id}: Airflow does not say who answered, so it is no approval"
        )
    if decided_by.strip().lower() == row["requested_by"].strip().lower():
        raise ApprovalError(
            f"approval {approval_id}: {decided_by} asked for it, so another person must approve: trigger anew"
        )
    if row["is_expired"]:
        raise ApprovalError(
            f"approval {approval_id} expired at {row['expires_at']:%Y-%m-%d %H:%M} UTC: trigger anew"
        )
    new = ApprovalState.APPROVED if approved else ApprovalState.REJECTED
    if row["state"] == new and row["decided_by"] == decided_by:
        return _approval(row)
    conn.execute(_DECIDE, (advance(ApprovalState(row["state"]), new), decided_by, approval_id))
    return _approval(_read(conn, approval_id))


def use(conn: WarehouseConnection, approval_id: int, figures: Any, run: RunContext, *, needed: bool) -> bool:
    """Use an approval for `figures` in the caller's transaction; False if this was done before.

    `needed` is the executor's own reading of the rule, whatever was recorded. Raises ApprovalError unless everything
    holds.
    """
    row = _read(conn, approval_id)
    state = ApprovalState(row["state"])
    if row["figures_hash"] != figures_hash(figures):
        raise ApprovalError(f"approval {approval_id} is of other figures: nothing was posted. Trigger anew")
    if state is ApprovalState.USED:
        return False
    if needed or state is not ApprovalState.NOT_NEEDED:
        _check_approved(row)
    conn.execute(_USE, (advance(state, ApprovalState.USED), run.label, approval_id))
    return True


def stands(row: Row, figures: Any, *, needed: bool) -> bool:
    """Whether a used approval (a row of core_approval) covers `figures`, for whoever acts on what it let in."""
    second_person = row["decided_by"] is not None and row["decided_by"].lower() != row["requested_by"].lower()
    same = row["state"] == ApprovalState.USED and row["figures_hash"] == figures_hash(figures)
    return same and (second_person or not needed)


def _check_approved(row: Row) -> None:
    name = f"approval {row['approval_id']}"
    if row["state"] != ApprovalState.APPROVED:
        raise ApprovalError(
            f"{name} is {row['state']}, not approved: a task marked as success approves nothing"
        )
    if row["decided_by"].lower() == row["requested_by"].lower():
        raise ApprovalError(f"{name}: requester and approver are both {row['decided_by']}")
    if row["is_expired"]:
        raise ApprovalError(f"{name} expired at {row['expires_at']:%Y-%m-%d %H:%M} UTC: trigger anew")


def _read(conn: WarehouseConnection, approval_id: int) -> Row:
    row = conn.execute(_READ, (approval_id,)).fetchone()
    if row is None:
        raise ApprovalError(f"there is no approval {approval_id}")
    return row


def _approval(row: Row) -> Approval:
    return Approval(
        row["approval_id"], ApprovalState(row["state"]), row["figures_hash"], row["requested_by"], row["decided_by"],
        row["expires_at"],
    )  # fmt: skip
