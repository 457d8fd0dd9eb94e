"""Money that comes in on a loan that was written off meanwhile, against the stand-in: parked, then booked as a recovery.

The loan is 100,000 flat at 18 % over 24 months: 136,000 in all, so a write-off takes 136,000.
"""

from datetime import date
from decimal import Decimal

import pytest

from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.conftest import QUICK
from tests.posting.payments import add_payment, archive, processed
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import RepaymentKind
from turno_lms.fineract.audit import AuditSink
from turno_lms.fineract.client import FineractClient
from turno_lms.posting import cases
from turno_lms.posting.claim import claim
from turno_lms.posting.plan import plan_chunks
from turno_lms.posting.proof import prove
from turno_lms.posting.reversals import execute_reversals, request_reversal
from turno_lms.posting.worker import Poster
from turno_lms.warehouse.connection import WarehouseConnection, connect

MEERA = RunContext("decide_repayment", "manual__2", "decide", actor="meera")


@pytest.fixture
def client(fineract_url: str) -> FineractClient:
    """A stand-in with the loan A, written off on 10 January."""
    client = standin_client(fineract_url)
    make_loans(client, ["A"])
    fields = {"transactionDate": "2026-01-10", "dateFormat": "yyyy-MM-dd", "locale": "en"}
    client._write("POST", "/loans/external-id/A/transactions?command=writeoff", fields, "write_off")
    return client


@pytest.fixture
def poster(ledger_url: str, fineract_url: str, run: RunContext) -> Poster:
    def new_client(audit: AuditSink) -> FineractClient:
        return standin_client(fineract_url, audit)

    return Poster(lambda: connect(ledger_url, autocommit=True), new_client, run, QUICK)


@pytest.fixture
def parked(ledger: WarehouseConnection, client: FineractClient, poster: Poster, run: RunContext) -> str:
    """The key of a payment that came after the write-off."""
    key = add_payment(ledger, "A", business_date=date(2026, 1, 12))
    claim(ledger, run)
    poster.post(["A"])
    return key


def test_money_on_a_written_off_loan_is_parked_and_not_sent_again(
    ledger: WarehouseConnection, poster: Poster, run: RunContext, parked: str
) -> None:
    [question] = cases.parked(ledger)
    assert (question["kind"], question["posting_key"]) == ("posting_failed", parked)
    assert "loan.must.be.active.fully.paid.or.overpaid" in question["reason"]
    claim(ledger, run)
    assert plan_chunks(ledger, 4) == []


def test_parked_money_is_booked_as_a_recovery_once_and_the_proof_holds(
    ledger: WarehouseConnection, client: FineractClient, poster: Poster, run: RunContext, parked: str
) -> None:
    cases.repost(ledger, parked, RepaymentKind.RECOVERY, "written off on 10 January", MEERA)
    assert poster.post(["A"]).to_dict()["posted"] == 1
    entry = processed(ledger, parked)
    assert entry is not None
    assert (entry["outcome"], entry["kind"], entry["amount"]) == ("posted", "recovery", Decimal("5499.00"))
    assert [row["outcome"] for row in archive(ledger, parked)] == ["failed", "posted"]
    assert cases.parked(ledger) == []
    loan = client.find_loan("A")
    assert loan is not None
    assert (loan["status"]["id"], loan["summary"]["totalRecovered"]) == (601, Decimal("5499.00"))
    [booked] = [t for t in client.loan_transactions("A") if t.get("externalId") == parked]
    assert (booked["type"]["id"], booked["amount"]) == (8, Decimal("5499.00"))
    report = prove(ledger, client, ["A"], run)
    assert (report.differences, report.transactions, report.foreign) == ([], 1, 0)


def test_as_a_plain_repayment_it_is_refused_again_and_stays_parked(
    ledger: WarehouseConnection, poster: Poster, parked: str
) -> None:
    cases.repost(ledger, parked, RepaymentKind.REPAYMENT, "tried the other way", MEERA)
    assert poster.post(["A"]).to_dict()["failed"] == 1
    [question] = cases.parked(ledger)
    assert question["posting_key"] == parked
    assert [row["attempt"] for row in archive(ledger, parked)] == [1, 2]


def test_more_than_was_written_off_is_no_recovery(
    ledger: WarehouseConnection, client: FineractClient, poster: Poster, run: RunContext
) -> None:
    key = add_payment(ledger, "A", "136000.01", business_date=date(2026, 1, 12))
    claim(ledger, run)
    poster.post(["A"])
    cases.repost(ledger, key, RepaymentKind.RECOVERY, "all of it at once", MEERA)
    assert poster.post(["A"]).to_dict()["failed"] == 1
    [question] = cases.parked(ledger)
    assert "cannot.be.greater.than.total.written.off" in question["reason"]


def test_a_recovery_that_bounces_cannot_be_undone_while_the_loan_is_written_off(
    ledger: WarehouseConnection, client: FineractClient, poster: Poster, run: RunContext, parked: str
) -> None:
    cases.repost(ledger, parked, RepaymentKind.RECOVERY, "written off on 10 January", MEERA)
    poster.post(["A"])
    request_reversal(ledger, parked, "the cheque bounced", "meera")
    assert execute_reversals(ledger, client, run) == {"refused": 1}
    reversal = ledger.execute("select state, last_error from core.core_reversal").fetchone()
    assert reversal is not None
    assert reversal["state"] == "refused"
    assert "written.off.update.not.allowed" in reversal["last_error"]
