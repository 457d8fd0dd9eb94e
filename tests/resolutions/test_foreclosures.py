"""Foreclosures: Fineract's figure of the day, met by one payment of exactly that, and what the certificate says."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.posting.payments import processed
from tests.resolutions.conftest import LOAN, ROBOT, TODAY, pay, standing, told
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FineractClient
from turno_lms.posting.claim import claim
from turno_lms.posting.proof import prove
from turno_lms.resolutions import foreclosures
from turno_lms.resolutions.quotes import ResolutionError
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import Row, WarehouseConnection

ASHA = RunContext("foreclose_loan", "run 1", "quote", actor="asha")
# principal 100,000; interest of the six installments due by 5 June 9000, and of the running one 5 of 30 days of 1500;
# charges 590 + 500 + 410, all due before
FIGURE = "110750.00"


def quoted(walk: Walk) -> Row:
    return foreclosures.request(walk.conn, walk.client, "gb", LOAN, "letter of 9 June", ASHA, TODAY)


def test_the_quote_is_fineracts_figure_of_the_day(walk: Walk) -> None:
    row = quoted(walk)
    assert (row["quoted_principal"], row["quoted_interest"]) == (100000, 9250)
    assert (row["quoted_fees"], row["quoted_penalties"], row["quoted_total"]) == (500, 1000, Decimal(FIGURE))
    assert row["state"] == "accepted"
    assert quoted(walk)["foreclosure_ref"] == row["foreclosure_ref"]  # a run asks once


def test_a_payment_of_exactly_the_figure_forecloses_and_is_in_the_ledger(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = quoted(walk)["foreclosure_ref"]
    key = pay(ledger, FIGURE, TODAY - timedelta(days=1))
    assert claim(walk.conn, ROBOT).claimed == 0  # held
    row = foreclosures.advance(walk, ref, TODAY)
    assert row["state"] == "done", row["last_error"]
    assert (told(fineract).status, told(fineract).outstanding) == (600, 0)
    assert standing(fineract) == [(2, Decimal(FIGURE))]
    ended = processed(ledger, key)
    assert ended is not None
    assert (ended["outcome"], ended["business_date"], ended["amount"]) == ("posted", TODAY, Decimal(FIGURE))
    assert prove(walk.conn, fineract, [LOAN], ROBOT).differences == []
    paper = foreclosures.certificate(walk.conn, ref)
    assert (paper["rupees"], paper["closed_on"], paper["paid_on"]) == (
        Decimal(FIGURE),
        TODAY,
        TODAY - timedelta(days=1),
    )
    assert paper["payment_reference"].startswith("UTR")
    assert paper["fineract_transaction_id"] == ended["fineract_transaction_id"]


@pytest.mark.parametrize("amount", ["110749.99", "110750.01"])
def test_other_money_does_not_foreclose_and_is_released_the_next_day(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, amount: str
) -> None:
    ref = quoted(walk)["foreclosure_ref"]
    key = pay(ledger, amount)
    assert foreclosures.advance(walk, ref, TODAY)["state"] == "accepted"
    row = foreclosures.advance(walk, ref, TODAY + timedelta(days=1))
    assert row["state"] == "lapsed"
    assert "a quote holds on its day alone" in row["last_error"]
    walk.desk.post(LOAN)
    ended = processed(ledger, key)
    assert ended is not None
    assert told(fineract).status == 300
    with pytest.raises(ResolutionError, match="no foreclosure that is done"):
        foreclosures.certificate(walk.conn, ref)


def test_a_figure_that_moved_since_the_quote_is_not_foreclosed(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = quoted(walk)["foreclosure_ref"]
    key = pay(ledger, FIGURE)
    body = {"chargeId": 2, "amount": 10, "dueDate": TODAY, "dateFormat": "yyyy-MM-dd", "locale": "en"}
    path = f"/loans/external-id/{LOAN}/charges"
    assert fineract.send("POST", path, body, purpose="t", subject="c", idempotency_key=None).ok
    row = foreclosures.advance(walk, ref, TODAY)
    assert row["state"] == "compensated"
    assert "Fineract has 110760.00 rupees outstanding, planned were 110750.00" in row["last_error"]
    walk.desk.post(LOAN)
    assert processed(ledger, key) is not None  # an ordinary repayment
    assert told(fineract).status == 300
