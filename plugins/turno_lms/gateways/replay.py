"""Replay: have stored webhooks derived anew, one, a range or a filter, and dead letters tried again. Audited.

RAW is never changed. A replay writes which events it means (core.core_gateway_replay_event), and the next
build_warehouse reads those again as if they had just landed: for rules or code that were wrong when they came. A dead
letter that can be read now lands as the event that it always was. Whatever is replayed, a payment keeps its identity,
so nothing is posted twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from turno_lms.domain.runs import RunContext
from turno_lms.gateways.dead_letters import readable_text
from turno_lms.gateways.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection

GATEWAYS = ("razorpay", "cashfree")
MOST_EVENTS = 20_000
"""More than this is a rebuild: `dbt build --full-refresh` derives everything anew and loses nothing."""
_CONDITIONS = {
    "lender": "landed.lender = %(lender)s",
    "event_key": "landed.event_key = %(event_key)s",
    "event_keys": "landed.event_key = any(%(event_keys)s)",
    "event_type": "landed.event_type = %(event_type)s",
    "received_from": "landed.received_at >= %(received_from)s",
    "received_until": "landed.received_at < %(received_until)s",
    "conflicting": "landed.conflicting",
    "stale": "landed.stale",
    "payment_id": (
        "exists (select 1 from base.base_{gateway}_event as event"
        " where event.gateway_payment_reference = '{gateway}:' || %(payment_id)s"
        " and (event.lender, event.event_key, event.body_sha256)"
        " = (landed.lender, landed.event_key, landed.body_sha256))"
    ),
}
_ONLY_EVENTS = {"event_type", "conflicting", "payment_id"}
"""What a dead letter does not have; a selection by one of these means no dead letters."""


class ReplayError(ValueError):
    """A replay that may not be made; the message says why and what to do instead."""


@dataclass(frozen=True)
class Selection:
    """Which webhooks are meant: those that fit all that is given. Times are aware; `received_until` is excluded."""

    gateway: str | None = None
    lender: str | None = None
    event_key: str | None = None
    event_keys: Sequence[str] = ()
    event_type: str | None = None
    payment_id: str | None = None
    received_from: datetime | None = None
    received_until: datetime | None = None
    conflicting: bool = False
    stale: bool = False

    def given(self) -> dict[str, Any]:
        """What is given, by name."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True)
class ReplayReport:
    """A replay: how many events it means, and what became of the dead letters that it tried again."""

    replay_id: int
    events: int
    dead_letters_landed: int
    dead_letters_left: int

    def to_dict(self) -> dict[str, int]:
        """As JSON for a log or an XCom."""
        return asdict(self)


def find_events(conn: WarehouseConnection, selection: Selection, most: int = MOST_EVENTS) -> list[Row]:
    """The stored events of a selection, the latest first, without their bodies. Raises ReplayError."""
    return [
        row for gateway in _gateways(selection) for row in conn.execute(*_events(gateway, selection, most))
    ]


def find_dead_letters(conn: WarehouseConnection, selection: Selection) -> list[Row]:
    """The open dead letters of a selection, the latest first; raises ReplayError."""
    _gateways(selection)
    if set(selection.given()) & _ONLY_EVENTS:
        return []
    names = [name for name in selection.given() if name != "gateway"]
    conditions = ["landed.fate = 'open'", *(_CONDITIONS[name] for name in names)]
    if selection.gateway:
        conditions.append("landed.gateway = %(gateway)s")
    query = "select * from raw.raw_webhook_dead_letter as landed where {} order by dead_letter_id desc"
    return conn.execute(sql.SQL(query).format(_all_of(conditions)), asdict(selection)).fetchall()


def count_selected(conn: WarehouseConnection, selection: Selection) -> dict[str, int]:
    """How many events and open dead letters a selection means; more than MOST_EVENTS are not counted. ReplayError."""
    events = find_events(conn, selection, MOST_EVENTS + 1)
    return {"events": len(events), "dead_letters": len(find_dead_letters(conn, selection))}


