"""Posting against a bare keep-alive client: the same repayments to the same stand-in at 50 ms, 16 calls in flight.

Ours is the shipped path, as the DAG runs it: claim, plan, four chunks of four threads in a process each, over a durable
PostgreSQL, with leases, ledger and API log. The peer is a `requests.Session` in each of 16 threads that posts
bodies made beforehand and looks at the status. Rounds alternate, so that what else the machine does meets both.

`vs_bare_client` is the median of the rounds' ratios; `limit_per_second` is what 16 calls of 50 ms allow at most.
`vs_bare_client_faults` has 1 % of each class of fault switched on for ours alone. CPU is of the posting processes.
"""

import json
import multiprocessing
import os
import secrets
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

import requests

from benchmarks.services import postgres_server, warehouse
from local_stack.health import answers
from local_stack.processes import LOOPBACK, free_port, spawn, stop_child, wait_until
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import add_payment, create_transaction_table
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FineractClient
from turno_lms.posting.claim import claim
from turno_lms.posting.plan import plan_chunks
from turno_lms.posting.proof import changed_loans, prove
from turno_lms.posting.settings import PostingSettings
from turno_lms.posting.worker import Poster
from turno_lms.warehouse.connection import WarehouseConnection, connect

LATENCY_MS = 50
CHUNKS, THREADS = 4, 4  # as dags/post_repayments.py
IN_FLIGHT = CHUNKS * THREADS
ROUNDS = 4
LOANS, PAYMENTS_EACH = 250, 10  # of each side in each round: 10 000 repayments in all
FAULT_LOANS = 100
FAULT_RATE = "0.01"
FAULTS = (
    "drop_before", "drop_after", "error_before", "error_after", "bad_gateway", "unavailable", "loan_locked", "conflict",
)  # fmt: skip
FIRST_DAY = date(2026, 1, 1)
RUN = RunContext("bench", "posting")
# a fault costs its look-up and its wait, not minutes of patience: what is measured is work, not sleep
SETTINGS = replace(PostingSettings(), threads=THREADS, first_wait=0.05, longest_wait=0.5)


def run() -> Mapping[str, float | int]:
    """Measure; returns the figures of the bench line."""
    with servers() as (warehouse_url, fineract):
        return _measure(warehouse_url, fineract)


def _measure(warehouse_url: str, fineract: str) -> dict[str, float | int]:
    bare_rates, our_rates, cpu_ms = [], [], []
    loans = _Loans(fineract)
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(CHUNKS, mp_context=context) as pool,
        connect(warehouse_url, autocommit=True) as conn,
    ):
        create_transaction_table(conn)
        _post_ours(pool, conn, warehouse_url, fineract, loans.make_ours(IN_FLIGHT), 1)  # imports and caches
        for _ in range(ROUNDS):
            rate, cpu = _post_ours(pool, conn, warehouse_url, fineract, loans.make_ours(LOANS), PAYMENTS_EACH)
            our_rates.append(rate)
            cpu_ms.append(cpu)
            bare_rates.append(_post_bare(fineract, loans.make(LOANS), PAYMENTS_EACH))
        with _weather(fineract, FAULTS):
            faults_rate, _ = _post_ours(
                pool, conn, warehouse_url, fineract, loans.make_ours(FAULT_LOANS), PAYMENTS_EACH
            )
        started = time.perf_counter()
        differences = len(prove(conn, standin_client(fineract), loans.ours, RUN).differences)
        proof_seconds = time.perf_counter() - started
        proof_of_100k, changes_of_100k = _time_a_large_proof(conn)
    bare = statistics.median(bare_rates)
    return {
        "vs_bare_client": round(
            statistics.median(map(lambda ours, bare: ours / bare, our_rates, bare_rates)), 3
        ),
        "vs_bare_client_faults": round(faults_rate / bare, 3),
        "posted": ROUNDS * LOANS * PAYMENTS_EACH,
        "posted_per_second": round(statistics.median(our_rates)),
        "bare_per_second": round(bare),
        "limit_per_second": IN_FLIGHT * 1000 // LATENCY_MS,
        "cpu_ms_per_call": round(statistics.median(cpu_ms), 2),
        "proof_seconds": round(proof_seconds, 2),
        "proof_seconds_100k": round(proof_of_100k, 2),
        "changed_loans_seconds_100k": round(changes_of_100k, 3),
        "differences": differences,
    }


