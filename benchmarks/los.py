"""New loans from files in S3 to their disbursal: client, application, approval, disbursal, with audit on.

Four files, one per operation, are put into the bucket; the steps of run_los_operations take them in and carry them out
against the stand-in, four chunks of four threads as the DAG has them, each chunk a process. Then the same files come
again under other names. `calls` are all HTTP calls to Fineract of the first run; the limit beside it is a bare
keep-alive client that sends as many reads.
"""

import csv
import io
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import requests

from benchmarks.services import postgres_server, s3_server, warehouse
from local_stack.environment import warehouse_connections
from local_stack.health import answers
from local_stack.processes import LOOPBACK, StackError, free_port, spawn, stop_child, wait_until
from turno_lms.warehouse.connection import Role

LOANS = int(os.environ.get("LOANS", "1000"))
ATOMIC = os.environ.get("ATOMIC", "") == "1"
_CHUNKS = 4
_THREADS = 4
_PRODUCT = {
    "name": "Axle EV loan", "shortName": "AXEV", "currencyCode": "INR", "digitsAfterDecimal": 2, "principal": 100000,
    "numberOfRepayments": 12, "repaymentEvery": 1, "repaymentFrequencyType": 2, "interestRatePerPeriod": 18,
    "interestRateFrequencyType": 3, "amortizationType": 1, "interestType": 1, "interestCalculationPeriodType": 1,
    "transactionProcessingStrategyCode": "mifos-standard-strategy", "daysInYearType": 365, "daysInMonthType": 30,
    "isInterestRecalculationEnabled": False, "accountingRule": 1,
}  # fmt: skip
_BUCKET = "turnofile"


def run() -> Mapping[str, float | int]:
    """Seconds of each stage, calls and calls a second, and what the same files did again."""
    with postgres_server() as databases, s3_server() as s3_url, _fineract() as fineract_url:
        url = warehouse(databases)
        _connections(lambda role: databases.url("warehouse", role), s3_url, fineract_url)
        product_id = _client(fineract_url).create_loan_product(_PRODUCT)
        s3 = _bucket()
        for operation, rows in _files().items():
            s3.put_object(Bucket=_BUCKET, Key=f"los/{operation}/first.csv", Body=_csv(rows))
        first = _whole_run(product_id)
        calls = _count(url, "select count(*) as n from raw.raw_fineract_api_log")
        done = _count(url, "select count(*) as n from core.core_los_processed where state = 'done'")
        for operation, rows in _files().items():
            s3.put_object(Bucket=_BUCKET, Key=f"los/{operation}/again.csv", Body=_csv(rows))
        again = _whole_run(product_id)
        changed = _count(url, "select count(*) as n from raw.raw_fineract_api_log") - calls
        bare = _bare_seconds(fineract_url, calls)
        loans = _active(fineract_url)
    seconds = first["clients"] + first["loans"]
    return {
        "loans": LOANS, "rows": 4 * LOANS, "done": done, "active": loans, "intake_seconds": first["intake"],
        "clients_seconds": first["clients"], "loans_seconds": first["loans"], "calls": calls,
        "calls_per_second": calls / seconds, "bare_calls_per_second": calls / bare, "vs_bare_client": bare / seconds,
        "again_seconds": sum(again.values()), "again_calls": changed,
    }  # fmt: skip


def _files() -> dict[str, list[dict[str, Any]]]:
    numbers = range(1, LOANS + 1)
    return {
        "create_client": [
            {"reference": f"C-{n}", "client_id": f"CL{n}", "fullname": f"Borrower {n}", "mobile_no": f"98{n:08d}",
             "activated_on": "2025-01-01"}
            for n in numbers
        ],
        "create_loan": [
            {"reference": f"L-{n}", "loan_id": f"AXL{n}", "lender": "axle", "client_id": f"CL{n}", "principal": "12000",
             "number_of_repayments": 12, "submitted_on": "2025-01-02", "expected_disbursement_on": "2025-01-05",
             "emi": "1180.00"}
            for n in numbers
        ],
        "approve_loan": [{"reference": f"A-{n}", "loan_id": f"AXL{n}", "approved_on": "2025-01-03"} for n in numbers],
        "disburse_loan": [
            {"reference": f"D-{n}", "loan_id": f"AXL{n}", "disbursed_on": "2025-01-05", "amount": "12000"}
            for n in numbers
        ],
    }  # fmt: skip


