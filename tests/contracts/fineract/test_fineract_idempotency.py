"""The Idempotency-Key: scope, replay of success and failure, and what is not remembered."""

import pytest

from tests.contracts.fineract.contract_client import FORMAT, Borrower, LoanAccount, code_of, read, unique

CACHED = "x-served-from-cache"


@pytest.fixture
def loan(borrower: Borrower) -> LoanAccount:
    """An active loan."""
    return borrower.active()


def test_the_same_call_again_is_answered_from_the_store_and_posts_nothing(loan: LoanAccount) -> None:
    key, external_id = unique(), unique()
    first = loan.repay("2025-02-05", 10, key, externalId=external_id)
    second = loan.repay("2025-02-05", 10, key, externalId=external_id)
    assert first.status_code == second.status_code == 200
    assert CACHED not in first.headers
    assert second.headers[CACHED] == "true"
    assert read(second)["resourceId"] == read(first)["resourceId"]
    assert len(loan.repayments()) == 1


def test_the_body_is_not_compared(loan: LoanAccount) -> None:
    key = unique()
    first = loan.repay("2025-02-05", 10, key)
    other = loan.repay("2025-02-06", 99, key)
    assert (other.status_code, other.headers[CACHED]) == (200, "true")
    assert read(other)["resourceExternalId"] == read(first)["resourceExternalId"]
    assert [t["amount"] for t in loan.repayments()] == [10]


def test_a_key_used_on_another_loan_answers_with_the_first_loan(
    borrower: Borrower, loan: LoanAccount
) -> None:
    key, other = unique(), borrower.active()
    first = loan.repay("2025-02-05", 10, key)
    second = other.repay("2025-02-05", 10, key)
    assert (second.status_code, second.headers[CACHED]) == (200, "true")
    assert read(second)["loanId"] == read(first)["loanId"]
    assert other.repayments() == []


def test_the_scope_of_a_key_is_the_action(borrower: Borrower) -> None:
    key = unique()
    loan = borrower.submitted()
    approved = loan.command("approve", {**FORMAT, "approvedOnDate": "2025-01-02"}, key)
    disbursed = loan.command("disburse", {**FORMAT, "actualDisbursementDate": "2025-01-05"}, key)
    assert (approved.status_code, disbursed.status_code) == (200, 200)
    assert CACHED not in disbursed.headers


def test_a_business_failure_sticks_to_its_key(borrower: Borrower) -> None:
    key, loan = unique(), borrower.approved()
    refused = loan.repay("2025-02-05", 10, key)
    assert (refused.status_code, CACHED in refused.headers) == (400, False)
    loan.fineract.ok(loan.command("disburse", {**FORMAT, "actualDisbursementDate": "2025-01-05"}))
    again = loan.repay("2025-02-05", 10, key)
    assert (again.status_code, again.headers[CACHED]) == (400, "true")
    assert loan.repayments() == []
    assert loan.repay("2025-02-05", 10, unique()).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"transactionDate": "2025-02-05"}, 400),  # validation
        (
            {"transactionDate": "2025-02-05", "transactionAmount": 10, "colour": "red"},
            400,
        ),  # unknown parameter
        ({"transactionDate": "2024-12-31", "transactionAmount": 10}, 403),  # domain rule
    ],
)
def test_a_refused_body_is_remembered(loan: LoanAccount, body: dict[str, object], status: int) -> None:
    key = unique()
    refused = loan.fineract.post(f"{loan.path}/transactions?command=repayment", {**FORMAT, **body}, key)
    assert (refused.status_code, CACHED in refused.headers) == (status, False)
    again = loan.repay("2025-02-05", 10, key)
    assert (again.status_code, again.headers[CACHED]) == (status, "true")
    assert loan.repayments() == []


def test_an_integrity_failure_is_remembered(borrower: Borrower) -> None:
    key, application = unique(), borrower.application()
    borrower.fineract.ok(borrower.fineract.post("/loans", application))
    refused = borrower.fineract.post("/loans", application, key)
    again = borrower.fineract.post("/loans", borrower.application(), key)
    assert (refused.status_code, again.status_code, again.headers[CACHED]) == (403, 403, "true")


def test_malformed_json_is_not_remembered(loan: LoanAccount) -> None:
    key = unique()
    refused = loan.fineract.post(f"{loan.path}/transactions?command=repayment", '{"transactionDate": ', key)
    assert refused.status_code == 400
    assert CACHED not in loan.repay("2025-02-05", 10, key).headers
    assert len(loan.repayments()) == 1


def test_an_unknown_loan_external_id_is_not_remembered(borrower: Borrower, loan: LoanAccount) -> None:
    key = unique()
    nobody = LoanAccount(borrower.fineract, unique("nobody"), "2025-01-05")
    refused = nobody.repay("2025-02-05", 10, key)
    assert (refused.status_code, code_of(refused)) == (404, "error.msg.loan.external.id.invalid")
    assert CACHED not in loan.repay("2025-02-05", 10, key).headers


def test_a_failed_login_is_not_remembered(loan: LoanAccount) -> None:
    key = unique()
    body = {**FORMAT, "transactionDate": "2025-02-05", "transactionAmount": 10}
    path = f"{loan.path}/transactions?command=repayment"
    loan.fineract.session.auth = ("mifos", "wrong")
    try:
        refused = loan.fineract.post(path, body, key)
    finally:
        loan.fineract.session.auth = ("mifos", "password")
    assert refused.status_code == 401
    assert CACHED not in loan.fineract.post(path, body, key).headers


def test_a_key_of_fifty_characters_is_kept_and_a_longer_one_refused(loan: LoanAccount) -> None:
    longest = (unique() + unique())[:50]
    assert loan.repay("2025-02-05", 10, longest).status_code == 200
    refused = loan.repay("2025-02-05", 10, longest + "x")
    assert refused.status_code == 403
    assert len(loan.repayments()) == 1


def test_without_a_key_nothing_protects_but_the_external_id(loan: LoanAccount) -> None:
    for _ in range(2):
        assert loan.repay("2025-02-05", 10).status_code == 200
    assert len(loan.repayments()) == 2


def test_a_preview_is_no_command(borrower: Borrower) -> None:
    key = unique()
    application = borrower.application()
    for _ in range(2):
        preview = borrower.fineract.post("/loans?command=calculateLoanSchedule", application, key)
        assert (preview.status_code, CACHED in preview.headers) == (200, False)
    assert CACHED not in borrower.fineract.post("/loans", application, key).headers
