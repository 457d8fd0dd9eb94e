"""A warehouse of an earlier release comes to this one with every row it had, and the programs go on under their new roles."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql

from local_stack.databases import Databases
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.los.apply import apply_operations
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect
from turno_lms.warehouse.migrate import migrate

KEY = "5f4dcc3b5aa765d61d8327deb882cf99"
PLANTED = [
    "create table raw.raw_gb (like raw.raw_payment_file including defaults including constraints)",
    "alter table raw.raw_payment_file attach partition raw.raw_gb for values in ('gb')",
    "create table raw.raw_gb_razorpay_api (like raw.raw_razorpay_api including defaults including constraints)",
    "alter table raw.raw_razorpay_api attach partition raw.raw_gb_razorpay_api for values in ('gb')",
    """
    insert into core.core_lender (lender, name, product_id, payment_type_id, post_from, mapping_version)
    values ('gb', 'GB', 1, 1, '2026-01-01', 'of an earlier release')
    """,
    "insert into core.core_lender_stream values ('gb', 'nach_debits', 'file:nach_response', true, 'at_once')",
    """
    insert into raw.raw_s3_file_processing_log
        (bucket, key, etag, size_bytes, lender, kind, state, rows_read, rows_accepted, rows_filtered, rows_duplicate,
        rows_rejected, paise_read, paise_accepted, paise_filtered, paise_duplicate, paise_rejected, dag_id, dag_run_id)
    values ('turnofile', 'gb/a.csv', 'e', 10, 'gb', 'nach_response', 'loaded', 2, 1, 0, 0, 1, 1099800, 549900, 0, 0,
        549900, 'ingest__gb', 'r')
    """,
    """
    insert into raw.raw_payment_file
        (loan_id, amount, date, source_file, lender, _kind, _umrn, _file_id, _row_number, _mapping_version)
    values ('GB100234', '5499.00', '2026-01-05', 'a.csv', 'gb', 'nach_response', 'UMRN1', 1, 5, 'v')
    """,
    """
    insert into raw.raw_rejected_records
        (file_id, lender, row_number, disposition, reason_code, rule, field, message, amount_paise, raw_text, mapping_version)
    values (1, 'gb', 6, 'rejected', 'bad_date', 'columns.date', 'date', 'no date', 549900, 'x,5499.00', 'v')
    """,
    "insert into raw.raw_umrn_master (umrn, loan_id, lender, valid_from, loaded_by_run) values ('UMRN1', 'GB100234', 'gb', '2025-01-01', 'r')",
    """
    insert into raw.raw_razorpay_api (lender, event_key, body_sha256, event_type, body, payload, headers, verdict)
    values ('gb', 'e1', 's1', 'payment.captured', '{}', '{}', '{}', 'verified_current')
    """,
    """
    insert into raw.raw_webhook_dead_letter (gateway, lender, reason_code, event_key, body_sha256, body, headers)
    values ('razorpay', 'gb', 'bad_json', 'e2', 's2', 'x', '{}')
    """,
    """
    insert into raw.raw_fineract_api_log (dag_id, dag_run_id, purpose, subject, method, path, status_code, outcome, duration_ms)
    values ('post_repayments', 'r', 'repayment', %(key)s, 'POST', '/loans', 200, 'posted', 40)
    """,
    """
    insert into raw.raw_fineract_loan_snapshot (fineract_loan_id, external_id, product_id, status_id, payload, payload_md5, taken_by_run)
    values (7, 'GB100234', 1, 300, '{"id": 7}', 'm', 'r')
    """,
    """
    insert into core.core_payment_identity
        (native_reference, posting_key, source_key, occurrence, lender, loan_id, business_date, amount, stream, channel,
        matched_by, is_posting_channel)
    values ('file:1:5', %(key)s, %(key)s, 1, 'gb', 'GB100234', '2026-01-05', 5499.00, 'nach_debits', 'file:nach_response',
        'first_sight', true)
    """,
    "insert into core.core_payment_decision (posting_key, decision, reason, decided_by) values (%(key)s, 'release', 'two instalments', 'asha')",
    "insert into core.core_change_log (kind, subject) values ('identity', %(key)s)",
    """
    insert into core.core_fineract_pending_transactions
        (posting_key, lender, loan_id, business_date, amount, payment_type_id, channel, state, created_by_run)
    values ('waiting', 'gb', 'GB100235', '2026-01-05', 10.01, 1, 'file:nach_response', 'unknown', 'r')
    """,
    """
    insert into core.core_fineract_transaction_archive
        (posting_key, lender, loan_id, business_date, amount, outcome, attempt, tries, fineract_transaction_id,
        created_by_run, ended_by_run)
    values (%(key)s, 'gb', 'GB100234', '2026-01-05', 5499.00, 'posted', 1, 1, 99, 'r', 'r')
    """,
    """
    insert into core.core_transaction_data_processed
        (posting_key, outcome, lender, loan_id, business_date, amount, fineract_transaction_id, attempts, processed_by_run)
    values (%(key)s, 'posted', 'gb', 'GB100234', '2026-01-05', 5499.00, 99, 1, 'r')
    """,
    """
    insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
    values ('unknown_loan', 'file:1:6', 'gb', 'GB1', 10.01, '{"said": "GB1"}', 'r')
    """,
    """
    insert into core.core_approval
        (purpose, request_key, figures, figures_hash, state, requested_by, requested_by_run, expires_at, decided_by)
    values ('manual_repayment', 'k', '{"amount": "5499.00"}', 'h', 'approved', 'asha', 'r', now(), 'meera')
    """,
    "insert into core.core_loan_lease values ('GB100234', 'a holder', 3, now())",
]  # fmt: skip
COLUMNS = """
select table_schema || '.' || table_name as name, array_agg(column_name::text order by ordinal_position) as columns
from information_schema.columns
inner join information_schema.tables using (table_schema, table_name)
where table_schema in ('raw', 'core') and table_type = 'BASE TABLE'
group by 1
"""
Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(params=["0005", "0011"])
def old_warehouse(request: pytest.FixtureRequest, postgres_server: Databases) -> Iterator[str]:
    """A warehouse of an earlier release, at work."""
    name = f"upgrade_{request.param}"
    postgres_server.ensure_database(name)
    url = postgres_server.url(name)
    migrate(url, request.param)
    with connect(url) as conn:
        for statement in PLANTED:
            conn.execute(statement, {"key": KEY})
    yield url
    with connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def columns_of(conn: WarehouseConnection) -> dict[str, list[str]]:
    return {row["name"]: row["columns"] for row in conn.execute(COLUMNS)}


def rows_of(conn: WarehouseConnection, columns: dict[str, list[str]]) -> Rows:
    """Every row of every table, in those columns."""
    found: Rows = {}
    for name, its_columns in columns.items():
        query = sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(map(sql.Identifier, its_columns)), sql.Identifier(*name.split("."))
        )
        found[name] = sorted((tuple(row.values()) for row in conn.execute(query)), key=repr)
    return found


def test_an_upgrade_loses_and_changes_no_row(old_warehouse: str) -> None:
    with connect(old_warehouse) as conn:
        columns = columns_of(conn)
        before = rows_of(conn, columns)
    assert sum(len(rows) for rows in before.values()) >= len(PLANTED) - 4
    for _ in range(2):  # a deploy that is repeated changes nothing
        migrate(old_warehouse)
        with connect(old_warehouse) as conn:
            apply_operations(conn)
            # what a later release writes beside the old rows, such as the first event of an open exception, is new
            after = rows_of(conn, columns)
        added = {name for name in before if after[name] != before[name]}
        assert added <= {"core.core_recon_exception_event"}
        assert all(set(map(repr, before[name])) <= set(map(repr, after[name])) for name in added)


def test_after_an_upgrade_each_program_works_on_under_its_role(
    old_warehouse: str, postgres_server: Databases
) -> None:
    migrate(old_warehouse)
    for role in Role:
        postgres_server.ensure_role(role)
    with connect(old_warehouse) as conn:
        apply_operations(conn)
        apply_lenders(conn, load_lenders())
    database = old_warehouse.rpartition("/")[2]

    def session(role: Role) -> WarehouseConnection:
        return connect(postgres_server.url(database, role))

    with session(Role.POSTER) as conn:
        taken = conn.execute(
            "update core.core_fineract_pending_transactions set tries = tries + 1 returning posting_key"
        )
        assert taken.fetchall() == [{"posting_key": "waiting"}]
    with session(Role.INGESTION) as conn:
        conn.execute(
            "insert into raw.raw_payment_file (loan_id, amount, date, source_file, lender, _kind, _file_id, _row_number,"
            " _mapping_version) values ('GB100234', '1.00', '2026-01-06', 'b.csv', 'gb', 'nach_response', 2, 1, 'v')"
        )
    with session(Role.FINANCE) as conn:
        seen = conn.execute("select amount, umrn from masked.gb_payment_file order by file_id").fetchall()
        assert [row["amount"] for row in seen] == ["5499.00", "1.00"]
        assert seen[0]["umrn"] == "xxxxx"
    with session(Role.DBT) as conn:
        assert conn.execute("select count(*) as n from raw.raw_payment_file").fetchone() == {"n": 2}
