"""What is refused, with which status and code, and in which body."""

from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.contracts.fineract.contract_client import (
    FORMAT,
    Borrower,
    Fineract,
    LoanAccount,
    code_of,
    read,
    unique,
)

DISBURSED = "2025-01-05"


@pytest.mark.parametrize("tenant", [None, "nobody"])
def test_a_missing_or_strange_tenant_is_the_containers_400(fineract: Fineract, tenant: str | None) -> None:
    headers = {"Fineract-Platform-TenantId": tenant} if tenant else {}
    refusal = requests.get(
        f"{fineract.base}/clients",
        headers=headers,
        auth=fineract.session.auth,
        timeout=10,
        verify=fineract.session.verify,
    )
    assert refusal.status_code == 400
    assert "userMessageGlobalisationCode" not in refusal.text


def test_a_wrong_password_is_the_containers_401(fineract: Fineract) -> None:
    refusal = requests.get(
        f"{fineract.base}/clients",
        headers={"Fineract-Platform-TenantId": "default"},
        auth=("mifos", "wrong"),
        timeout=10,
        verify=fineract.session.verify,
    )
    assert refusal.status_code == 401
    assert refusal.headers["WWW-Authenticate"].startswith("Basic")


def test_health_needs_neither_tenant_nor_login(fineract: Fineract) -> None:
    url = fineract.base.replace("/api/v1", "/actuator/health")
    answer = requests.get(url, timeout=10, verify=fineract.session.verify)
    assert (answer.status_code, answer.json()["status"]) == (200, "UP")


def test_an_error_says_everything_in_the_known_shape(borrower: Borrower) -> None:
    refusal = borrower.active().repay("2025-02-05", -1)
    body = read(refusal)
    assert refusal.status_code == 400
    assert body["httpStatusCode"] == "400"
    assert body["userMessageGlobalisationCode"] == "validation.msg.validation.errors.exist"
    assert body["developerMessage"]
    assert body["defaultUserMessage"]
    [error] = body["errors"]
    assert error["userMessageGlobalisationCode"] == (
        "validation.msg.loan.transaction.transactionAmount.not.greater.than.zero"
    )
    assert error["parameterName"] == "transactionAmount"
    assert set(error) >= {"developerMessage", "defaultUserMessage", "args"}


@pytest.mark.parametrize("body", ["", "{", "[1]", "nonsense"])
def test_a_body_that_is_no_json_object_is_one_bare_error(borrower: Borrower, body: str) -> None:
    refusal = borrower.fineract.post(f"{borrower.active().path}/transactions?command=repayment", body)
    assert refusal.status_code == 400
    assert read(refusal)["userMessageGlobalisationCode"] == "error.msg.invalid.request.body"
    assert "errors" not in read(refusal)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"colour": "red"}, "error.msg.parameter.unsupported"),
        ({"dateFormat": None}, "validation.msg.missing.dateFormat.parameter"),
        ({"locale": None}, "validation.msg.missing.locale.parameter"),
        ({"locale": "xx_nowhere"}, "validation.msg.invalid.locale.format"),
        ({"transactionDate": "2025-02-31"}, "validation.msg.invalid.dateFormat.format"),
        ({"transactionDate": "05-02-2025"}, "validation.msg.invalid.dateFormat.format"),
        ({"transactionDate": None}, "validation.msg.loan.transaction.transactionDate.cannot.be.blank"),
        ({"transactionAmount": None}, "validation.msg.loan.transaction.transactionAmount.cannot.be.blank"),
        ({"transactionAmount": 0}, "validation.msg.loan.transaction.transactionAmount.not.greater.than.zero"),
        ({"transactionAmount": "ten"}, "validation.msg.invalid.decimal.format"),
        ({"note": "n" * 1001}, "validation.msg.loan.transaction.note.exceeds.max.length"),
        ({"receiptNumber": "r" * 51}, "validation.msg.loan.transaction.receiptNumber.exceeds.max.length"),
    ],
)
def test_a_repayment_with_a_wrong_field_is_a_400(
    borrower: Borrower, changes: dict[str, Any], code: str
) -> None:
    refusal = borrower.active().repay("2025-02-05", 10, **changes)
    assert (refusal.status_code, code_of(refusal)) == (400, code)


