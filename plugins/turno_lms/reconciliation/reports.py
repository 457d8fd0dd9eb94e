"""How reconciliation stands: the daily summary, tables that are safe to open, and channels that are not as usual."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.dates import ist_date
from turno_lms.domain.runs import RunContext
from turno_lms.domain.spreadsheets import Cell, safe_cell
from turno_lms.fineract import exact_json
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection

LEAST_PAYMENTS = 20
"""Payments a day below which a change of their number says nothing."""
_LEAVE_OUT = frozenset({"handled_by", "opened_by_run", "state", "progress"})
_DAILY = "select * from core.core_recon_daily where day = %s order by lender, measure desc, status, age"


@dataclass(frozen=True)
class Unusual:
    """A channel that was silent on a day, or said much more or less than usual. Rupees and payments of that day."""

    exception_id: int
    lender: str
    channel: str
    kind: str
    told: str


def today() -> date:
    """The day in India."""
    return ist_date(datetime.now(UTC))


def take_daily(conn: WarehouseConnection, day: date, run: RunContext) -> int:
    """Write the summary of a day (IST), in place of an earlier one of that day; returns its rows."""
    with conn.transaction():
        conn.execute("delete from core.core_recon_daily where day = %s", (day,))
        return conn.execute(STATEMENTS["take_daily"], {"day": day, "run": run.label}).rowcount


def daily(conn: WarehouseConnection, day: date) -> list[Row]:
    """The summary of a day: counts and rupees by lender, status and age."""
    return conn.execute(_DAILY, (day,)).fetchall()


def by_day(conn: WarehouseConnection, last: date, days: int) -> list[Row]:
    """How payments stood on the `days` days (IST) up to `last`, as far as they have a summary.

    Rupees matched, expected, mismatched and resolved by a person, and the number of payments that do not agree.
    """
    return conn.execute(STATEMENTS["stood_by_day"], {"last": last, "days": days}).fetchall()


def matches_of_loan(conn: WarehouseConnection, loan_id: str) -> list[Row]:
    """Every member of every match of a loan, with the rule and the distances."""
    return conn.execute(STATEMENTS["matches_of_loan"], {"loan_id": loan_id.strip().upper()}).fetchall()


def find_unusual(conn: WarehouseConnection, day: date, run: RunContext) -> list[Unusual]:
    """Channels that were not as usual on a complete day (IST), each an exception; returns those asked about just now.

    A stale one clears when the channel reports again. Safe to run again: a day is asked about once.
    """
    with conn.transaction():
        conn.execute(STATEMENTS["clear_stale"], {"run": run.label})
        rows = conn.execute(
            STATEMENTS["unusual_channels"], {"day": day, "least_payments": LEAST_PAYMENTS}
        ).fetchall()
        return [found for row in rows if (found := _ask(conn, row, day, run))]


def _ask(conn: WarehouseConnection, row: Row, day: date, run: RunContext) -> Unusual | None:
    told = (
        f"{row['lender']} {row['channel']} on {day}: {row['payments']} payments, {row['rupees']} rupees; usual are "
        f"{row['usual_payments']} and {row['usual_rupees']}"
    )
    detail = {
        "channel": row["channel"], "day": day.isoformat(), "payments": row["payments"],
        "usual_payments": row["usual_payments"], "usual_rupees": str(row["usual_rupees"]),
    }  # fmt: skip
    values = {
        "kind": row["kind"], "subject": f"{row['lender']}/{row['channel']}/{day}", "lender": row["lender"],
        "amount": row["rupees"], "detail": Jsonb(detail), "run": run.label,
    }  # fmt: skip
    opened = conn.execute(STATEMENTS["open_unusual"], values).fetchone()
    return (
        Unusual(opened["exception_id"], row["lender"], row["channel"], row["kind"], told) if opened else None
    )


def last_complete_day() -> date:
    """Yesterday in India."""
    return today() - timedelta(days=1)


def table_of(rows: Sequence[Row]) -> list[list[Cell]]:
    """Rows as a table with a heading, every cell safe to open in a spreadsheet program; moments are in UTC."""
    names = [name for name in rows[0] if name not in _LEAVE_OUT] if rows else []
    return [list(names), *([safe_cell(_cell(row[name])) for name in names] for row in rows)]


def _cell(value: Any) -> Cell:
    if isinstance(value, dict | list):
        return exact_json.dumps(value)
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def write_workbook(path: Path, table: Sequence[Sequence[Cell]]) -> None:
    """Write a table as an XLSX; rupees stay numbers."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("exceptions")
    for row in table:
        sheet.append(list(row))
    book.save(path)
