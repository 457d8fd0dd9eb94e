"""What people decide about submissions that wait for them: let a mismatch pass, try again, drop. With a reason."""

from dataclasses import dataclass
from enum import StrEnum

from turno_lms.domain.states import RELEASABLE, LosReason, LosState, advance
from turno_lms.los.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection


class Action(StrEnum):
    """What can be decided."""

    RELEASE = "release"
    """The mismatch is meant: go on past this check."""
    RETRY = "retry"
    DROP = "drop"


class DecisionError(ValueError):
    """What cannot be decided so; the message says why."""


@dataclass(frozen=True)
class Named:
    """A submission as people name it."""

    operation: str
    reference: str
    caller: str | None = None


def decide(conn: WarehouseConnection, named: Named, action: Action, reason: str, person: str) -> Row:
    """Carry a decision out in one transaction. Raises DecisionError; returns the row as it was."""
    if len(reason.strip()) < 3:  # noqa: PLR2004  # shorter is no reason
        raise DecisionError("say why: the reason stays with the row")
    with conn.transaction():
        row = _one(conn, named)
        state = LosState(row["state"])
        accepted = _accepted(row) if action is Action.RELEASE else None
        if action is Action.DROP and state in {LosState.IN_FLIGHT, LosState.UNKNOWN}:
            raise DecisionError(f"{named.reference} may be in Fineract already: let it be looked up first")
        wanted = LosState.DROPPED if action is Action.DROP else LosState.QUEUED
        if action is not Action.DROP and state not in {LosState.HELD, LosState.REFUSED}:
            raise DecisionError(
                f"{named.reference} is {state}: only what is held or refused can be tried again"
            )
        values = {
            "operation": row["operation"], "submission_id": row["submission_id"], "state": advance(state, wanted),
            "accepted": accepted, "decided_by": person, "decision_reason": reason,
        }  # fmt: skip
        conn.execute(STATEMENTS["decide"], values)
    return row


def _one(conn: WarehouseConnection, named: Named) -> Row:
    found = rows(conn, operation=named.operation, reference=named.reference, caller=named.caller)
    if not found:
        raise DecisionError(f"there is no {named.operation} under the reference {named.reference}")
    if len(found) > 1:
        callers = ", ".join(row["caller"] for row in found)
        raise DecisionError(f"several callers have the reference {named.reference} ({callers}): name one")
    return found[0]


def _accepted(row: Row) -> str:
    if row["reason"] not in set(RELEASABLE):
        releasable = ", ".join(sorted(RELEASABLE))
        raise DecisionError(
            f"{row['reference']} is held for {row['reason']}; only {releasable} can be let pass"
        )
    return LosReason(row["reason"]).value


def rows(conn: WarehouseConnection, **wanted: str | int | None) -> list[Row]:
    """Submissions with their state: `operation`, `reference`, `caller`, `state` and `loan_id` narrow it down."""
    nothing = dict.fromkeys(("operation", "reference", "caller", "state", "loan_id"))
    return conn.execute(STATEMENTS["find_rows"], {**nothing, "limit": 200, **wanted}).fetchall()
