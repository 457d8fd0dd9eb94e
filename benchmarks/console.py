"""The console's pages over a million payments, as a logged-in person gets them, without the network.

Beside each page stands what it can't be faster than: its query of one row by primary key in the same warehouse.
ROWS sets the payments.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from unittest.mock import patch

from starlette.testclient import TestClient

from benchmarks.services import postgres_server, warehouse
from local_stack.environment import warehouse_connections
from tests.dbt.project import DbtProject, dbt_project
from turno_lms.warehouse.connection import Role, connect

ROWS = 1_000_000
ROUNDS = 7
_TEMPLATE = "bench_template"
_MILLISECONDS = 1000

_FILL = """
insert into core.core_transaction_data (
    posting_key, source_key, occurrence, recon_match_key, lender, loan_id, business_date, amount, stream, channels_seen,
    sightings, first_seen_at, bank_reference, payment_status, reconciliation_status, posting_policy, posting_block,
    payment_type_id, _txid, _read_horizon
)
select
    md5('payment' || n), md5('payment' || n), 1, md5('match' || n),
    (array['gb', 'ugro', 'axle', 'kaveri'])[1 + n %% 4], 'GB' || lpad((n %% 50000)::text, 7, '0'),
    date '2025-01-01' + n / 3000, 4000 + n %% 1000, 'nach_debits', array['file:nach_response'], 1,
    timestamptz '2025-01-01 00:00+05:30' + n * interval '30 seconds', 'UTR' || n, 'captured', 'matched', 'at_once',
    case when n %% 500 = 0 then 'possible_duplicate' end, 1, 1, 1
from generate_series(1, %(rows)s) as n;
"""
_POSTED = """
insert into core.core_transaction_data_processed (
    posting_key, outcome, lender, loan_id, business_date, amount, fineract_transaction_id, attempts, processed_by_run
)
select posting_key, 'posted', lender, loan_id, business_date, amount, 1, 1, 'benchmark'
from core.core_transaction_data where posting_block is null and business_date < date '2025-11-01'
"""
_AROUND = """
insert into core.core_fineract_transaction_archive (
    posting_key, lender, loan_id, business_date, amount, outcome, attempt, tries, created_by_run, ended_by_run, ended_at
)
select posting_key, lender, loan_id, business_date, amount, 'posted', 1, 1, 'benchmark', 'benchmark', first_seen_at
from core.core_transaction_data;

insert into raw.raw_fineract_api_log (
    dag_id, dag_run_id, purpose, subject, method, path, idempotency_key, status_code, outcome, duration_ms, called_at
)
select
    'post_repayments', 'benchmark', 'post repayment', posting_key, 'POST', '/loans/1/transactions',
    posting_key || '-a1', 200, 'posted', 50, first_seen_at
from core.core_transaction_data;

insert into core.core_payment_identity (
    native_reference, posting_key, source_key, occurrence, lender, loan_id, business_date, amount, stream, channel,
    matched_by, first_seen_at, is_posting_channel
)
select
    'file:' || posting_key, posting_key, source_key, 1, lender, loan_id, business_date, amount, stream,
    'file:nach_response', 'first_sight', first_seen_at, true
from core.core_transaction_data;

insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    'missing_in_gateway', posting_key, lender, loan_id, amount,
    jsonb_build_object('business_date', business_date, 'sightings', jsonb_build_array('file:' || posting_key)),
    'benchmark'
from core.core_transaction_data
where right(posting_key, 1) = '0';
"""
_PARTITION = "create table raw.raw_gb_razorpay_api partition of raw.raw_razorpay_api for values in ('gb')"
_EVENTS = """
insert into raw.raw_razorpay_api (
    lender, event_key, body_sha256, event_type, body, payload, headers, verdict, received_at
)
select
    'gb', 'evt_' || n, md5(n::text), 'payment.captured', '', '{}', '{}', 'verified_current',
    timestamptz '2025-01-01 00:00+05:30' + n * interval '30 seconds'
