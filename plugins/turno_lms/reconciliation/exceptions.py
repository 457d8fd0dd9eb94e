"""The life of exceptions, whichever room opened them: assigned, waiting, resolved, written off, opened again.

Each action takes any number of exceptions and does all of them or none. What was done, by whom and why stays in
`core.core_recon_exception_event`, which the table's own trigger writes. A question about where money goes is answered
where money is decided; here it can be assigned, noted and waited for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from turno_lms.domain.dates import IST
from turno_lms.domain.states import ExceptionKind, ExceptionLife, IllegalTransitionError, advance
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Row, WarehouseConnection

CLOSED = frozenset({ExceptionLife.RESOLVED, ExceptionLife.CLEARED, ExceptionLife.WRITTEN_OFF})
MOST_AT_ONCE = 5000
"""Exceptions that one action may take."""

DECIDED_ELSEWHERE: dict[str, str] = {
    ExceptionKind.POSSIBLE_DUPLICATE: "turno payments release or link",
    ExceptionKind.IDENTITY_CONFLICT: "turno payments release or link",
    ExceptionKind.SUPERSEDED_ROW: "turno files keep or withdraw",
    ExceptionKind.POSTING_FAILED: "turno posting repost",
    ExceptionKind.POSTING_IN_DOUBT: "turno posting settle",
    ExceptionKind.OVERPAID: "the form decide_repayment",
    ExceptionKind.RETURNED_AFTER_POSTING: "turno posting reverse or keep",
    ExceptionKind.BOUNCED_AFTER_POSTING: "turno posting reverse or keep",
    ExceptionKind.PROOF_DIFFERENCE: "the next proof, once Fineract or the ledger is put right",
    ExceptionKind.CONTESTED_MATCH: "turno exceptions unmatch, or a manual repayment",
}
"""Kinds that are not closed by a word here, and what closes them."""


class ExceptionActionError(ValueError):
    """An action that may not be done; the message names the exception and what to do instead. Nothing was done."""


@dataclass(frozen=True)
class Filter:
    """Which exceptions: everything that is set must hold. Rupees and days are at least."""

    ids: Sequence[int] | None = None
    lender: str | None = None
    kind: str | None = None
    life: str | None = None
    owner: str | None = None
    class_: str | None = None
    loan_id: str | None = None
    only_open: bool = True
    only_overdue: bool = False
    min_age_days: int = 0
    min_rupees: Decimal | None = None
    limit: int = MOST_AT_ONCE


def find(conn: WarehouseConnection, wanted: Filter) -> list[Row]:
    """Exceptions with their life, age in days (IST), ageing bucket and deadline, the most rupees first."""
    values = {**vars(wanted), "class": wanted.class_, "ids": list(wanted.ids) if wanted.ids else None}
    return conn.execute(STATEMENTS["find_exceptions"], values).fetchall()


def history(conn: WarehouseConnection, exception_id: int) -> list[Row]:
    """Every step of one exception, the first one first."""
    return conn.execute(STATEMENTS["show_events"], {"id": exception_id}).fetchall()


def assign(
    conn: WarehouseConnection, ids: Sequence[int], owner: str, actor: str, note: str | None = None
) -> int:
    """Give exceptions to a person; returns how many."""
    if not owner.strip():
        raise ExceptionActionError("say who is to look at them")
    return _handle(conn, ids, ExceptionLife.ASSIGNED, actor, note=note, owner=owner.strip())


def wait(conn: WarehouseConnection, ids: Sequence[int], until: date, note: str, actor: str) -> int:
    """Say that exceptions wait for somebody else until a day (IST); the note says for whom and what."""
    _need_reason(note)
    return _handle(conn, ids, ExceptionLife.WAITING, actor, note=note, until=until)


def add_note(conn: WarehouseConnection, ids: Sequence[int], note: str, actor: str) -> int:
    """Add a note to exceptions, open or closed ones alike; their life goes on as it was."""
    _need_reason(note)
    with conn.transaction():
        picked = _pick(conn, ids)
        conn.execute(
            "update core.core_recon_exception set note = %s, handled_by = %s where exception_id = any(%s)",
            (note, actor, [row["exception_id"] for row in picked]),
        )
    return len(picked)


def resolve(conn: WarehouseConnection, ids: Sequence[int], reason: str, actor: str) -> int:
    """Close exceptions that are explained. They stay closed for as long as the rupees are the same."""
    _need_reason(reason)
    return _handle(conn, ids, ExceptionLife.RESOLVED, actor, note=reason)


def write_off(conn: WarehouseConnection, ids: Sequence[int], reason: str, actor: str) -> int:
    """Close exceptions whose difference is given up. No money moves: neither here nor in Fineract."""
    _need_reason(reason)
    return _handle(conn, ids, ExceptionLife.WRITTEN_OFF, actor, note=reason)


def reopen(conn: WarehouseConnection, ids: Sequence[int], reason: str, actor: str) -> int:
    """Open again what a person closed. What new data cleared comes back with new data only."""
    _need_reason(reason)
    return _handle(conn, ids, ExceptionLife.OPEN, actor, note=reason)


def as_of(conn: WarehouseConnection, day: date, lender: str | None = None) -> dict[str, list[Row]]:
    """How reconciliation stood at the end of a day (IST): the exceptions that were open, and the matches by rule."""
    values: dict[str, Any] = {"moment": end_of(day), "lender": lender}
    return {
        "exceptions": conn.execute(STATEMENTS["exceptions_as_of"], values).fetchall(),
        "matches": conn.execute(STATEMENTS["matches_as_of"], values).fetchall(),
    }


def end_of(day: date) -> datetime:
    """The first moment after a day in India."""
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=IST)


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise ExceptionActionError("say why: it is kept with the exception")


def _handle(
    conn: WarehouseConnection,
    ids: Sequence[int],
    life: ExceptionLife,
    actor: str,
    *,
    note: str | None = None,
    owner: str | None = None,
    until: date | None = None,
) -> int:
    """Move exceptions on, all or none, and announce the payments whose status that changes."""
    with conn.transaction():
        picked = _pick(conn, ids)
        for row in picked:
            _check(conn, row, life)
        values = {
            "ids": [row["exception_id"] for row in picked], "life": life, "closed": life in CLOSED, "note": note,
            "owner": owner, "until": until, "actor": actor,
        }  # fmt: skip
        conn.execute(STATEMENTS["handle_exceptions"], values)
        record_changes(conn, "reconciliation", [row["subject"] for row in picked])
    return len(picked)


def _pick(conn: WarehouseConnection, ids: Sequence[int]) -> list[Row]:
    wanted = sorted(set(ids))
    if not wanted or len(wanted) > MOST_AT_ONCE:
        raise ExceptionActionError(f"name 1 to {MOST_AT_ONCE} exceptions, not {len(wanted)}")
    picked = conn.execute(STATEMENTS["pick_exceptions"], {"ids": wanted}).fetchall()
    if missing := sorted(set(wanted) - {row["exception_id"] for row in picked}):
        raise ExceptionActionError(f"there is no exception {missing[0]}")
    return picked


def _check(conn: WarehouseConnection, row: Row, life: ExceptionLife) -> None:
    name = f"exception {row['exception_id']} ({row['kind']})"
    current = ExceptionLife(row["progress"] if row["state"] == "open" else row["state"])
    try:
        advance(current, life)
    except IllegalTransitionError:
        raise ExceptionActionError(f"{name} is {current}: it cannot become {life}") from None
    if life in CLOSED and row["kind"] in DECIDED_ELSEWHERE:
        raise ExceptionActionError(f"{name} is about where money goes: use {DECIDED_ELSEWHERE[row['kind']]}")
    if current in CLOSED and _is_asked_again(conn, row):
        raise ExceptionActionError(f"{name}: the same is open again already under another number")


def _is_asked_again(conn: WarehouseConnection, row: Row) -> bool:
    query = "select 1 from core.core_recon_exception where kind = %s and subject = %s and state = 'open'"
    return conn.execute(query, (row["kind"], row["subject"])).fetchone() is not None
