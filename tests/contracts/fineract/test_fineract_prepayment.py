"""Products that recalculate interest: no foreclosure; the prepayment figure ends their loans. Sums worked out by hand.

The loan: 12,000 in twelve parts of 1000 from 5 January, 12 % a year on what is left, day by day. January's installment is
1000 and 1440 x 31 / 365 = 122.30; it is paid on its day. On 22 February 17 days of 1320 a year are owed: 61.48.
"""

from decimal import Decimal
from typing import Any

import pytest

from tests.contracts.fineract.contract_client import (
    FORMAT,
    Borrower,
    Fineract,
    LoanAccount,
    code_of,
    unique,
)

EQUAL_PRINCIPAL, DECLINING, DAILY = 0, 0, 0
TERMS = {
    "amortizationType": EQUAL_PRINCIPAL, "interestType": DECLINING, "interestCalculationPeriodType": DAILY,
}  # fmt: skip
RECALCULATES = {
    "isInterestRecalculationEnabled": True, "interestRecalculationCompoundingMethod": 0,
    "rescheduleStrategyMethod": 3, "recalculationRestFrequencyType": 2, "preClosureInterestCalculationStrategy": 1,
}  # fmt: skip


@pytest.fixture
def loan(fineract: Fineract) -> LoanAccount:
    borrower = Borrower(fineract, fineract.client(), fineract.product(**TERMS, **RECALCULATES))
    account = borrower.active(**TERMS)
    account.paid("2025-02-05", "1122.30")
    return account


def figure(loan: LoanAccount, on: str) -> Any:
    query = {**FORMAT, "command": "prepayLoan", "transactionDate": on}
    return loan.fineract.ok(loan.fineract.get(f"{loan.path}/transactions/template", **query))


def test_the_prepayment_template_asks_for_interest_up_to_the_day(loan: LoanAccount) -> None:
    asked = figure(loan, "2025-02-22")
    assert (asked["principalPortion"], asked["interestPortion"]) == (11000, Decimal("61.48"))
    assert asked["amount"] == Decimal("11061.48")


def test_a_repayment_of_that_figure_ends_the_loan_and_its_undoing_opens_it_as_it_was(
    loan: LoanAccount,
) -> None:
    before = loan.look()["summary"]["totalOutstanding"]
    paid = loan.paid("2025-02-22", "11061.48")
    assert (loan.look()["status"]["id"], paid["interestPortion"]) == (600, Decimal("61.48"))
    loan.fineract.ok(loan.adjust(paid["externalId"], "2025-02-22", 0))
    assert loan.look()["status"]["id"] == 300
    assert loan.look()["summary"]["totalOutstanding"] == before
    assert figure(loan, "2025-02-22")["amount"] == Decimal("11061.48")


def test_a_paisa_less_does_not_end_it(loan: LoanAccount) -> None:
    loan.paid("2025-02-22", "11061.47")
    assert loan.look()["status"]["id"] == 300
    assert figure(loan, "2025-02-22")["amount"] == Decimal("0.01")


def test_it_cannot_be_foreclosed(loan: LoanAccount) -> None:
    body = {**FORMAT, "transactionDate": "2025-02-22", "externalId": unique()}
    refusal = loan.fineract.post(f"{loan.path}/transactions?command=foreclosure", body)
    code = "error.msg.loan.with.interest.recalculation.enabled.cannot.be.foreclosured"
    assert (refusal.status_code, code_of(refusal)) == (403, code)


def test_nothing_is_booked_before_the_last_transaction(loan: LoanAccount) -> None:
    refusal = loan.repay("2025-02-04", 10)
    code = "error.msg.loan.repayment.or.waiver.cannot.be.made.before.last.transaction.date"
    assert (refusal.status_code, code_of(refusal)) == (403, code)


def test_the_product_must_say_how_it_recalculates(fineract: Fineract) -> None:
    with pytest.raises(AssertionError, match="interestRecalculationCompoundingMethod"):
        fineract.product(**TERMS, isInterestRecalculationEnabled=True)