def _csv(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _whole_run(product_id: int) -> dict[str, float]:
    """The DAG's steps, timed: intake, clients, loans."""
    from turno_lms.domain.runs import RunContext
    from turno_lms.los import ledger
    from turno_lms.orchestration import los_operations
    from turno_lms.warehouse.connection import Role, connect

    run_context = RunContext("run_los_operations", f"benchmark_{secrets.token_hex(4)}")

    def take_files() -> None:
        for file in los_operations.find_los_files():
            los_operations.take_los_file(file)

    with patch.object(los_operations, "current_run", lambda: run_context):
        seconds = {"intake": _timed(take_files)}
    with connect(Role.POSTER) as conn:
        seconds["intake"] += _timed(lambda: ledger.claim(conn, run_context))
    for kind, name in (("client", "clients"), ("loan", "loans")):
        chunks = los_operations.plan_operations(kind, _CHUNKS)
        seconds[name] = _timed(partial(_work, chunks, run_context, product_id))
    return seconds


def _work(chunks: list[list[str]], run_context: Any, product_id: int) -> None:
    with ProcessPoolExecutor(max(len(chunks), 1)) as pool:
        list(pool.map(_work_chunk, chunks, [run_context] * len(chunks), [product_id] * len(chunks)))


def _work_chunk(subjects: list[str], run_context: Any, product_id: int) -> None:
    from turno_lms.lenders.los import LoanOperations
    from turno_lms.lenders.registry import load_lenders
    from turno_lms.los.runner import run_chunk

    axle = load_lenders()["axle"]
    fineract = axle.fineract.model_copy(update={"product_id": product_id})
    rules = LoanOperations(atomic_chain=ATOMIC)
    run_chunk(
        subjects,
        run_context,
        {"axle": axle.model_copy(update={"fineract": fineract, "los": rules})},
        threads=_THREADS,
    )


def _bare_seconds(url: str, calls: int) -> float:
    """As many bare reads of a loan over sixteen keep-alive sessions."""
    sessions = [_session() for _ in range(_CHUNKS * _THREADS)]

    def read(number: int) -> None:
        sessions[number % len(sessions)].get(f"{url}/loans/external-id/AXL{1 + number % LOANS}", timeout=60)

    def share(start: int) -> None:
        for number in range(start, calls, len(sessions)):
            read(number)

    def all_of_it() -> None:
        with ThreadPoolExecutor(len(sessions)) as pool:
            list(pool.map(share, range(len(sessions))))

    return _timed(all_of_it)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _count(url: str, query: str) -> int:
    from turno_lms.warehouse.connection import connect

    with connect(url) as conn:
        row = conn.execute(query).fetchone()
    return int((row or {})["n"])


def _active(url: str) -> int:
    """Loans that are active, as Fineract counts them."""
    page = _session().get(f"{url}/loans", params={"status": "300", "limit": "1", "orderBy": "id"}, timeout=60)
    return int(page.json()["totalFilteredRecords"])


def _session() -> requests.Session:
    session = requests.Session()
    session.auth = ("mifos", "password")
    session.headers["Fineract-Platform-TenantId"] = "default"
    return session


class _NoAudit:
    def record(self, call: Any) -> None:
        """Forget it."""


def _client(url: str) -> Any:
    from turno_lms.fineract.client import FineractClient

    return FineractClient(url, _session(), _NoAudit())


@contextmanager
def _fineract() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="turno-bench-") as folder:
        port = free_port()
        url = f"http://{LOOPBACK}:{port}/fineract-provider/api/v1"
        command = [sys.executable, "-m", "local_stack.fineract", "--host", LOOPBACK, "--port", str(port)]
        process = spawn([*command, "--state", f"{folder}/fineract.sqlite"], log=Path(folder) / "fineract.log")
        try:
            if not wait_until(lambda: answers(url), seconds=60.0):
                raise StackError("the stand-in did not start")
            yield url
        finally:
            stop_child(process)


def _connections(url_of: Callable[[Role], str], s3_url: str, fineract_url: str) -> None:
    """The Airflow connections, as the environment gives them."""
    login = {"conn_type": "http", "host": fineract_url, "login": "mifos", "password": "password"}
    keys = {"conn_type": "aws", "login": "test", "password": "test"}
    os.environ |= {
        **warehouse_connections(url_of),
        "AIRFLOW_CONN_TURNO_FINERACT": json.dumps(login),
        "AIRFLOW_CONN_TURNO_S3": json.dumps(
            {**keys, "extra": {"endpoint_url": s3_url, "region_name": "ap-south-1"}}
        ),
    }


def _bucket() -> Any:
    from turno_lms.orchestration.connections import s3_client

    client = s3_client()
    client.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})
    return client