# ---------------------------------------------------------------- ours


def _post_ours(  # noqa: PLR0917
    pool: ProcessPoolExecutor,
    conn: WarehouseConnection,
    warehouse_url: str,
    fineract: str,
    loans: list[str],
    each: int,
) -> tuple[float, float]:
    """Repayments per second from the claim to the last outcome, and CPU milliseconds per repayment."""
    for loan_id in loans:
        for number in range(each):
            add_payment(conn, loan_id, _amount(number), _day(number))
    started = time.perf_counter()
    claim(conn, RUN)
    chunks = plan_chunks(conn, CHUNKS)
    while chunks:
        reports = list(pool.map(_post_chunk, chunks, [warehouse_url] * len(chunks), [fineract] * len(chunks)))
        chunks = plan_chunks(conn, CHUNKS)
    seconds = time.perf_counter() - started
    posted = conn.execute(
        "select count(*) as n from core.core_transaction_data_processed where loan_id = any(%s) and outcome = 'posted'",
        (loans,),
    ).fetchone()
    expected = len(loans) * each
    if posted != {"n": expected}:
        raise RuntimeError(f"{posted} of {expected} repayments posted")
    return expected / seconds, 1000 * sum(reports) / expected


def _post_chunk(loan_ids: list[str], warehouse_url: str, fineract: str) -> float:
    """One task of the DAG; returns the CPU seconds it took."""
    from turno_lms.fineract.hook import (
        FineractHook,
    )  # over a second of imports: paid in the round before the first

    connection = {"conn_type": "http", "host": fineract, "login": "mifos", "password": "password"}
    os.environ["AIRFLOW_CONN_TURNO_FINERACT"] = json.dumps(connection)
    started = time.process_time()
    Poster(lambda: connect(warehouse_url, autocommit=True), FineractHook().client, RUN, SETTINGS).post(
        loan_ids
    )
    return time.process_time() - started


# ---------------------------------------------------------------- the peer


def _post_bare(fineract: str, loans: list[str], each: int) -> float:
    """The same POSTs by 16 threads with a keep-alive session each, one loan at a time as its lock asks."""
    work: SimpleQueue[list[tuple[str, dict[str, object], str]]] = SimpleQueue()
    for loan_id in loans:
        url = f"{fineract}/loans/external-id/{loan_id}/transactions?command=repayment"
        work.put([(url, _body(number), secrets.token_hex(16)) for number in range(each)])

    def post() -> None:
        with requests.Session() as session:
            session.auth = ("mifos", "password")
            session.headers["Fineract-Platform-TenantId"] = "default"
            while not work.empty():
                for url, body, key in work.get():
                    posted = {**body, "externalId": key}
                    session.post(
                        url, json=posted, headers={"Idempotency-Key": f"{key}-a1"}, timeout=60
                    ).raise_for_status()

    started = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for thread in [pool.submit(post) for _ in range(IN_FLIGHT)]:
            thread.result()
    return len(loans) * each / (time.perf_counter() - started)


def _body(number: int) -> dict[str, object]:
    return {
        "transactionDate": f"{_day(number):%Y-%m-%d}", "transactionAmount": _amount(number), "paymentTypeId": 1,
        "receiptNumber": secrets.token_hex(8), "dateFormat": "yyyy-MM-dd", "locale": "en",
    }  # fmt: skip


def _amount(number: int) -> str:
    return f"{1000 + number}.00"


def _day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


# ---------------------------------------------------------------- the proof of a large book

BOOK_LOANS, BOOK_TRANSACTIONS_EACH = 10_000, 10
_FILL_LEDGER = """
insert into core.core_transaction_data_processed
    (posting_key, outcome, lender, loan_id, business_date, amount, fineract_transaction_id, attempts, processed_by_run)
select md5(loan || '/' || nth), 'posted', 'bench', 'P' || lpad(loan::text, 5, '0'), date '2026-01-01' + nth, 1000 + nth,
    loan * 100 + nth, 1, 'bench'
from generate_series(0, %s - 1) as loan, generate_series(0, %s - 1) as nth
"""


