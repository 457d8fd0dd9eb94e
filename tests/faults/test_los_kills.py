"""Operations whose process is killed half-way (SIGKILL) and started again: nothing twice, nothing lost; and bugs that show.

TURNO_LOS_LOANS and TURNO_LOS_KILLS make it longer.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import requests

from tests.fineract.loan_book import standin_client
from tests.los.fineract_book import PRODUCT, LosBook, approval_of, disbursal_of, lenders_with, new_loan
from turno_lms.warehouse.connection import Role, connect

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

LOANS = int(os.environ.get("TURNO_LOS_LOANS", "4"))
KILLS = int(os.environ.get("TURNO_LOS_KILLS", "3"))
POINTS = ("after_send", "before_commit", "before_send")
CHAIN_POINTS = ("create_approve_disburse", "before_chain_commit", "before_create_approve_disburse")
THREADS = 3
FEE = {
    "name": "Visit", "currencyCode": "INR", "amount": 500, "chargeAppliesTo": 1, "chargeTimeType": 2,
    "chargeCalculationType": 1, "chargePaymentMode": 0, "active": True, "locale": "en",
}  # fmt: skip


@dataclass
class Figures:
    """Of the loans that were asked for: how many are there twice or not as asked, and rows that are not done."""

    doubles: int
    lost: int
    open: int

    @property
    def clean(self) -> bool:
        return not (self.doubles or self.lost or self.open)


class Killed:
    """Loans in the warehouse, and the process that is to make them."""

    def __init__(self, book: LosBook, product_id: int, loans: int, *options: str):
        self.book = book
        self._product = product_id
        self._loans = loans
        self._options = options
        fee = book.client.send("POST", "/charges", FEE, purpose="t", subject="t", idempotency_key=None)
        charge = {"charge_id": fee.body["resourceId"], "amount": "500", "due_date": "2025-02-20"}
        for number in range(1, loans + 1):
            loan_id = f"AXL{number}"
            new_loan(book, number)
            book.submit("add_charge", {"reference": f"F-{number}", "loan_id": loan_id, "charge": charge})
            book.submit("undo_disbursal", {"reference": f"UD-{number}", "loan_id": loan_id})
            book.submit("undo_approval", {"reference": f"UA-{number}", "loan_id": loan_id})
            book.submit("approve_loan", approval_of(number, reference=f"A2-{number}"))
            book.submit("disburse_loan", disbursal_of(number, reference=f"D2-{number}"))

    def run(self, *options: str) -> int:
        """One process; its status (-9 when it was killed)."""
        command = [sys.executable, "-m", "tests.faults.los_process", "--warehouse", self.book.app_url]
        command += ["--fineract", self.book.url, "--product", str(self._product), *self._options, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr[-3000:]
        self.book.wait_over()
        return done.returncode

    def figures(self) -> Figures:
        loans = list(self.book.client.list_loans())
        clients = self.book.client.look("/clients", purpose="test").body["totalFilteredRecords"]
        doubles = len(loans) - len({loan["externalId"] for loan in loans}) + max(clients - self._loans, 0)
        lost = self._loans - sum(loan["status"]["id"] == 300 for loan in loans)
        for loan in loans:
            whole = self.book.loan(loan["externalId"], "charges", "transactions")
            standing = [each for each in whole["transactions"] if not each["manuallyReversed"]]
            doubles += max(len(whole["charges"]) - 1, 0) + max(len(standing) - 1, 0)
        left = sum(state != "done" for state in self.book.states().values())
        return Figures(doubles, lost, left)


@pytest.fixture
def book(
    warehouse_url: str, warehouse_role_url: Callable[[str], str], fineract_url: str
) -> Iterator[LosBook]:
    with connect(warehouse_url, autocommit=True) as conn:
        product_id = standin_client(fineract_url).create_loan_product(PRODUCT)
        yield LosBook(fineract_url, warehouse_role_url(Role.POSTER), conn, lenders_with(product_id))


@pytest.fixture
def killed(book: LosBook) -> Killed:
    """Each step of a new loan by itself."""
    return Killed(book, book.lenders["axle"].fineract.product_id, LOANS)


@pytest.fixture
def killed_chains(book: LosBook) -> Killed:
    """Each new loan as one batch; so many that every process finds one, though each that dies leaves three begun."""
    loans = max(LOANS, THREADS * max(KILLS, len(CHAIN_POINTS)) + 1)
    return Killed(book, book.lenders["axle"].fineract.product_id, loans, "--atomic")


def test_killed_at_any_point_and_started_again_nothing_is_done_twice_or_lost(killed: Killed) -> None:
    for number in range(KILLS):
        point = POINTS[number % len(POINTS)]
        assert killed.run("--die-at", f"{point}:{4 + number}") == -signal.SIGKILL, point
    assert killed.run() == 0
    figures = killed.figures()
    assert figures.clean, figures
    calls = "select count(*) as calls from raw.raw_fineract_api_log where method <> 'GET'"
    before = killed.book.conn.execute(calls).fetchone()
    assert killed.run() == 0
    assert killed.book.conn.execute(calls).fetchone() == before, "the same again changes nothing"


def test_chains_killed_at_any_point_are_done_once_and_none_is_lost(killed_chains: Killed) -> None:
    """The batch has left and was answered, or its outcome is about to be noted, or it is about to leave; one more is lost
    on the way there, and of one the answer is lost on the way back.
    """
    killed = killed_chains
    set_fault(killed.book, "batch", "drop_before")
    set_fault(killed.book, "batch", "drop_after")
    for number in range(KILLS):
        point = CHAIN_POINTS[number % len(CHAIN_POINTS)]
        assert killed.run("--die-at", f"{point}:1") == -signal.SIGKILL, point
    assert killed.run() == 0
    figures = killed.figures()
    assert figures.clean, figures
    sent = killed.book.conn.execute(
        "select count(*) as n from raw.raw_fineract_api_log where purpose = 'create_approve_disburse'"
    ).fetchone()
    assert sent
    assert sent["n"] > 0
    calls = "select count(*) as calls from raw.raw_fineract_api_log where method <> 'GET'"
    before = killed.book.conn.execute(calls).fetchone()
    assert killed.run() == 0
    assert killed.book.conn.execute(calls).fetchone() == before, "the same again changes nothing"


def set_fault(book: LosBook, operation: str, fault: str) -> None:
    """Have the next call of an operation meet a fault of the stand-in."""
    root = book.url.partition("/fineract-provider")[0]
    rule = {"requests": operation, "fault": fault, "next": 1}
    requests.post(f"{root}/standin/rules", json=rule, timeout=10).raise_for_status()


def drop_answers(book: LosBook, operation: str | None) -> None:
    """Have the first call of an operation end without an answer and without an effect."""
    if operation:
        set_fault(book, operation, "drop_before")


@pytest.mark.parametrize(
    ("bug", "operation", "figure"),
    [
        ("new_external_id_per_try", "add_charge", "doubles"),
        ("nothing_is_looked_at", "create_client", "open"),
        ("lost_answer_taken_for_success", "create_loan", "open"),
    ],
)
def test_a_planted_bug_shows(killed: Killed, bug: str, operation: str, figure: str) -> None:
    """Killed when Fineract has done it and nobody has noted it; the same product without the bug is clean, see above."""
    drop_answers(killed.book, "create_client" if bug.startswith("lost") else None)
    assert killed.run("--bug", bug, "--die-at", f"{operation}:1") == -signal.SIGKILL
    killed.run("--bug", bug)
    figures = killed.figures()
    assert getattr(figures, figure) > 0, figures


@pytest.mark.parametrize(
    ("bug", "figure"), [("lost_chain_taken_for_success", "lost"), ("nothing_is_looked_at", "open")]
)
def test_a_bug_planted_in_the_chain_shows(killed_chains: Killed, bug: str, figure: str) -> None:
    """Killed when the batch was answered and nobody has noted it; without the bug it is clean, see above."""
    killed = killed_chains
    set_fault(killed.book, "batch", "drop_before")
    assert killed.run("--bug", bug, "--die-at", "create_approve_disburse:6") == -signal.SIGKILL
    killed.run("--bug", bug)
    figures = killed.figures()
    assert getattr(figures, figure) > 0, figures
