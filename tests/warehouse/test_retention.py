"""Maintenance removes what the policy lets go after its time, and never what proves where money went."""

from collections.abc import Callable

import psycopg
import pytest

from turno_lms.warehouse.connection import Role, WarehouseConnection, connect
from turno_lms.warehouse.retention import remove_expired

OLD, EARLIER, YESTERDAY = "401 days", "91 days", "1 day"
CALL = """
insert into raw.raw_fineract_api_log
    (dag_id, dag_run_id, purpose, subject, method, path, status_code, outcome, duration_ms, called_at)
values ('d', 'r', %s, %s, %s, '/loans', %s, 'ok', 1, now() - %s::interval)
"""
LINK_CALL = """
insert into raw.raw_payment_link_call
    (reference, gateway, method, path, status_code, outcome, duration_ms, called_by_run, called_at)
values ('ref', 'razorpay', %s, '/payment_links', %s, 'ok', 1, 'r', now() - %s::interval)
"""
DETAIL = """
insert into raw.raw_fineract_loan_detail
    (fineract_loan_id, external_id, status_id, summary, transactions, payload_md5, taken_by_run, taken_at)
values (%s, 'L', 300, '{}', '[]', 'm', 'r', now() - %s::interval)
"""
SWEEP = """
insert into core.core_gateway_sweep
    (gateway, lender, window_from, window_until, payments_seen, payments_landed, orders_asked, swept_by_run, swept_at)
values ('razorpay', 'axle', now() - %(age)s::interval - interval '1 day', now() - %(age)s::interval, 0, 0, 0, 'r', now() - %(age)s::interval)
"""
LETTER = """
insert into raw.raw_webhook_dead_letter (gateway, lender, reason_code, event_key, body_sha256, body, headers, fate, fate_at)
values ('razorpay', 'axle', 'bad_signature', %(key)s, 's', '', '{}', %(fate)s, now() - %(age)s::interval)
"""
KINDS = {
    "fineract_list_reads": 1, "payment_link_polls": 1, "superseded_loan_details": 1, "gateway_sweeps": 1,
    "discarded_dead_letters": 1,
}  # fmt: skip


@pytest.fixture
def filled(warehouse: WarehouseConnection) -> WarehouseConnection:
    """Of every kind one row that may go, and its neighbours that may not."""
    calls = [
        ("list_loans", None, "GET", 200, EARLIER),  # goes
        ("list_loans", None, "GET", 200, YESTERDAY),
        ("list_loans", None, "GET", 500, OLD),  # a failure tells something
        ("find_repayment", "a posting key", "GET", 200, OLD),  # a look at one transaction: evidence
        ("repayment", "a posting key", "POST", 200, OLD),
        ("create_product", None, "POST", 200, OLD),
    ]
    for call in calls:
        warehouse.execute(CALL, call)
    for call in [("GET", 200, EARLIER), ("GET", 200, YESTERDAY), ("POST", 200, OLD), ("GET", 404, OLD)]:
        warehouse.execute(LINK_CALL, call)
    for loan, age in [(1, OLD), (1, YESTERDAY), (2, OLD)]:  # loan 2 has no newer look
        warehouse.execute(DETAIL, (loan, age))
    for age in (OLD, YESTERDAY):
        warehouse.execute(SWEEP, {"age": age})
    for fate in ("discarded", "replayed", "open"):
        warehouse.execute(LETTER, {"key": fate, "fate": fate, "age": OLD})
    warehouse.commit()
    return warehouse


def counts(conn: WarehouseConnection) -> dict[str, int]:
    tables = (
        "raw_fineract_api_log",
        "raw_payment_link_call",
        "raw_fineract_loan_detail",
        "raw_webhook_dead_letter",
    )
    found = {}
    for table in tables:
        row = conn.execute(f"select count(*) as n from raw.{table}").fetchone()  # noqa: S608
        assert row is not None
        found[table] = row["n"]
    return found


def test_what_the_policy_lets_go_goes_and_its_neighbours_stay(
    filled: WarehouseConnection, warehouse_role_url: Callable[[str], str]
) -> None:
    before = counts(filled)
    filled.commit()
    with connect(warehouse_role_url(Role.INGESTION)) as conn:
        assert remove_expired(conn, "r", is_trial=True) == KINDS
        assert counts(filled) == before  # a trial
        filled.commit()
        assert remove_expired(conn, "maintain_warehouse/r") == KINDS
        assert remove_expired(conn, "r") == dict.fromkeys(KINDS, 0)
    assert counts(filled) == {table: n - 1 for table, n in before.items()}
    kept = filled.execute(
        "select purpose, method, status_code from raw.raw_fineract_api_log order by call_id"
    ).fetchall()
    assert [tuple(row.values()) for row in kept] == [
        ("list_loans", "GET", 200), ("list_loans", "GET", 500), ("find_repayment", "GET", 200),
        ("repayment", "POST", 200), ("create_product", "POST", 200),
    ]  # fmt: skip
    looks = filled.execute("select fineract_loan_id from raw.raw_fineract_loan_detail order by 1").fetchall()
    assert [row["fineract_loan_id"] for row in looks] == [1, 2]
    letters = filled.execute("select fate from raw.raw_webhook_dead_letter order by fate").fetchall()
    assert [row["fate"] for row in letters] == ["open", "replayed"]


def test_what_went_is_on_record(
    filled: WarehouseConnection, warehouse_role_url: Callable[[str], str]
) -> None:
    with connect(warehouse_role_url(Role.INGESTION)) as conn:
        remove_expired(conn, "maintain_warehouse/sunday")
    removals = filled.execute("select what, rows_removed, removed_by_run from core.core_removal").fetchall()
    assert {row["what"]: row["rows_removed"] for row in removals} == KINDS
    assert {row["removed_by_run"] for row in removals} == {"maintain_warehouse/sunday"}


@pytest.mark.parametrize(
    "role", [Role.RECONCILER, Role.POSTER, Role.CONSOLE, Role.DBT, Role.RECEIVER, Role.FINANCE]
)
def test_no_other_role_removes_anything(warehouse_role_url: Callable[[str], str], role: Role) -> None:
    with (
        connect(warehouse_role_url(role)) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute("select * from core.remove_expired('r', 1, false)")


def test_many_rows_go_in_batches(
    warehouse: WarehouseConnection, warehouse_role_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(7):
        warehouse.execute(CALL, ("list_loans", None, "GET", 200, OLD))
    warehouse.commit()
    monkeypatch.setattr("turno_lms.warehouse.retention._BATCH", 3)
    with connect(warehouse_role_url(Role.INGESTION)) as conn:
        assert remove_expired(conn, "r")["fineract_list_reads"] == 7
    batches = warehouse.execute(
        "select rows_removed as n from core.core_removal order by removal_id"
    ).fetchall()
    assert [row["n"] for row in batches] == [3, 3, 1]
