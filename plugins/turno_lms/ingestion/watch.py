"""The watch over expected files: which came late, early, empty or not at all, held against the processing log.

A file that is overdue is one open exception `file_overdue`, which clears by itself when the file comes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.dates import IST
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind
from turno_lms.ingestion import watch_queries
from turno_lms.lenders.calendar import Arrival, Slot, assign, judge, slots_between
from turno_lms.lenders.schema import Expected, Lender
from turno_lms.warehouse.connection import Row, WarehouseConnection

LOOK_BACK = timedelta(days=7)
"""How long a file is waited for: older deadlines stay as the last look found them."""


@dataclass(frozen=True)
class Watched:
    """One deadline of a file kind, and how it stands. `by` is in IST; `state` is the file's in the log."""

    lender: str
    kind: str
    by: str
    arrival: Arrival
    key: str | None
    state: str | None

    @property
    def subject(self) -> str:
        """What names the deadline among the exceptions."""
        return f"{self.lender}/{self.kind}/{self.by}"

    def to_text(self) -> str:
        """One line for a person."""
        came = f"{self.key} ({self.state})" if self.key else "nothing came"
        return f"{self.lender}.{self.kind} by {self.by}: {self.arrival}; {came}"


@dataclass(frozen=True)
class WatchReport:
    """All deadlines of the last days, and those that were found overdue just now."""

    deadlines: tuple[Watched, ...]
    newly_overdue: tuple[str, ...]
    cleared: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an XCom."""
        return asdict(self)


def watch_files(
    conn: WarehouseConnection, lenders: Iterable[Lender], at: datetime, run: RunContext
) -> WatchReport:
    """Compare what came with what was expected until `at` (aware); open and clear exceptions. Safe to repeat."""
    with conn.transaction():
        conn.execute(watch_queries.LOCK)
        deadlines = [watched for lender in lenders for watched in _watch_lender(conn, lender, at)]
        overdue = [one for one in deadlines if one.arrival in (Arrival.OVERDUE, Arrival.MISSING)]
        opened = [one for one in overdue if _open(conn, one, run)]
        values = {
            "kind": ExceptionKind.FILE_OVERDUE,
            "come": [one.subject for one in deadlines if one.key],
            "run": run.label,
        }
        cleared = conn.execute(watch_queries.CLEAR_OVERDUE, values).rowcount
    return WatchReport(tuple(deadlines), tuple(one.to_text() for one in opened), cleared)


def _watch_lender(conn: WarehouseConnection, lender: Lender, at: datetime) -> Iterator[Watched]:
    for name, kind in lender.files.items():
        if kind.expected:
            values = {"lender": lender.slug, "kind": name, "same_name": kind.same_name}
            yield from _watch_kind(conn, kind.expected, values, at)


def _watch_kind(
    conn: WarehouseConnection, expected: Expected, values: dict[str, str], at: datetime
) -> Iterator[Watched]:
    known = conn.execute(watch_queries.EXPECTED_SINCE, values).fetchone()
    since = known["since"] if known else None
    if since is None:
        return
    first = max(since, at - LOOK_BACK)
    files = conn.execute(watch_queries.ARRIVALS, {**values, "first": first - LOOK_BACK}).fetchall()
    by_id: dict[int, Row] = {file["file_id"]: file for file in files}
    slots = assign(slots_between(expected, first, at), [(file["file_id"], file["came_at"]) for file in files])
    for slot, arrival in judge(slots, at):
        yield _watched(values, slot, arrival, by_id.get(slot.file_id or 0))


def _watched(values: dict[str, str], slot: Slot, arrival: Arrival, file: Row | None) -> Watched:
    by = slot.deadline.astimezone(IST).strftime("%Y-%m-%d %H:%M")
    key, state = (file["key"], file["state"]) if file else (None, None)
    return Watched(values["lender"], values["kind"], by, arrival, key, state)


def _open(conn: WarehouseConnection, one: Watched, run: RunContext) -> bool:
    """Keep an open exception for what is overdue; tells whether it is new."""
    values = {
        "kind": ExceptionKind.FILE_OVERDUE,
        "subject": one.subject,
        "lender": one.lender,
        "detail": Jsonb({"kind": one.kind, "by": one.by, "arrival": one.arrival}),
        "run": run.label,
    }
    row = conn.execute(watch_queries.OPEN_OVERDUE, values).fetchone()
    return bool(row and row["is_new"])
