"""One loan in a stand-in, a warehouse that can post to it, and what a run of a resolution needs.

The loan: 100,000 flat at 18 % over 24 months from 5 December 2025, so 36,000 of interest; penalties of 590 and 410 and a
fee of 500 make 137,500 in all. Fineract's business date, and so today, is 10 June 2026.
"""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.processes import LOOPBACK, free_port, stop_child
from tests.conftest import start_server
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.conftest import QUICK
from tests.posting.payments import add_payment, create_transaction_table, post_by_stream
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FORMATS, FineractClient, Timeouts
from turno_lms.lenders.registry import mappings_directory
from turno_lms.orchestration.desk import LedgerDesk
from turno_lms.posting.worker import Poster
from turno_lms.resolutions import settlements
from turno_lms.resolutions.forms import read_settlement
from turno_lms.resolutions.steps import Patience, Walk
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, connect

LOAN = "GB100001"
TODAY = date(2026, 6, 10)
CHARGES = ((590, date(2026, 2, 10), True), (500, date(2026, 3, 1), False), (410, date(2026, 4, 10), True))
ASHA = RunContext("settle_loan", "run 1", "quote", actor="asha")
MEERA = RunContext("settle_loan", "run 1", "decide", actor="finance_head")
ROBOT = RunContext("advance_resolutions", "run 2", "advance")
FORM: dict[str, Any] = {
    "lender": "gb",
    "loan_id": LOAN,
    "amount": "96000.00",
    "waive": ["penalties", "fees", "interest"],
    "reason": "illness",
    "evidence": "mail of 8 June",
}


def add_charges(client: FineractClient, loan_id: str) -> None:
    """Define the two charges and put three on the loan."""
    numbers = {}
    for penalty in (False, True):
        body = {
            "name": f"{loan_id} {'penalty' if penalty else 'fee'}", "currencyCode": "INR", "amount": 1,
            "chargeAppliesTo": 1, "chargeTimeType": 2, "chargeCalculationType": 1, "chargePaymentMode": 0,
            "active": True, "penalty": penalty, **FORMATS,
        }  # fmt: skip
        answer = client.send("POST", "/charges", body, purpose="test", subject="c", idempotency_key=None)
        numbers[penalty] = answer.body["resourceId"]
    for amount, due, penalty in CHARGES:
        body = {"chargeId": numbers[penalty], "amount": amount, "dueDate": due, **FORMATS}
        path = f"/loans/external-id/{loan_id}/charges"
        answer = client.send("POST", path, body, purpose="test", subject="c", idempotency_key=None)
        assert answer.ok, answer


def make_loan(client: FineractClient, loan_id: str = LOAN) -> None:
    """The loan of this folder's tests."""
    make_loans(client, [loan_id])
    add_charges(client, loan_id)
    client.set_business_date(TODAY)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """One stand-in for a file of tests: the base URL of its API, and its state."""
    port, folder = free_port(), tmp_path_factory.mktemp("fineract")
    base, state = f"http://{LOOPBACK}:{port}/fineract-provider/api/v1", folder / "fineract.sqlite"
    where = ["--host", LOOPBACK, "--port", str(port), "--state", str(state)]
    process = start_server([sys.executable, "-m", "local_stack.fineract", *where], base, folder / "log")
    yield base, state
    stop_child(process)


@pytest.fixture
def fineract_url(server: tuple[str, Path]) -> str:
    """The stand-in, emptied: quicker than a new one for every test."""
    base, state = server
    requests.delete(f"{_switches(base)}/rules", timeout=5).raise_for_status()
    requests.put(
        f"{_switches(base)}/settings", json={"retry_pauses_ms": [20, 40]}, timeout=5
    ).raise_for_status()
    with closing(sqlite3.connect(state, isolation_level=None)) as database:
        database.execute("begin immediate")
        tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            if table not in {"configuration", "payment_type"}:
                database.execute(f"delete from {table}")  # noqa: S608  # the stand-in's own names
        database.execute("commit")
    return base


def _switches(base: str) -> str:
    return base.removesuffix("/fineract-provider/api/v1") + "/standin"


