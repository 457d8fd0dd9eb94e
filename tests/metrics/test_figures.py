"""The exported figures against rows counted by hand, and who may read them."""

from collections.abc import Callable, Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.posting.payments import add_ending, add_payment, create_transaction_table, post_by_stream
from turno_lms.metrics.app import MetricsApp
from turno_lms.metrics.collect import exposition
from turno_lms.metrics.families import SCRAPE_SECONDS, SOURCES
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

Figures = dict[tuple[str, ...], float]

_FILES = """
insert into raw.raw_s3_file_processing_log (
    bucket, key, etag, size_bytes, lender, kind, state, rows_read, rows_accepted, rows_filtered, rows_duplicate,
    rows_rejected, paise_read, paise_accepted, paise_filtered, paise_duplicate, paise_rejected, dag_id, dag_run_id
)
values
    ('b', 'gb/1.csv', 'e1', 1, 'gb', 'k', 'loaded', 4, 2, 1, 0, 1, 2199600, 1099800, 549900, 0, 549900, 'd', 'r'),
    ('b', 'gb/2.csv', 'e2', 1, 'gb', 'k', 'loaded', 1, 1, 0, 0, 0, 549950, 549950, 0, 0, 0, 'd', 'r'),
    ('b', 'gb/3.csv', 'e3', 1, 'gb', 'k', 'refused', null, null, null, null, null, null, null, null, null, null, 'd', 'r')
"""
_CALLS = """
insert into raw.raw_fineract_api_log
    (dag_id, dag_run_id, purpose, method, path, outcome, duration_ms, called_at)
select 'd', 'r', 'p', 'POST', '/loans', case when n = 10 then 'lost' else 'ok' end, n * 100,
    now() - interval '1 minute'
from generate_series(1, 10) as n
union all
select 'd', 'r', 'p', 'POST', '/loans', 'ok', 60000, now() - interval '1 hour'
"""
_EVENTS = """
create table base.base_razorpay_event (lender text, event_key text);
create table base.base_cashfree_event (lender text, event_key text);
create table raw.raw_gb_razorpay_api partition of raw.raw_razorpay_api for values in ('gb');
insert into raw.raw_razorpay_api (lender, event_key, body_sha256, body, payload, headers, verdict, received_at)
values
    ('gb', 'built', 'a', '', '{}', '{}', 'verified_current', now() - interval '3 hours'),
    ('gb', 'waits', 'b', '', '{}', '{}', 'verified_current', now() - interval '10 minutes');
insert into base.base_razorpay_event values ('gb', 'built')
"""
_REVERSAL = """
insert into core.core_reversal
    (posting_key, lender, loan_id, business_date, amount, reason, state, requested_by, ended_at)
values (
    %(original)s, 'gb', 'GB', '2026-01-05', %(amount)s, 'wrong loan', %(state)s, 'asha',
    case %(state)s when 'done' then now() - interval '2 hours' end
)
"""
_CORRECTION = """
insert into core.core_posting_correction (
    posting_key, corrects, original_posting_key, lender, loan_id, business_date, amount, payment_type_id, channel,
    reason, requested_by
)
values (
    %(original)s || '-r1', %(original)s, %(original)s, 'gb', 'GB9', '2026-01-05', %(amount)s, 1, 'file:k',
    'wrong loan', 'asha'
)
"""
_WRITE_OFF = """
insert into core.core_write_off (
    write_off_ref, lender, loan_id, state, request_key, dues_principal, dues_interest, dues_fees, dues_penalties,
    dues_total, days_past_due, charges_off, band, reason, requested_by, requested_by_run
)
values ('W1', 'gb', 'GB1', 'accepted', 'k', 100, 0, 0, 0, 100, 400, false, 'small', 'gone', 'asha', 'r')
"""


def read(conn: WarehouseConnection) -> dict[str, Figures]:
    """Every family's series: label values, in the order of the labels' names, to the number."""
    conn.commit()
    found: dict[str, Figures] = {}
    for family in text_string_to_metric_families(exposition(conn)):
        for sample in family.samples:
            key = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[key] = sample.value
    return found


