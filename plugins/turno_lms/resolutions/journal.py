"""The record of a resolution: every step, person, time and figure, append-only (core.core_resolution_event)."""

from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.runs import RunContext
from turno_lms.resolutions.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection

_EVENTS = "select * from core.core_resolution_event where resolution_ref = %s order by event_id"


def note(
    conn: WarehouseConnection, ref: str, loan_id: str, event: str, run: RunContext, /, **detail: Any
) -> None:
    """Append one event in the caller's transaction. Rupees in `detail` are canonical text, days ISO text."""
    values = {
        "ref": ref, "loan_id": loan_id, "event": event, "actor": run.actor, "run": run.label,
        "detail": Jsonb({name: _plain(value) for name, value in detail.items() if value is not None}),
    }  # fmt: skip
    conn.execute(STATEMENTS["note_event"], values)


def events_of(conn: WarehouseConnection, ref: str) -> list[Row]:
    """Everything that was recorded about a resolution, in order."""
    return conn.execute(_EVENTS, (ref,)).fetchall()


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | str | list | dict) else str(value)