@pytest.fixture
def fineract(fineract_url: str) -> FineractClient:
    client = standin_client(fineract_url, timeouts=Timeouts(2, 2))
    make_loan(client)
    return client


@pytest.fixture
def standin(fineract_url: str) -> str:
    """The address of the stand-in's own switches."""
    return _switches(fineract_url)


@pytest.fixture
def ledger(warehouse_url: str) -> Iterator[WarehouseConnection]:
    """An autocommit connection to a warehouse whose lender gb posts."""
    with connect(warehouse_url, autocommit=True) as conn:
        create_transaction_table(conn)
        post_by_stream(conn, "gb", "file:nach_response")
        yield conn


NewWalk = Callable[..., Walk]


@pytest.fixture
def walk(
    ledger: WarehouseConnection,
    fineract: FineractClient,
    fineract_url: str,
    warehouse_role_url: Callable[[str], str],
) -> Iterator[Walk]:
    """What a run works with, under the application's own role."""
    url = warehouse_role_url(Role.POSTER)
    poster = Poster(
        lambda: connect(url, autocommit=True),
        lambda audit: standin_client(fineract_url, audit, Timeouts(5, 5)),
        ROBOT,
        QUICK,
    )
    with connect(url, autocommit=True) as conn:
        desk = LedgerDesk(conn, fineract, ROBOT, lambda loan_id: poster.post([loan_id]))
        yield Walk(conn, fineract, ROBOT, desk, Patience(settling=0, most_tries=3))


@pytest.fixture
def write_off_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GB's policy, but what remains of a settlement is written off."""
    text = (mappings_directory() / "gb.yml").read_text(encoding="utf-8")
    changed = text.replace("remainder: goodwill_credit", "remainder: write_off")
    assert changed != text
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "gb.yml").write_text(changed, encoding="utf-8")
    monkeypatch.setenv("TURNO_LENDER_MAPPINGS", str(tmp_path / "mappings"))


@dataclass(frozen=True)
class Told:
    """What Fineract shows of the loan."""

    status: int
    outstanding: Decimal
    waived: Decimal
    written_off: Decimal


def told(client: FineractClient, loan_id: str = LOAN) -> Told:
    loan = client.find_loan(loan_id)
    assert loan is not None
    summary = loan["summary"]
    return Told(
        loan["status"]["id"],
        *(Decimal(summary[name]) for name in ("totalOutstanding", "totalWaived", "totalWrittenOff")),
    )


def standing(client: FineractClient, loan_id: str = LOAN) -> list[tuple[int, Decimal]]:
    """Type and rupees of the loan's transactions that stand, but for the disbursal, in the order Fineract shows."""
    return [
        (each["type"]["id"], Decimal(each["amount"]))
        for each in client.loan_transactions(loan_id)
        if not each["manuallyReversed"] and each["type"]["id"] != 1
    ]


def pay(conn: WarehouseConnection, amount: str, day: date = TODAY, **more: Any) -> str:
    """Money that comes in for the loan; returns its posting key."""
    return add_payment(conn, LOAN, amount, day, **more)


def requested(walk: Walk, **changes: Any) -> str:
    """A settlement that waits for a decision."""
    run = RunContext("settle_loan", changes.pop("run_id", "run 1"), "quote", actor="asha")
    form = read_settlement(FORM | changes)
    return str(settlements.request(walk.conn, walk.client, form, run, TODAY)["settlement_ref"])


def accepted(walk: Walk, **changes: Any) -> str:
    """A settlement that was approved and waits for its money."""
    ref = requested(walk, **changes)
    settlements.decide(walk.conn, ref, MEERA, approved=True)
    settlements.accept(walk.conn, ref, ROBOT)
    return ref


def steps(conn: WarehouseConnection, ref: str) -> list[tuple[str, str]]:
    rows: list[Row] = conn.execute(
        "select kind, state from core.core_resolution_step where resolution_ref = %s order by position",
        (ref,),
    ).fetchall()
    return [(row["kind"], row["state"]) for row in rows]
