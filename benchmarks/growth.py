"""What grows with what: the DAG file with lenders, claim and figures with payments, posting with calls in flight.

Small sizes of the work that other areas measure at length, beside each other, so that the next bottleneck shows.
Parsing is processor time, which other work on the machine distorts least; the rest is time on the clock.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import parsing, posting
from benchmarks.services import postgres_server, warehouse
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import add_payment, create_transaction_table
from turno_lms.metrics.collect import exposition
from turno_lms.posting.claim import claim
from turno_lms.posting.plan import plan_chunks
from turno_lms.posting.worker import Poster
from turno_lms.warehouse.connection import WarehouseConnection, connect

LENDERS = (50, 200, 500)
PAYMENTS = (100_000, 1_000_000)
IN_FLIGHT = (2, 4, 8, 16)
LOANS_EACH = 8
"""Loans for each call in flight, with one payment each."""
_HISTORY = """
with payment as (
    select
        md5('payment' || n) as posting_key,
        'L' || lpad((n %% 50000)::text, 6, '0') as loan_id,
        date '2025-12-01' + (n %% 365)::integer as business_date,
        n
    from generate_series(%(first)s::integer, %(last)s::integer) as n
),

seen as (
    insert into core.core_transaction_data (
        posting_key, source_key, occurrence, recon_match_key, lender, loan_id, business_date, amount, stream,
        channels_seen, sightings, first_seen_at, payment_type_id, _read_horizon
    )
    select
        posting_key, posting_key, 1, posting_key, 'gb', loan_id, business_date, 5499.00, 'nach_debits', '{file:nach}',
        1, now(), 1, 0
    from payment
)

insert into core.core_transaction_data_processed (
    posting_key, outcome, lender, loan_id, business_date, amount, fineract_transaction_id, attempts, processed_by_run
)
select posting_key, 'posted', 'gb', loan_id, business_date, 5499.00, n, 1, 'bench'
from payment
"""


def run() -> Mapping[str, float | int]:
    """Measure each curve, the cheapest first."""
    return _parsing() | _history() | _posting()


def _parsing() -> dict[str, float | int]:
    figures: dict[str, float | int] = {}
    for lenders in (0, *LENDERS):
        with TemporaryDirectory(prefix="turno-bench-") as folder:
            mappings = Path(folder) / "mappings"
            mappings.mkdir()
            parsing.write_mappings(mappings, lenders)
            runs = [parsing.parse(mappings, Path(folder) / "airflow") for _ in range(3)]
        figures[f"parse_seconds_{lenders}"] = round(statistics.median(runs), 3)
    return figures


def _history() -> dict[str, float | int]:
    """A claim that finds nothing new, and a reading of the figures, over a history that has ended."""
    figures: dict[str, float | int] = {}
    with postgres_server() as databases, connect(warehouse(databases), autocommit=True) as conn:
        create_transaction_table(conn)
        before = 0
        for payments in PAYMENTS:
            conn.execute(_HISTORY, {"first": before + 1, "last": payments})
            conn.execute("vacuum analyze core.core_transaction_data, core.core_transaction_data_processed")
            before = payments
            figures[f"claim_seconds_{payments}"] = _seconds(lambda: claim(conn, posting.RUN))
            figures[f"metrics_seconds_{payments}"] = _seconds(lambda: exposition(conn))
    return figures


def _seconds(work: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return round(statistics.median(took), 3)


def _posting() -> dict[str, float | int]:
    figures: dict[str, float | int] = {}
    with posting.servers() as (url, fineract), connect(url, autocommit=True) as conn:
        create_transaction_table(conn)
        _post(conn, url, fineract, 1)  # imports and caches
        for calls in IN_FLIGHT:
            figures[f"posted_per_second_{calls}"] = round(_post(conn, url, fineract, calls), 1)
    return figures


def _post(conn: WarehouseConnection, url: str, fineract: str, calls: int) -> float:
    """Repayments per second by one process with so many calls in flight."""
    from turno_lms.fineract.hook import FineractHook

    connection = {"conn_type": "http", "host": fineract, "login": "mifos", "password": "password"}
    os.environ["AIRFLOW_CONN_TURNO_FINERACT"] = json.dumps(connection)
    loans = [f"G{calls:02}{number:04}" for number in range(calls * LOANS_EACH)]
    make_loans(standin_client(fineract), loans, Decimal(100_000))
    for loan_id in loans:
        add_payment(conn, loan_id)
    started = time.perf_counter()
    claim(conn, posting.RUN)
    settings = replace(posting.SETTINGS, threads=calls)
    for chunk in plan_chunks(conn, 1):
        Poster(lambda: connect(url, autocommit=True), FineractHook().client, posting.RUN, settings).post(
            chunk
        )
    return len(loans) / (time.perf_counter() - started)
