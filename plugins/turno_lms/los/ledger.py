"""The state of submissions in the warehouse: claimed, taken, kept, ended, as the table of states allows."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.dates import IST
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LosState, advance
from turno_lms.fineract.leases import Lease
from turno_lms.los.model import Again, Done, Ending, Hold, Row, Wait
from turno_lms.los.registry import REGISTRY
from turno_lms.los.statements import STATEMENTS
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import WarehouseConnection


@dataclass(frozen=True)
class Claimed:
    """How many submissions were new."""

    claimed: int

    def to_dict(self) -> dict[str, int]:
        """For XCom."""
        return {"claimed": self.claimed}


def claim(conn: WarehouseConnection, run: RunContext) -> Claimed:
    """Make a row of state for every new submission, in one transaction. Run twice: nothing."""
    operations = list(REGISTRY.values())
    values = {
        "operations": [operation.name for operation in operations],
        "kinds": [operation.subject.value for operation in operations],
        "run": run.label,
    }
    with conn.transaction():
        return Claimed(conn.execute(STATEMENTS["claim"], values).rowcount)


def due_subjects(conn: WarehouseConnection, kind: str, subjects: list[str] | None = None) -> list[str]:
    """The clients (`client`) or loans (`loan`) with something to try, the longest submitted first."""
    values = {"kind": kind, "subjects": subjects}
    return [row["subject"] for row in conn.execute(STATEMENTS["due_subjects"], values)]


def seconds_until_due(conn: WarehouseConnection, subjects: list[str]) -> float | None:
    """When something of these subjects may be tried again, None when they are through or wait for others."""
    row = conn.execute(STATEMENTS["next_due"], {"subjects": subjects}).fetchone()
    seconds = (row or {})["seconds"]
    return None if seconds is None else max(float(seconds), 0.0)


def open_rows(conn: WarehouseConnection, subject: str) -> list[Row]:
    """What is open of a subject."""
    return [
        Row(
            operation=row["operation"],
            submission_id=row["submission_id"],
            caller=row["caller"],
            reference=row["reference"],
            payload=row["payload"],
            submitted_at=row["submitted_at"],
            state=LosState(row["state"]),
            attempt=row["attempt"],
            tries=row["tries"],
            accepted_reasons=frozenset(row["accepted_reasons"]),
            is_due=row["is_due"],
        )
        for row in conn.execute(STATEMENTS["open_rows"], {"subject": subject})
    ]


def mark_in_flight(conn: WarehouseConnection, row: Row, lease: Lease) -> None:
    """Note that the row is about to be sent, under the lease's fence."""
    conn.execute(
        STATEMENTS["mark_in_flight"],
        {**_key(row), "state": advance(row.state, LosState.IN_FLIGHT), "fence": lease.fence},
    )


def keep_waiting(
    conn: WarehouseConnection, row: Row, wait: Wait, message: str, seconds: float | None = None
) -> None:
    """The row waits for something else; `message` may say more than the wait itself. Without `seconds` it is looked at
    again the later the longer it waits.
    """
    not_before = datetime.combine(wait.until, time(0, 5), IST) if wait.until else None
    _keep(conn, row, LosState.WAITING, wait.reason, message, not_before=not_before, seconds=seconds)


def keep_trying(conn: WarehouseConnection, row: Row, again: Again, seconds: float) -> None:
    """The row is looked up and tried again after `seconds`."""
    _keep(conn, row, again.state, None, again.message, seconds=seconds, spent=int(again.next_attempt))


def _keep(
    conn: WarehouseConnection,
    row: Row,
    state: LosState,
    reason: str | None,
    message: str,
    *,
    not_before: datetime | None = None,
    seconds: float | None = None,
    spent: int = 0,
) -> None:
    values = {
        **_key(row), "state": advance(row.state, state), "reason": reason, "message": message,
        "not_before": not_before, "seconds": seconds, "spent": spent,
    }  # fmt: skip
    conn.execute(STATEMENTS["keep"], values)


def end(conn: WarehouseConnection, row: Row, outcome: Ending, run: RunContext) -> None:
    """The row is through, or a person must look at it."""
    values: dict[str, Any] = {
        **_key(row), "reason": None, "message": None, "detail": Jsonb({}), "result": None, "is_recognised": False,
        "run": run.label,
    }  # fmt: skip
    if isinstance(outcome, Done):
        state = LosState.DONE
        values |= {"result": Jsonb(outcome.result), "is_recognised": outcome.recognised}
    else:
        state = LosState.HELD if isinstance(outcome, Hold) else LosState.REFUSED
        values |= {"reason": outcome.reason, "message": outcome.message}
        if isinstance(outcome, Hold):
            values["detail"] = Jsonb(outcome.detail)
    conn.execute(STATEMENTS["end"], {**values, "state": advance(row.state, state)})


def wake(conn: WarehouseConnection, row: Row, subject: str) -> None:
    """Let what waited for this client or loan be looked at again, and the loan master be built anew."""
    if "loan_id" in row.payload:
        record_changes(conn, "loan", [row.payload["loan_id"]])
    client_id = row.payload["client_id"] if subject.startswith("client:") else None
    conn.execute(STATEMENTS["wake"], {"client_id": client_id, "subject": subject})


def _key(row: Row) -> dict[str, Any]:
    return {"operation": row.operation, "submission_id": row.submission_id}