def test_rows_and_rupees_of_files_are_those_of_loaded_files(warehouse: WarehouseConnection) -> None:
    warehouse.execute(_FILES)

    figures = read(warehouse)

    assert figures["turno_file_rows_total"] == {
        ("accepted", "gb"): 3, ("filtered", "gb"): 1, ("duplicate", "gb"): 0, ("rejected", "gb"): 1,
    }  # fmt: skip
    assert figures["turno_file_rupees_total"][("accepted", "gb")] == 5499.00 * 2 + 5499.50
    assert figures["turno_files"] == {("gb", "loaded"): 2, ("gb", "refused"): 1}


def test_the_first_refused_file_of_a_lender_is_a_rise_from_zero(warehouse: WarehouseConnection) -> None:
    post_by_stream(warehouse, "gb", "file:k")
    assert read(warehouse)["turno_files"] == {("gb", "failed"): 0, ("gb", "halted"): 0, ("gb", "refused"): 0}
    warehouse.execute(_FILES)
    assert read(warehouse)["turno_files"] == {
        ("gb", "loaded"): 2, ("gb", "refused"): 1, ("gb", "failed"): 0, ("gb", "halted"): 0,
    }  # fmt: skip


def test_unposted_held_and_in_doubt_are_apart(warehouse: WarehouseConnection) -> None:
    create_transaction_table(warehouse)
    add_payment(warehouse, "GB1")
    queued = add_payment(warehouse, "GB2", "100.25")
    doubtful = add_payment(warehouse, "GB3")
    add_payment(warehouse, "GB4", block="possible_duplicate")
    add_payment(warehouse, "GB5", block="historic")
    ended = add_payment(warehouse, "GB6")
    add_ending(warehouse, ended, "posted")
    for key, state in ((queued, "queued"), (doubtful, "in_doubt")):
        warehouse.execute(
            "insert into core.core_fineract_pending_transactions"
            " (posting_key, lender, loan_id, business_date, amount, payment_type_id, state, created_at, created_by_run)"
            " values (%s, 'gb', 'GB', '2026-01-05', 100.25, 1, %s, now() - interval '2 hours', 'r')",
            (key, state),
        )

    figures = read(warehouse)

    assert figures["turno_unposted_payments"] == {("gb",): 2}
    assert figures["turno_unposted_rupees"] == {("gb",): 5499.00 + 100.25}
    assert figures["turno_held_payments"] == {("possible_duplicate", "gb"): 1}
    assert figures["turno_queue_payments"] == {("gb", "queued"): 1, ("gb", "in_doubt"): 1}
    assert figures["turno_queue_oldest_seconds"][("gb", "queued")] == pytest.approx(7200, abs=60)
    assert figures["turno_postings_total"] == {("gb", "posted"): 1}
    assert figures["turno_posting_rupees_total"] == {("gb", "posted"): 5499.00}


def test_money_that_was_withdrawn_is_unposted_until_it_is_posted(warehouse: WarehouseConnection) -> None:
    create_transaction_table(warehouse)
    add_ending(warehouse, add_payment(warehouse, "GB1", "8.00"), "withdrawn")
    assert read(warehouse)["turno_unposted_rupees"] == {("gb",): 8}


def test_a_correction_is_unposted_from_its_reversal_on(warehouse: WarehouseConnection) -> None:
    """Of two corrections, 30.00 and 400.00, the first one's reversal was done two hours ago, the other one's is to come."""
    create_transaction_table(warehouse)
    for loan, amount, state in (("GB2", "30.00", "done"), ("GB3", "400.00", "requested")):
        original = add_payment(warehouse, loan, amount)
        add_ending(warehouse, original, "posted")
        warehouse.execute(_REVERSAL, {"original": original, "amount": amount, "state": state})
        warehouse.execute(_CORRECTION, {"original": original, "amount": amount})

    figures = read(warehouse)

    assert figures["turno_unposted_rupees"] == {("gb",): 30}
    assert figures["turno_unposted_oldest_seconds"][("gb",)] == pytest.approx(7200, abs=60)


