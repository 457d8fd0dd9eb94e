"""Calls at the same time: one external id is one payment, one key is one execution."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import requests

from tests.contracts.fineract.contract_client import Borrower, Fineract, LoanAccount, unique

AT_ONCE = 8


def _own_connection(loan: LoanAccount) -> LoanAccount:
    return LoanAccount(Fineract(loan.fineract.base), loan.external_id, loan.disbursed_on)


def _repay_at_once(loans: list[LoanAccount], external_id: str, keys: list[str]) -> list[requests.Response]:
    with ThreadPoolExecutor(len(loans)) as pool:
        calls = [
            pool.submit(_own_connection(loan).repay, "2025-02-05", 10, key, externalId=external_id)
            for loan, key in zip(loans, keys, strict=True)
        ]
        return [call.result() for call in calls]


def test_one_external_id_on_one_loan_is_posted_once(borrower: Borrower) -> None:
    loan = borrower.active()
    answers = _repay_at_once([loan] * AT_ONCE, unique(), [unique() for _ in range(AT_ONCE)])
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {400, 409}
    assert loan.look()["summary"]["totalRepayment"] == Decimal(10)


def test_one_external_id_over_many_loans_is_posted_once(borrower: Borrower) -> None:
    loans = [borrower.active() for _ in range(AT_ONCE)]
    answers = _repay_at_once(loans, unique(), [unique() for _ in range(AT_ONCE)])
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * (AT_ONCE - 1)
    assert sum(loan.look()["summary"]["totalRepayment"] for loan in loans) == Decimal(10)


def test_one_key_is_executed_once(borrower: Borrower) -> None:
    loan = borrower.active()
    answers = _repay_at_once([loan] * AT_ONCE, unique(), [unique()] * AT_ONCE)
    executed = [a for a in answers if a.status_code == 200 and "x-served-from-cache" not in a.headers]
    assert len(executed) == 1
    assert {a.status_code for a in answers} <= {200, 425}
    assert len(loan.repayments()) == 1
