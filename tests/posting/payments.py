"""What posting reads of dbt's models, as dbt would fill it, for tests of what comes after it."""

from datetime import date
from decimal import Decimal
from typing import Any

from turno_lms.domain.keys import posting_key, recon_match_key, source_key
from turno_lms.warehouse.connection import Row, WarehouseConnection

_TABLE = """
create table core.core_transaction_data (
    posting_key text primary key, source_key text not null, occurrence integer not null, recon_match_key text not null,
    lender text not null, loan_id text not null, business_date date not null, amount numeric(18, 2) not null,
    stream text not null, channels_seen text[] not null, sightings integer not null, first_seen_at timestamptz not null,
    gateway_payment_reference text, bank_reference text, payment_status text, reconciliation_status text,
    posting_policy text, posting_block text, payment_type_id integer not null, _read_horizon bigint not null,
    _txid bigint not null default pg_current_xact_id()::text::bigint
);
create table core.core_payment_sighting (
    native_reference text primary key, stated_loan_id text, business_date date, amount numeric(18, 2),
    payment_status text, is_collection boolean, bank_reference text, seen_at timestamptz,
    _txid bigint not null default pg_current_xact_id()::text::bigint,
    lender text not null default 'gb', channel text not null default 'file:nach_response', takes_back text,
    is_historic boolean not null default false
);
create table base.base_gateway_payment (gateway_payment_reference text primary key, payment_status text);
grant select on core.core_transaction_data, core.core_payment_sighting, base.base_gateway_payment
to turno_poster, turno_reconciler
"""
JANUARY_5 = date(2026, 1, 5)


def create_transaction_table(conn: WarehouseConnection) -> None:
    """The columns that posting reads, in plain tables."""
    conn.execute(_TABLE)


def add_payment(
    conn: WarehouseConnection,
    loan_id: str,
    amount: str = "5499.00",
    business_date: date = JANUARY_5,
    *,
    occurrence: int = 1,
    block: str | None = None,
    lender: str = "gb",
) -> str:
    """Add one payment; returns its posting key."""
    source = source_key(lender, loan_id, business_date, amount)
    key = posting_key(source, occurrence)
    row: dict[str, Any] = {
        "posting_key": key,
        "source_key": source,
        "occurrence": occurrence,
        "recon_match_key": recon_match_key(loan_id, business_date, amount),
        "lender": lender,
        "loan_id": loan_id,
        "business_date": business_date,
        "amount": Decimal(amount),
        "stream": "nach_debits",
        "channels_seen": ["file:nach_response"],
        "sightings": 1,
        "first_seen_at": "2026-01-06T04:00:00Z",
        "bank_reference": f"UTR{key[:12]}",
        "posting_block": block,
        "payment_type_id": 1,
        "_read_horizon": 0,
    }
    columns = ", ".join(row)
    values = ", ".join(f"%({column})s" for column in row)
    conn.execute(f"insert into core.core_transaction_data ({columns}) values ({values})", row)  # noqa: S608  # own names
    return key


def block_payment(conn: WarehouseConnection, key: str, block: str | None) -> None:
    """What dbt does when something about a payment changes."""
    conn.execute(
        "update core.core_transaction_data set posting_block = %s, _txid = pg_current_xact_id()::text::bigint"
        " where posting_key = %s",
        (block, key),
    )


def pending(conn: WarehouseConnection, key: str) -> Row | None:
    return conn.execute(
        "select * from core.core_fineract_pending_transactions where posting_key = %s", (key,)
    ).fetchone()


def processed(conn: WarehouseConnection, key: str) -> Row | None:
    return conn.execute(
        "select * from core.core_transaction_data_processed where posting_key = %s", (key,)
    ).fetchone()


def archive(conn: WarehouseConnection, key: str) -> list[Row]:
    return conn.execute(
        "select * from core.core_fineract_transaction_archive where posting_key = %s order by archive_id",
        (key,),
    ).fetchall()


def add_ending(
    conn: WarehouseConnection,
    key: str,
    outcome: str,
    *,
    attempt: int = 1,
    loan_id: str = "A",
    business_date: date = JANUARY_5,
    amount: str = "5499.00",
) -> None:
    """As if a payment had ended by its n-th attempt."""
    values = {
        "key": key, "outcome": outcome, "attempt": attempt, "loan": loan_id, "date": business_date, "amount": amount,
    }  # fmt: skip
    conn.execute(
        """
        insert into core.core_transaction_data_processed
            (posting_key, outcome, lender, loan_id, business_date, amount, attempts, processed_by_run)
        values (%(key)s, %(outcome)s, 'gb', %(loan)s, %(date)s, %(amount)s, %(attempt)s, 'r')
        """,
        values,
    )
    conn.execute(
        """
        insert into core.core_fineract_transaction_archive
            (posting_key, lender, loan_id, business_date, amount, outcome, attempt, tries, created_by_run, ended_by_run)
        values (%(key)s, 'gb', %(loan)s, %(date)s, %(amount)s, %(outcome)s, %(attempt)s, %(attempt)s, 'r', 'r')
        """,
        values,
    )


def post_by_stream(conn: WarehouseConnection, lender: str, channel: str, stream: str = "nach_debits") -> None:
    """A lender as `turno lenders apply` leaves it, whose stream is posted by `channel`."""
    conn.execute(
        "insert into core.core_lender (lender, name, product_id, payment_type_id, post_from, mapping_version)"
        " select %s, %s, 1 + count(*), 1, '2025-12-01', 'v1' from core.core_lender",
        (lender, lender.upper()),
    )
    conn.execute(
        "insert into core.core_lender_stream (lender, stream, channel, is_posting_channel, posting_policy)"
        " values (%s, %s, %s, true, 'at_once'), (%s, 'manual_repayments', 'manual', true, 'at_once')",
        (lender, stream, channel, lender),
    )