def test_a_date_is_read_by_its_format(borrower: Borrower) -> None:
    loan = borrower.active()
    paid = loan.paid("5 February 2025", 10, dateFormat="d MMMM yyyy")
    assert paid["date"] == [2025, 2, 5]


@pytest.mark.parametrize(
    ("on", "code"),
    [
        ("2025-01-04", "error.msg.loan.transaction.cannot.be.before.disbursement.date"),
        ("2199-01-01", "error.msg.loan.transaction.cannot.be.a.future.date"),
    ],
)
def test_a_repayment_outside_the_loans_time_is_a_403(borrower: Borrower, on: str, code: str) -> None:
    refusal = borrower.active().repay(on, 10)
    assert read(refusal)["userMessageGlobalisationCode"] == "validation.msg.domain.rule.violation"
    assert (refusal.status_code, code_of(refusal)) == (403, code)


def test_a_loan_without_its_money_takes_no_repayment(borrower: Borrower) -> None:
    for loan in (borrower.submitted(), borrower.approved()):
        refusal = loan.repay("2025-02-05", 10)
        assert (refusal.status_code, code_of(refusal)) == (
            400,
            "error.msg.loan.must.be.active.fully.paid.or.overpaid",
        )


def test_an_unknown_command_is_a_400(borrower: Borrower) -> None:
    loan = borrower.active()
    for path in (f"{loan.path}?command=dance", f"{loan.path}/transactions?command=dance"):
        refusal = borrower.fineract.post(path, {})
        assert refusal.status_code == 400
        assert code_of(refusal) in {
            "error.msg.command.unsupported",
            "error.msg.query.parameter.value.unsupported",
        }


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/loans/external-id/nobody-{}", "error.msg.loan.external.id.invalid"),
        ("/loans/2147483600", "error.msg.loan.id.invalid"),
        ("/clients/2147483600", "error.msg.client.id.invalid"),
    ],
)
def test_what_does_not_exist_is_a_404(fineract: Fineract, path: str, code: str) -> None:
    missing = fineract.get(path.format(unique()))
    assert read(missing)["userMessageGlobalisationCode"] == "error.msg.resource.not.found"
    assert (missing.status_code, code_of(missing)) == (404, code)


def test_a_transaction_nobody_posted_is_a_404(borrower: Borrower) -> None:
    loan = borrower.active()
    missing = borrower.fineract.get(f"{loan.path}/transactions/external-id/{unique()}")
    assert (missing.status_code, code_of(missing)) == (404, "error.msg.loan.transaction.external.id.invalid")


def test_a_loan_external_id_is_unique(borrower: Borrower) -> None:
    loan = borrower.submitted()
    refusal = borrower.fineract.post("/loans", borrower.application(externalId=loan.external_id))
    assert (refusal.status_code, code_of(refusal)) == (403, "error.msg.loan.duplicate.externalId")


@pytest.mark.parametrize(
    ("field", "longest", "code"),
    [
        ("externalId", 100, "error.msg.client.duplicate.externalId"),
        ("mobileNo", 15, "error.msg.client.duplicate.mobileNo"),
        ("accountNo", 20, "error.msg.client.duplicate.accountNo"),
    ],
)
def test_what_identifies_a_client_is_unique(fineract: Fineract, field: str, longest: int, code: str) -> None:
    value = unique()[:longest]
    fineract.client(**{field: value})
    body = {
        **FORMAT,
        "officeId": 1,
        "legalFormId": 1,
        "fullname": "Asha Rao",
        "active": False,
        field: value,
    }
    refusal = fineract.post("/clients", body)
    assert (refusal.status_code, code_of(refusal)) == (403, code)


