"""Quotes: how late a loan is, and what stands in the way. Which figure a product demands: test_prepayment."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.posting.payments import processed
from tests.resolutions.conftest import LOAN, TODAY, pay
from turno_lms.posting.reversals import request_reversal
from turno_lms.resolutions.quotes import ResolutionError, check_guards, days_past_due, quote_loan
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import WarehouseConnection


def test_charges_come_in_the_order_of_their_due_dates(walk: Walk) -> None:
    quote = quote_loan(walk.conn, walk.client, " GB ", LOAN.lower(), TODAY)
    assert [(each.outstanding, each.is_penalty) for each in quote.charges] == [
        (Decimal(590), True),
        (Decimal(500), False),
        (Decimal(410), True),
    ]


@pytest.mark.parametrize(
    ("loan", "days"),
    [
        ({"delinquent": {"pastDueDays": 91}, "summary": {"overdueSinceDate": [2026, 1, 1]}}, 91),
        ({"summary": {"overdueSinceDate": [2026, 6, 1]}}, 9),
        ({"summary": {}}, 0),
        ({}, 0),
    ],
)
def test_fineracts_own_count_of_days_past_due_comes_first(loan: dict[str, Any], days: int) -> None:
    assert days_past_due(loan, date(2026, 6, 10)) == days


def test_a_loan_of_another_lender_s_product_is_not_quoted(walk: Walk, ledger: WarehouseConnection) -> None:
    ledger.execute("update core.core_lender set product_id = 77 where lender = 'gb'")
    with pytest.raises(ResolutionError, match="has product 1, which is not gb's"):
        quote_loan(walk.conn, walk.client, "gb", LOAN, TODAY)


def test_a_reversal_that_is_open_stands_in_the_way(walk: Walk, ledger: WarehouseConnection) -> None:
    key = pay(ledger, "5667.00")
    walk.desk.post(LOAN)
    assert processed(ledger, key) is not None
    check_guards(walk.conn, LOAN)
    request_reversal(walk.conn, key, "bounced", "meera")
    with pytest.raises(ResolutionError, match="reversals are open"):
        check_guards(walk.conn, LOAN, override_reason="whatever")