def replay(conn: WarehouseConnection, selection: Selection, reason: str, run: RunContext) -> ReplayReport:
    """Have the selection's events derived anew and its dead letters tried again, in one transaction, with an audit row.

    Raises ReplayError for a selection of everything, of too much or of nothing, and without a reason.
    """
    if not reason.strip():
        raise ReplayError("a replay needs a reason; it is kept with it")
    with conn.transaction():
        events = find_events(conn, selection, MOST_EVENTS + 1)
        letters = find_dead_letters(conn, selection)
        if not events and not letters:
            raise ReplayError("no stored event and no open dead letter fits the selection")
        if len(events) > MOST_EVENTS:
            raise ReplayError(
                f"more than {MOST_EVENTS} events fit: narrow the selection, or run dbt build --full-refresh"
            )
        landed = sum(_land_letter(conn, letter, reason, run) for letter in letters)
        left = len(letters) - landed
        report = _record(conn, selection, reason, run, events=len(events), landed=landed, left=left)
        values = [{"replay_id": report.replay_id, **row} for row in events]
        with conn.cursor() as cursor:
            cursor.executemany(STATEMENTS["record_replay_event"], values)
    return report


def discard(conn: WarehouseConnection, dead_letter_id: int, reason: str, actor: str) -> None:
    """Give up an open dead letter; it stays, with the reason. Raises ReplayError."""
    if not reason.strip():
        raise ReplayError("to discard a dead letter needs a reason; it is kept with it")
    values = {"id": dead_letter_id, "reason": reason, "actor": actor, "fate": "discarded"}
    if conn.execute(STATEMENTS["end_dead_letter"], values).rowcount != 1:
        raise ReplayError(f"{dead_letter_id} is no open dead letter")


def _gateways(selection: Selection) -> tuple[str, ...]:
    if not set(selection.given()) - {"gateway", "lender"}:
        raise ReplayError(
            "say which events: an event key, a payment, a type, a time, conflicting or stale ones; "
            "to derive everything anew run dbt build --full-refresh"
        )
    if selection.gateway and selection.gateway not in GATEWAYS:
        raise ReplayError(f"{selection.gateway!r} is no gateway; known: {', '.join(GATEWAYS)}")
    return (selection.gateway,) if selection.gateway else GATEWAYS


def _events(gateway: str, selection: Selection, most: int) -> tuple[sql.Composed, dict[str, Any]]:
    names = [name for name in selection.given() if name != "gateway"]
    conditions = [_CONDITIONS[name].format(gateway=gateway) for name in names]
    query = sql.SQL(STATEMENTS["find_events"]).format(
        gateway=sql.Literal(gateway),
        table=sql.Identifier("raw", f"raw_{gateway}_api"),
        conditions=_all_of(conditions),
    )
    return query, asdict(selection) | {"most": most}


def _all_of(conditions: list[str]) -> sql.Composed:
    return sql.SQL(" and ").join(map(sql.SQL, conditions))


def _land_letter(conn: WarehouseConnection, letter: Row, reason: str, run: RunContext) -> bool:
    """Land a dead letter if it can be read now; otherwise note the attempt."""
    text = readable_text(bytes(letter["body"]))
    values = {**letter, "payload": text, "id": letter["dead_letter_id"], "reason": reason, "actor": run.actor}
    try:
        with conn.transaction():
            kind = conn.execute("select jsonb_typeof(%s::jsonb) as kind", (text,)).fetchone()
            if (kind or {})["kind"] != "object":
                raise psycopg.DataError("a JSON value that is no object")
            table = sql.Identifier("raw", f"raw_{letter['gateway']}_api")
            conn.execute(sql.SQL(STATEMENTS["land_dead_letter"]).format(table=table), values)
    except (psycopg.DataError, psycopg.OperationalError) as error:
        values["error"] = str(error).splitlines()[0][:300]
        conn.execute(STATEMENTS["note_attempt"], values)
        return False
    conn.execute(STATEMENTS["end_dead_letter"], values | {"fate": "replayed"})
    return True


def _record(
    conn: WarehouseConnection,
    selection: Selection,
    reason: str,
    run: RunContext,
    *,
    events: int,
    landed: int,
    left: int,
) -> ReplayReport:
    shown = {name: str(value) for name, value in selection.given().items()}
    values = {
        "selection": Jsonb(shown),
        "reason": reason,
        "actor": run.actor,
        "run": run.label,
        "events": events,
        "landed": landed,
        "left": left,
    }
    row = conn.execute(STATEMENTS["record_replay"], values).fetchone()
    return ReplayReport((row or {})["replay_id"], events, landed, left)


def describe(rows: list[Row]) -> Iterator[str]:
    """One line per event or dead letter, without anything of its body."""
    for row in rows:
        flags = [name for name in ("stale", "conflicting") if row.get(name)]
        what = row.get("event_type") or row.get("reason_code") or "no type"
        yield "  ".join(
            [
                f"{row['received_at']:%Y-%m-%dT%H:%M:%SZ}",
                row["gateway"],
                row["lender"],
                row["event_key"],
                what,
                *flags,
            ]
        )