class _Books(FineractClient):
    """What Fineract would answer for the large book, from memory: what is timed is our side of the proof."""

    def __init__(self) -> None:
        """No address."""

    def loan_transactions(self, loan_external_id: str) -> list[dict[str, Any]]:
        """The transactions of one loan of the book."""
        loan = int(loan_external_id.removeprefix("P"))
        return [
            {
                "id": loan * 100 + nth, "externalId": md5(f"{loan}/{nth}".encode(), usedforsecurity=False).hexdigest(),
                "amount": Decimal(1000 + nth), "date": [2026, 1, 1 + nth], "type": {"id": 2}, "manuallyReversed": False,
            }
            for nth in range(BOOK_TRANSACTIONS_EACH)
        ]  # fmt: skip


def _time_a_large_proof(conn: WarehouseConnection) -> tuple[float, float]:
    """Seconds to prove 100 000 transactions without Fineract's own time, and then to find that no loan has changed."""
    conn.execute(_FILL_LEDGER, (BOOK_LOANS, BOOK_TRANSACTIONS_EACH))
    conn.execute("analyze core.core_transaction_data_processed")
    loans = [f"P{number:05}" for number in range(BOOK_LOANS)]
    started = time.perf_counter()
    report = prove(conn, _Books(), loans, RUN)
    proved = time.perf_counter()
    if report.differences or report.transactions != BOOK_LOANS * BOOK_TRANSACTIONS_EACH:
        raise RuntimeError(
            f"the large proof found {report.transactions} transactions, {report.differences[:3]}"
        )
    changed_loans(conn)
    return proved - started, time.perf_counter() - proved


# ---------------------------------------------------------------- the servers


class _Loans:
    """Fresh loans for each measurement, so that no side meets longer histories than the other."""

    def __init__(self, fineract: str):
        self._client = standin_client(fineract)
        self._made = 0
        self.ours: list[str] = []

    def make(self, how_many: int) -> list[str]:
        names = [f"B{self._made + number:05}" for number in range(how_many)]
        self._made += how_many
        make_loans(self._client, names, Decimal(100_000))
        return names

    def make_ours(self, how_many: int) -> list[str]:
        """Loans that the proof is to look at afterwards."""
        made = self.make(how_many)
        self.ours += made
        return made


@contextmanager
def servers() -> Iterator[tuple[str, str]]:
    """A durable warehouse and a stand-in that takes its time over each repayment."""
    port = free_port()
    fineract = f"http://{LOOPBACK}:{port}/fineract-provider/api/v1"
    with TemporaryDirectory(prefix="turno-bench-") as name, postgres_server() as databases:
        folder = Path(name)
        where = ["--port", str(port), "--state", str(folder / "fineract.sqlite")]
        standin = spawn([sys.executable, "-m", "local_stack.fineract", *where], log=folder / "fineract.log")
        try:
            if not wait_until(lambda: answers(fineract), seconds=30):
                raise RuntimeError("the stand-in did not start")
            url = warehouse(databases)
            with _weather(fineract):
                yield url, fineract
        finally:
            stop_child(standin)


@contextmanager
def _weather(fineract: str, faults: tuple[str, ...] = ()) -> Iterator[None]:
    """Latency of repayments, and with it 1 % of each of `faults`."""
    standin = fineract.removesuffix("/fineract-provider/api/v1") + "/standin"
    rules: list[dict[str, object]] = [{"requests": "repayment", "latency_ms": LATENCY_MS}]
    rules += [{"requests": "repayment", "fault": fault, "rate": FAULT_RATE} for fault in faults]
    settings = {"retry_pauses_ms": [20, 40]}
    requests.put(f"{standin}/settings", json=settings, timeout=5).raise_for_status()
    for rule in rules:
        requests.post(f"{standin}/rules", json=rule, timeout=5).raise_for_status()
    yield
    requests.delete(f"{standin}/rules", timeout=5).raise_for_status()
