"""Airflow's own web app with the console in it, its real login and rights, over a warehouse with a few rows."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from local_stack.environment import warehouse_connections
from tests.dags.conftest import airflow_database, dag_bag, manifest  # noqa: F401  (fixtures; it also sets Airflow's home)
from tests.dbt.project import DbtProject

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from fastapi import FastAPI

SignIn = Callable[[str | None], TestClient]
STRANGER = "stranger"
"""Somebody who can log in to Airflow and has no right to anything."""

_ROWS = """
insert into raw.raw_s3_file_processing_log (
    bucket, key, etag, size_bytes, lender, kind, state, rows_read, rows_accepted, rows_filtered, rows_duplicate,
    rows_rejected, paise_read, paise_accepted, paise_filtered, paise_duplicate, paise_rejected, dag_id, dag_run_id
)
values
    ('turnofile', 'gb/<script>alert(1)</script>.csv', 'e1', 10, 'gb', 'nach_response', 'loaded', 2, 1, 0, 0, 1, 1099800,
     549900, 0, 0, 549900, 'ingest__gb', 'r1'),
    ('turnofile', 'ugro/refused.csv', 'e2', 10, 'ugro', 'statement', 'refused', null, null, null, null, null, null, null,
     null, null, null, 'ingest__ugro', 'r2');

insert into raw.raw_rejected_records (
    file_id, lender, row_number, disposition, reason_code, rule, field, message, amount_paise, raw_text, mapping_version
)
select
    file_id, 'gb', 7, 'rejected', 'bad_date', 'columns.date', 'date', 'no date: <img src=x onerror=alert(2)>', 549900,
    '=HYPERLINK("http://evil"),<b>bold</b>,5499.00', 'v1'
from raw.raw_s3_file_processing_log where lender = 'gb';

insert into core.core_transaction_data (
    posting_key, source_key, occurrence, recon_match_key, lender, loan_id, business_date, amount, stream, channels_seen,
    sightings, first_seen_at, bank_reference, payment_status, reconciliation_status, posting_policy, posting_block,
    payment_type_id, _txid, _read_horizon
)
select
    md5('payment' || n), md5('payment' || n), 1, md5('match' || n), 'gb', 'GB' || lpad(n::text, 6, '0'),
    date '2026-01-05', 5499.00, 'nach_debits', array['file:nach_response'], 1,
    timestamptz '2026-01-05 12:00+05:30' + n * interval '1 minute', 'UTR' || n, 'captured', 'not_applicable', 'at_once',
    case when n <= 2 then 'possible_duplicate' end, 1, 1, 1
from generate_series(1, 120) as n;

insert into core.core_fineract_pending_transactions (
    posting_key, lender, loan_id, business_date, amount, payment_type_id, channel, state, tries, last_error, created_by_run
)
values (md5('payment3'), 'gb', 'GB000003', '2026-01-05', 5499.00, 1, 'file:nach_response', 'in_doubt', 8, 'timed out', 'r3');

insert into core.core_loan_master (
    fineract_loan_id, loan_id, lender, product_id, status_id, status, status_source, principal_outstanding,
    interest_outstanding, fees_outstanding, penalties_outstanding, total_outstanding, posted_since, expected_outstanding,
    balances_source, total_overdue, days_past_due, overpaid, total_repaid, payments_received, amount_received,
    payments_blocked, amount_blocked, payments_waiting, waiting_keys, payments_posted, amount_posted, taken_at, _txid,
    _read_horizon
)
select
    row_number() over (order by loan_id), loan_id, lender, 1, 300, 'Active', 'reconcile_loans', 0, 0, 0, 0, 0, 0, 0,
    'reconcile_loans', 0, 0, 0, 0, 1, amount, 0, 0, 1, array[posting_key], 0, 0, now(), 1, 1
from core.core_transaction_data
where posting_block is null;

insert into core.core_payment_identity (
    native_reference, posting_key, source_key, occurrence, lender, loan_id, business_date, amount, stream, channel,
    matched_by, first_seen_at, is_posting_channel
)
values (
    'file:1:3', md5('payment3'), md5('payment3'), 1, 'gb', 'GB000003', '2026-01-05', 5499.00, 'nach_debits',
    'file:nach_response', 'first_sight', timestamptz '2026-01-05 12:00+05:30', true
);
"""


@pytest.fixture(scope="session")
def airflow_app(airflow_database: str, dag_bag: "DagBag") -> "FastAPI":  # noqa: F811
    """Airflow's API server as an app, our DAGs in its database."""
    from airflow.api_fastapi.app import create_app
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(dag_bag, "dags-folder", None)
    return create_app(apps="core")


@pytest.fixture
def rows(project: DbtProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of `_ROWS` in a warehouse that dbt has built; the console reads it under the role it has in production."""
    project.conn.execute(_ROWS)
    for name, value in warehouse_connections(project.url).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def sign_in(airflow_app: "FastAPI", rows: None) -> SignIn:
    """A browser of nobody (None) or of a user with a role of Airflow: stranger, viewer, user, op, admin."""

    def browser(role: str | None) -> TestClient:
        client = TestClient(airflow_app, base_url="http://airflow.test", follow_redirects=True)
        if role:
            client.cookies.set("_token", _token(role))
        return client

    return browser


def _token(role: str) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    manager: Any = get_auth_manager()
    token: str = manager.generate_jwt(
        SimpleAuthManagerUser(username=f"{role}-person", role=None if role == STRANGER else role.upper())
    )
    return token


os.environ.setdefault("AIRFLOW__API__SECRET_KEY", "a secret of the tests")
os.environ.setdefault("AIRFLOW__API_AUTH__JWT_SECRET", "another secret of the tests, " * 3)
