"""What a person decides about a key where the identity step would not: other money, or the same money."""

from turno_lms.domain.states import ExceptionKind
from turno_lms.identity.assign import LOCK
from turno_lms.identity.statements import STATEMENTS
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Row, WarehouseConnection

DECIDABLE_KINDS = [ExceptionKind.POSSIBLE_DUPLICATE, ExceptionKind.IDENTITY_CONFLICT]
"""The questions about a posting key that a release or a link answers."""


class DecisionError(ValueError):
    """A decision that may not be made; the message says why and what can be done instead."""


def release(conn: WarehouseConnection, posting_key: str, reason: str, actor: str) -> None:
    """Say that a held or conflicting payment is real money of its own, as frozen: it may be posted.

    Raises DecisionError when the key is unknown, linked to another, or waits for nobody.
    """
    with conn.transaction():
        standing = _lock_and_look(conn, posting_key)
        if standing["decision"] == "link":
            raise DecisionError(
                f"{posting_key} is linked to {standing['linked_posting_key']}: release that instead"
            )
        _refuse_without_question(standing)
        _decide(conn, "release", {"key": posting_key, "to": None, "reason": reason, "actor": actor})


def link(conn: WarehouseConnection, posting_key: str, to: str, reason: str, actor: str) -> None:
    """Say that a held or conflicting payment is the same money as `to`: it is never posted under its own key.

    What was linked to `posting_key` before follows it. Raises DecisionError when a key is unknown or linked already,
    when `posting_key` was released or waits for nobody, when its posting has begun, and while it still may begin: the
    conflict is newer than the last build of core_transaction_data.
    """
    with conn.transaction():
        standing, target = _lock_and_look(conn, posting_key), _lock_and_look(conn, to)
        if posting_key == to:
            raise DecisionError(f"{posting_key} cannot be linked to itself")
        if target["decision"] == "link":
            raise DecisionError(f"{to} is itself linked: link to {target['linked_posting_key']} instead")
        if standing["decision"]:
            raise DecisionError(
                f"{posting_key} is decided already ({standing['decision']}), and a decision stands"
            )
        if standing["is_in_posting"]:
            raise DecisionError(
                f"{posting_key} is posted or being posted: have it reversed in Fineract first"
            )
        _refuse_without_question(standing)
        if standing["may_be_posted"]:
            raise DecisionError(
                f"core_transaction_data still lets {posting_key} be posted: run build_warehouse, then link it"
            )
        conn.execute(STATEMENTS["follow_link"], {"key": posting_key, "to": to})
        _decide(conn, "link", {"key": posting_key, "to": to, "reason": reason, "actor": actor})


def _lock_and_look(conn: WarehouseConnection, posting_key: str) -> Row:
    conn.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
    values = {"key": posting_key, "decidable_kinds": DECIDABLE_KINDS}
    standing = conn.execute(STATEMENTS["standing"], values).fetchone()
    if standing is None:
        raise DecisionError(
            f"{posting_key} is no posting key; `turno payments show` takes native references too"
        )
    return standing


def _refuse_without_question(standing: Row) -> None:
    if not standing["waits_for_a_person"]:
        raise DecisionError(
            f"{standing['posting_key']} waits for nobody: it is neither a possible duplicate nor in conflict"
        )


def _decide(conn: WarehouseConnection, decision: str, values: dict[str, str | None]) -> None:
    """Record a decision, close the questions it answers and announce it; `values` has key, to, reason and actor."""
    if not (values["reason"] or "").strip():
        raise DecisionError("a decision about money needs a reason")
    parameters = {**values, "decision": decision, "decidable_kinds": DECIDABLE_KINDS}
    conn.execute(STATEMENTS["decide"], parameters)
    conn.execute(STATEMENTS["resolve_exceptions"], parameters)
    record_changes(conn, "decision", [key for key in (values["key"], values["to"]) if key])
