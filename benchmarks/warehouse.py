"""The money path as history grows: an increment of 10k rows onto millions over the same onto 50k.

The shipped path: dbt builds the base models and their tests, the identity step, dbt builds the core models and theirs.
History is written by set-based SQL straight into landing: NACH files addressed by mandate, and Razorpay's webhooks of
the newest of those debits. HISTORY sets its rows. `increment_ratio` compares whole increments, dbt's start-up
included; `net_ratio` leaves out what an increment of nothing costs on the same warehouse. `history_ratio` compares what
a row costs when the whole history is derived at once: about 1, unless some step compares everything with everything.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.services import postgres_server, warehouse
from local_stack.databases import Databases
from tests.dbt.landing import GB, put_lender
from tests.dbt.project import DATABASE, DbtProject, dbt_project
from turno_lms.identity.evidence import check_money_path
from turno_lms.warehouse.connection import Role, connect

HISTORY = 5_000_000
SMALL_HISTORY = 50_000
INCREMENT = 10_000
ROUNDS = 3
_FILE_SHARE = 0.7
_INSTALMENTS = 24
_FILE_ROWS = 50_000
_TEMPLATE = "bench_template"

_LOANS = """
insert into raw.raw_fineract_loan_snapshot
    (fineract_loan_id, external_id, product_id, status_id, payload, payload_md5, taken_by_run)
select n, 'GB' || lpad(n::text, 7, '0'), 1, 300, '{"summary": {"totalOutstanding": 100000}}', '', 'benchmark'
from generate_series(0, %(loans)s - 1) as n
"""
_MANDATES = """
insert into raw.raw_umrn_master (umrn, loan_id, lender, valid_from, loaded_by_run)
select 'HDFC7' || lpad(n::text, 15, '0'), 'GB' || lpad(n::text, 7, '0'), 'gb', date '2020-01-01', 'benchmark'
from generate_series(0, %(loans)s - 1) as n
"""
_FILE_ROWS_OF = """
insert into raw.raw_payment_file (
    amount, date, status, payment_id, source_file, lender, _kind, _umrn, _file_id, _row_number, _mapping_version
)
select
    (4000 + n %% %(loans)s %% 1000)::text || '.00',
    to_char(date '2026-01-01' + (n / %(loans)s)::integer * 30, 'YYYY-MM-DD'),
    'collected',
    'NACH' || n,
    'benchmark.csv',
    'gb',
    'nach_response',
    'HDFC7' || lpad((n %% %(loans)s)::text, 15, '0'),
    1 + n / %(file_rows)s,
    1 + n %% %(file_rows)s,
    'benchmark'
from generate_series(%(start)s, %(start)s + %(rows)s - 1) as n
"""
_WEBHOOKS_OF = """
insert into raw.raw_razorpay_api (lender, event_key, body_sha256, event_type, body, payload, headers, verdict)
select
    'gb',
    'evt_' || n,
    md5(n::text),
    'payment.captured',
    '',
    jsonb_build_object('event', 'payment.captured', 'payload', jsonb_build_object('payment', jsonb_build_object(
        'entity', jsonb_build_object(
            'id', 'pay_' || n,
            'amount', (4000 + n %% %(loans)s %% 1000) * 100,
            'currency', 'INR',
            'status', 'captured',
            'notes', jsonb_build_object('umrn', 'HDFC7' || lpad((n %% %(loans)s)::text, 15, '0')),
            'created_at',
            extract(
                epoch from timestamptz '2026-01-01 12:00+05:30' + (n / %(loans)s)::integer * interval '30 days'
            )::bigint
        )
    ))),
    '{}',
    'verified_current'
from generate_series(%(start)s, %(start)s + %(rows)s - 1) as n
"""


def run() -> Mapping[str, float | int]:
    """Measure increments onto a small and onto a large history."""
    history = int(os.environ.get("HISTORY", HISTORY))
    with postgres_server() as databases:
        warehouse(databases, _TEMPLATE)
        small, small_net, small_row = _seconds(databases, SMALL_HISTORY)
        large, large_net, large_row = _seconds(databases, history)
    return {
        "history": history,
        "increment": INCREMENT,
        "small_seconds": small,
        "seconds": large,
        "increment_ratio": large / small,
        "net_ratio": large_net / small_net,
        "history_ratio": large_row / small_row,
    }


def _seconds(databases: Databases, history: int) -> tuple[float, float, float]:
    """The seconds of an increment onto `history` rows, median of some, as a whole and beyond those of an empty one; and
    of a row of the history itself.
    """
    with _project(databases) as project:
        debits = _Debits(project, history)
        debits.land(history)
        started = perf_counter()
        project.build_warehouse("--full-refresh")
        built = perf_counter() - started
        project.conn.execute("vacuum analyze")
        print(f"{history} rows of history built in {built:.0f} s", flush=True)
        _timed_build(project)
        idle = median(sum(_timed_build(project)) for _ in range(ROUNDS))
        rounds = []
        for _ in range(ROUNDS):
            debits.land(INCREMENT)
            rounds.append(_timed_build(project))
            print("base, identities, core:", *(f"{seconds:.2f} s" for seconds in rounds[-1]), flush=True)
        check_money_path(project.session(Role.RECONCILER))
        whole = median(sum(each) for each in rounds)
        print(f"{whole:.2f} s, of which {idle:.2f} s for an empty increment", flush=True)
        return whole, whole - idle, built / history


@contextmanager
def _project(databases: Databases) -> Iterator[DbtProject]:
    with (
        TemporaryDirectory(prefix="turno-bench-") as output,
        dbt_project(databases, _TEMPLATE, Path(output)) as project,
    ):
        yield project
    with connect(databases.url("postgres"), autocommit=True) as conn:
        conn.execute(f"drop database {DATABASE} with (force)")


class _Debits:
    """A book of loans of which every one pays by mandate each month; the loans grow with the history to hold."""

    def __init__(self, project: DbtProject, history: int) -> None:
        self._conn = project.conn
        per_increment = round(INCREMENT * _FILE_SHARE)
        self._loans = max(per_increment, round(history * _FILE_SHARE / _INSTALMENTS))
        self._rows = 0
        put_lender(project.conn, GB)
        for statement in (_LOANS, _MANDATES):
            self._conn.execute(statement, {"loans": self._loans})

    def land(self, rows: int) -> None:
        """Append rows to landing: debits, and webhooks of debits that landed before or land now."""
        file_rows = round(rows * _FILE_SHARE)
        self._execute(_FILE_ROWS_OF, self._rows, file_rows)
        self._execute(_WEBHOOKS_OF, self._rows, rows - file_rows)
        self._rows += file_rows

    def _execute(self, statement: str, start: int, rows: int) -> None:
        values = {"loans": self._loans, "file_rows": _FILE_ROWS, "start": start, "rows": rows}
        self._conn.execute(statement, values)


def _timed_build(project: DbtProject) -> tuple[float, float, float]:
    """Build, and return the seconds of base, identities and core."""
    start = perf_counter()
    project.build("money_path_base")
    base = perf_counter()
    project.assign()
    assigned = perf_counter()
    project.build("money_path_core")
    return base - start, assigned - base, perf_counter() - assigned