def test_money_of_a_loan_that_is_being_settled_is_held_and_not_behind(warehouse: WarehouseConnection) -> None:
    """Of 1.00 and 20.00 on the loan the resolution took the second; a person was asked about 300.00 on another one."""
    create_transaction_table(warehouse)
    add_payment(warehouse, "GB1", "1.00")
    taken = add_payment(warehouse, "GB1", "20.00")
    asked = add_payment(warehouse, "GB2", "300.00")
    warehouse.execute(_WRITE_OFF)
    warehouse.execute(
        "insert into core.core_resolution_money"
        " (posting_key, resolution_ref, loan_id, amount, business_date, booked_on, posted_by)"
        " values (%s, 'W1', 'GB1', 20, '2026-01-05', '2026-01-06', 'ledger')",
        (taken,),
    )
    warehouse.execute(
        "insert into core.core_recon_exception (kind, subject, opened_by_run)"
        " values ('possible_duplicate', %s, 'r')",
        (asked,),
    )

    figures = read(warehouse)

    assert figures["turno_unposted_rupees"] == {("gb",): 20}
    assert figures["turno_held_payments"] == {("held_for_resolution", "gb"): 1}
    assert figures["turno_held_rupees"] == {("held_for_resolution", "gb"): 1}


def test_fineract_is_judged_by_the_last_quarter_of_an_hour(warehouse: WarehouseConnection) -> None:
    warehouse.execute(_CALLS)

    figures = read(warehouse)

    assert figures["turno_fineract_recent_calls"] == {("POST", "ok"): 9, ("POST", "lost"): 1}
    assert figures["turno_fineract_recent_seconds"] == {
        ("POST", "0.5"): 0.5, ("POST", "0.95"): 1.0, ("POST", "0.99"): 1.0,
    }  # fmt: skip


def test_the_lag_of_webhooks_is_the_age_of_the_oldest_that_is_not_built(
    warehouse: WarehouseConnection,
) -> None:
    warehouse.execute(_EVENTS)

    figures = read(warehouse)

    assert figures["turno_webhook_lag_seconds"][("razorpay", "gb")] == pytest.approx(600, abs=60)


def test_open_exceptions_are_counted_by_kind(warehouse: WarehouseConnection) -> None:
    warehouse.execute(
        "insert into core.core_recon_exception (kind, subject, lender, amount, state, opened_at, opened_by_run)"
        " values ('file_overdue', 'a', 'gb', null, 'open', now() - interval '1 hour', 'r'),"
        " ('proof_difference', 'b', null, 5499.00, 'open', now(), 'r'),"
        " ('proof_difference', 'c', null, 1.00, 'cleared', now(), 'r')"
    )

    figures = read(warehouse)

    assert figures["turno_exceptions_open"] == {("file_overdue", "gb"): 1, ("proof_difference", ""): 1}
    assert figures["turno_exception_rupees_open"][("proof_difference", "")] == 5499.00


def test_every_family_is_there_in_a_new_warehouse_and_for_the_role_that_asks(
    warehouse: WarehouseConnection, warehouse_role_url: Callable[[str], str]
) -> None:
    with connect(warehouse_role_url(Role.CONSOLE)) as conn:
        text = exposition(conn)
    exported = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert exported == {family.name for source in SOURCES for family in source.columns.values()} | {
        SCRAPE_SECONDS.name
    }


def test_reading_the_figures_writes_nothing(warehouse: WarehouseConnection) -> None:
    with pytest.raises(Exception, match="read-only transaction"):
        for _ in _figures_then(warehouse, "create table core.core_probe (id integer)"):
            pass


def _figures_then(conn: WarehouseConnection, statement: str) -> Iterator[object]:
    from turno_lms.metrics.collect import Figures

    for family in Figures(conn).collect():
        conn.execute(statement)
        yield family


@pytest.fixture
def address(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_WAREHOUSE_CONSOLE", warehouse_url)
    monkeypatch.setenv("TURNO_METRICS_TOKEN", "the token")
    return TestClient(MetricsApp())


def test_the_address_answers_whoever_knows_the_token(address: TestClient) -> None:
    answer = address.get("/", headers={"Authorization": "Bearer the token"})
    assert answer.status_code == 200
    assert "# TYPE turno_unposted_payments gauge" in answer.text


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer other"}, {"Authorization": "Bearer "}])
def test_nobody_else_is_answered(address: TestClient, header: dict[str, str]) -> None:
    assert address.get("/", headers=header).status_code == 401


def test_without_a_token_set_there_is_nothing_to_see(
    address: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TURNO_METRICS_TOKEN")
    assert address.get("/", headers={"Authorization": "Bearer "}).status_code == 404