def test_a_client_without_date_format_ends_in_a_500(fineract: Fineract) -> None:
    body = {"officeId": 1, "legalFormId": 1, "fullname": "Asha Rao", "active": False}
    assert fineract.post("/clients", body).status_code == 500


@pytest.mark.parametrize(
    "field", ["interestType", "principal", "submittedOnDate", "loanType", "repaymentEvery"]
)
def test_an_application_needs_its_mandatory_fields(borrower: Borrower, field: str) -> None:
    body = borrower.application()
    del body[field]
    refusal = borrower.fineract.post("/loans", body)
    assert refusal.status_code == 400
    codes = {e["userMessageGlobalisationCode"].rpartition(f".{field}.")[2] for e in read(refusal)["errors"]}
    assert "cannot.be.blank" in codes


@pytest.mark.parametrize("resource", ["/clients", "/loanproducts", "/loans"])
def test_unknown_parameters_are_refused_everywhere(borrower: Borrower, resource: str) -> None:
    refusal = borrower.fineract.post(resource, {**borrower.application(), **FORMAT, "colour": "red"})
    assert refusal.status_code == 400
    assert "error.msg.parameter.unsupported" in {
        e["userMessageGlobalisationCode"] for e in read(refusal)["errors"]
    }


@dataclass(frozen=True)
class Refusal:
    """A command that the loan's state or dates forbid; `code` without its prefix `error.msg.loan.`."""

    state: str
    command: str
    body: dict[str, str]
    status: int
    code: str


NOT_PENDING = "account.is.not.submitted.and.pending.state"
OUT_OF_TURN = [
    Refusal("active", "approve", {"approvedOnDate": "2025-01-02"}, 400, f"approve.{NOT_PENDING}"),
    Refusal(
        "submitted", "approve", {"approvedOnDate": "2199-01-02"}, 403, "approval.cannot.be.a.future.date"
    ),
    Refusal(
        "submitted",
        "approve",
        {"approvedOnDate": "2024-12-31"},
        403,
        "approval.cannot.be.before.submittal.date",
    ),
    Refusal(
        "submitted",
        "approve",
        {"approvedOnDate": "2025-01-04", "expectedDisbursementDate": "2025-01-03"},
        403,
        "expecteddisbursal.should.be.on.or.after.approval.date",
    ),
    Refusal("submitted", "undoapproval", {}, 400, "undo.approval.account.is.not.approved"),
    Refusal(
        "active",
        "reject",
        {"rejectedOnDate": DISBURSED},
        400,
        "reject.account.is.not.submitted.pending.approval.state",
    ),
    Refusal(
        "active", "withdrawnByApplicant", {"withdrawnOnDate": DISBURSED}, 403, "withdraw.cannot.withdraw"
    ),
    Refusal(
        "submitted",
        "disburse",
        {"actualDisbursementDate": DISBURSED},
        400,
        "disbursal.account.is.not.approve.not.disbursed.state",
    ),
    Refusal(
        "approved",
        "disburse",
        {"actualDisbursementDate": "2025-01-01"},
        403,
        "disbursal.cannot.be.before.approval.date",
    ),
    Refusal("approved", "undodisbursal", {}, 400, "undo.disbursal.account.is.not.active"),
]


@pytest.mark.parametrize("refusal", OUT_OF_TURN, ids=lambda refusal: refusal.code)
def test_a_command_out_of_turn_is_refused(borrower: Borrower, refusal: Refusal) -> None:
    loan: LoanAccount = getattr(borrower, refusal.state)()
    answer = loan.command(refusal.command, {**FORMAT, **refusal.body} if refusal.body else {})
    assert (answer.status_code, code_of(answer)) == (refusal.status, f"error.msg.loan.{refusal.code}")


def test_an_empty_body_is_refused_where_braces_would_do(borrower: Borrower) -> None:
    loan = borrower.approved()
    assert loan.command("undoapproval", None).status_code == 400
    assert loan.command("undoapproval", {}).status_code == 200