from generate_series(1, %(rows)s) as n;
"""
_ONE = "select * from core.core_transaction_data where posting_key = md5('payment777')"


def run() -> Mapping[str, float | int]:
    """Time each page."""
    rows = int(os.environ.get("ROWS", ROWS))
    with postgres_server() as databases, TemporaryDirectory(prefix="turno-bench-") as output:
        warehouse(databases, _TEMPLATE)
        with dbt_project(databases, _TEMPLATE, Path(output)) as project, _console(project) as browser:
            project.conn.execute(_FILL, {"rows": rows})
            project.conn.execute(_POSTED)
            project.conn.execute(_AROUND)
            project.conn.execute(_PARTITION)
            project.conn.execute(_EVENTS, {"rows": rows})
            project.conn.execute("vacuum analyze")
            pages = {name: _page(browser, path) for name, path in _paths(project).items()}
            limit = _median(lambda: _one_row(project))
    for name, milliseconds in pages.items():
        print(f"{name}: {milliseconds:.0f} ms", flush=True)
    return {"rows": rows, "pages": len(pages), "worst_ms": max(pages.values()), "one_row_ms": limit}


def _paths(project: DbtProject) -> dict[str, str]:
    found = project.conn.execute(_ONE).fetchone() or {}
    return {
        "today": "/",
        "payments": "/payments/list",
        "payments, a hundred pages on": "/payments/list?page=100",
        "payments held": "/payments/list?filter=posting_block__is%3Dpossible_duplicate",
        "payments of a loan": "/payments/list?q=GB0000777",
        "payment by bank reference": "/payments/list?q=UTR777",
        "life of a rupee": f"/payments/detail?pk={found['posting_key']}",
        "exceptions": "/exceptions/list",
        "exceptions overdue": "/exceptions/list?filter=deadline__is%3Doverdue",
        "exceptions of a loan": "/exceptions/list?q=GB0000777",
        "one exception, its history and candidates": "/exceptions/detail?pk=777",
        "queue": "/queue/list",
        "held": "/held/list",
        "waits for a decision": "/parked/list",
        "ended calls": "/posted/list",
        "ended calls of a loan": "/posted/list?q=GB0000777",
        "webhooks": "/webhooks/list",
        "a webhook by its key": "/webhooks/list?q=evt_777",
        "LOS": "/los/list",
        "payment links": "/payment-links/list",
        "settlements": "/resolutions/list",
        "approvals": "/approvals/list",
        "calls to Fineract": "/fineract-calls/list",
        "calls by idempotency key": f"/fineract-calls/list?q={found['posting_key']}-a1",
    }


@contextmanager
def _console(project: DbtProject) -> Iterator[TestClient]:
    """The console with a person in it; Airflow's login is measured elsewhere, by Airflow."""
    os.environ.update(warehouse_connections(project.url))
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    from turno_lms.console.access import ConsoleUser
    from turno_lms.console.app import create_app

    async def person(_request: object) -> SimpleAuthManagerUser:
        return SimpleAuthManagerUser(username="benchmark", role="ADMIN")

    with (
        patch("turno_lms.console.access._airflow_user", person),
        patch.object(ConsoleUser, "_may", lambda _self, _method, _dag_id: True),
        patch.object(ConsoleUser, "may_read_audit_log", lambda _self: True),
    ):
        yield TestClient(create_app())


def _page(browser: TestClient, path: str) -> float:
    def get() -> None:
        browser.get(path).raise_for_status()

    get()
    return _median(get)


def _one_row(project: DbtProject) -> None:
    with connect(project.url(Role.CONSOLE)) as conn:
        conn.execute(_ONE).fetchone()


def _median(what: Callable[[], None]) -> float:
    """The median time of some rounds, in milliseconds."""
    rounds = []
    for _ in range(ROUNDS):
        started = perf_counter()
        what()
        rounds.append(perf_counter() - started)
    return median(rounds) * _MILLISECONDS
