"""kill -9 in the middle of a load leaves nothing half, and the next run ends where an undisturbed one does."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import pytest
from psycopg import sql

from tests.ingestion.files import GB_PREFIX, Loads, debit, gb_csv
from tests.ingestion.loading_process import APPLICATION
from turno_lms.warehouse.connection import Role, WarehouseConnection

pytestmark = pytest.mark.faults

STATE = "select state, rows_accepted, rows_rejected from raw.raw_s3_file_processing_log order by file_id"
LANDED: LiteralString = """
select payment_id, amount, _row_number from raw.raw_payment_file
union all
select reason_code, raw_text, row_number from raw.raw_rejected_records
order by 3, 1
"""
WAITING = (
    "select count(*) as n from pg_stat_activity where application_name = %s and wait_event_type = 'Lock'"
)
OPEN = "select count(*) as n from pg_stat_activity where application_name = %s"
ROWS = [debit(reference=f"T{number}") for number in range(20)]
FILE = gb_csv(*ROWS, debit(day="8 January", reference="B1"), debit(reference="T0"))
EARLIER = gb_csv(debit(reference="T3"))


@contextmanager
def holding(conn: WarehouseConnection, table: str) -> Iterator[None]:
    """Keep everybody else off a table, so that a load stops where it first needs it."""
    with conn.transaction(force_rollback=True):
        conn.execute(sql.SQL("lock table {} in access exclusive mode").format(sql.Identifier("raw", table)))
        yield


def wait_for(loads: Loads, query: Any, count: int) -> None:
    """Poll in transactions of their own: inside one, PostgreSQL shows the same activity for ever."""
    deadline = time.monotonic() + 60
    while loads.rows(query, APPLICATION) != [(count,)]:
        assert time.monotonic() < deadline, f"{query}: not {count} within a minute"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "stopped_at",
    ["raw_rejected_records", "raw_payment_file", "raw_umrn_master"],
    ids=["while setting rows aside", "while comparing with earlier files", "while adding the payments"],
)
def test_a_killed_load_leaves_nothing_half_and_is_taken_up_again(
    loads: Loads,
    warehouse: WarehouseConnection,
    warehouse_role_url: Callable[[str], str],
    s3_url: str,
    stopped_at: str,
) -> None:
    loads.gb(EARLIER, "earlier.csv")
    before = loads.rows(LANDED)
    file = loads.put(f"{GB_PREFIX}a.csv", FILE)
    command = [
        sys.executable,
        "-m",
        "tests.ingestion.loading_process",
        warehouse_role_url(Role.INGESTION),
        s3_url,
    ]
    with holding(warehouse, stopped_at):
        process = subprocess.Popen(command)
        wait_for(loads, WAITING, 1)
        process.kill()
        assert process.wait() == -9
    wait_for(loads, OPEN, 0)
    assert loads.rows(STATE) == [("loaded", 1, 0), ("archived", None, None)]
    assert loads.rows(LANDED) == before

    subprocess.run(command, check=True, timeout=120)
    # 20 rows of which T3 was loaded before, one bad date, one duplicate of T0
    assert loads.rows(STATE) == [("loaded", 1, 0), ("loaded", 19, 1)]
    assert len(loads.rows(LANDED)) == len(before) + 22
    assert loads.ingest(file).rows_accepted == 19
