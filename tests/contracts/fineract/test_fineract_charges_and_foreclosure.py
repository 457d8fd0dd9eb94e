"""Charges of loans, foreclosure, changes of clients, the search and batches; sums worked out by hand beside each test."""

import json
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


@pytest.fixture(scope="module")
def fee(fineract: Fineract) -> int:
    body = {
        "name": unique("Fee "), "currencyCode": "INR", "amount": 100, "chargeAppliesTo": 1, "chargeTimeType": 2,
        "chargeCalculationType": 1, "chargePaymentMode": 0, "active": True, "locale": "en",
    }  # fmt: skip
    return int(fineract.ok(fineract.post("/charges", body))["resourceId"])


def charge(loan: LoanAccount, fee: int, due: str, amount: str = "100", **changes: Any) -> Any:
    body = {**FORMAT, "chargeId": fee, "amount": amount, "dueDate": due, "externalId": unique(), **changes}
    return loan.fineract.post(f"{loan.path}/charges", body)


def state(loan: LoanAccount) -> Any:
    return loan.fineract.ok(loan.fineract.get(loan.path, associations="all"))


def fees_due(loan: LoanAccount) -> list[Decimal]:
    return [
        period["feeChargesDue"]
        for period in state(loan)["repaymentSchedule"]["periods"]
        if "period" in period
    ]


# ---------------------------------------------------------------- charges


def test_a_charge_falls_on_the_installment_of_its_day(borrower: Borrower, fee: int) -> None:
    """12,000 flat at 12 %: due on the 5th of February to January. The 5th itself belongs to the installment due then."""
    loan = borrower.active()
    for due in ("2025-02-05", "2025-02-06"):
        loan.fineract.ok(charge(loan, fee, due))
    assert fees_due(loan)[:3] == [100, 100, 0]
    summary = state(loan)["summary"]
    # 12,000 + 1,440 of interest + 200
    assert (summary["feeChargesCharged"], summary["totalOutstanding"]) == (200, 13640)


def test_a_charge_after_the_last_installment_makes_one_more(borrower: Borrower, fee: int) -> None:
    loan = borrower.active()
    loan.fineract.ok(charge(loan, fee, "2026-03-01"))
    last = state(loan)["repaymentSchedule"]["periods"][-1]
    assert (last["period"], last["dueDate"], last["principalDue"], last["totalDueForPeriod"]) == (
        13,
        [2026, 3, 1],
        0,
        100,
    )


def test_a_late_charge_is_paid_before_the_principal_of_its_installment(borrower: Borrower, fee: int) -> None:
    """1,120 paid the first installment; with a fee of 100 on it, 100 of its principal is open again."""
    loan = borrower.active()
    loan.paid("2025-02-05", 1120)
    loan.fineract.ok(charge(loan, fee, "2025-02-01"))
    first = state(loan)["repaymentSchedule"]["periods"][1]
    assert (first["feeChargesPaid"], first["principalOutstanding"], first["totalOutstandingForPeriod"]) == (
        100,
        100,
        100,
    )


def test_a_charge_opens_a_closed_loan_again(borrower: Borrower, fee: int) -> None:
    loan = borrower.active()
    loan.paid("2025-02-05", 13440)
    assert state(loan)["status"]["id"] == 600
    loan.fineract.ok(charge(loan, fee, "2025-02-05"))
    assert (state(loan)["status"]["id"], state(loan)["summary"]["totalOutstanding"]) == (300, 100)


def test_a_charge_has_one_external_id(borrower: Borrower, fee: int) -> None:
    loan, name = borrower.active(), unique()
    answer = loan.fineract.ok(charge(loan, fee, "2025-02-05", externalId=name))
    assert answer["resourceExternalId"] == name
    assert charge(loan, fee, "2025-02-05", externalId=name).status_code == 403
    (shown,) = state(loan)["charges"]
    assert (shown["externalId"], shown["amountOutstanding"], shown["dueDate"]) == (name, 100, [2025, 2, 5])


def test_charges_come_with_the_application_and_its_preview(borrower: Borrower, fee: int) -> None:
    charges = [{"chargeId": fee, "amount": 250, "dueDate": "2025-03-01", "externalId": unique()}]
    assert [period["feeChargesDue"] for period in borrower.schedule(charges=charges)][:3] == [0, 250, 0]
    loan = borrower.submitted(charges=[{**charges[0], "externalId": unique()}])
    assert fees_due(loan)[:3] == [0, 250, 0]
    fineract = borrower.fineract
    unknown = fineract.post("/loans", borrower.application(charges=[{"chargeId": fee, "colour": "red"}]))
    assert (unknown.status_code, code_of(unknown)) == (400, "error.msg.parameter.unsupported")


# ---------------------------------------------------------------- foreclosure


def quote(loan: LoanAccount, on: str) -> Any:
    return loan.fineract.get(
        f"{loan.path}/transactions/template", command="foreclosure", transactionDate=on, **FORMAT
    )


def foreclose(loan: LoanAccount, on: str, **changes: Any) -> Any:
    body = {**FORMAT, "transactionDate": on, "externalId": unique(), **changes}
    return loan.fineract.post(f"{loan.path}/transactions?command=foreclosure", body)


@pytest.mark.parametrize(
    ("on", "interest", "paid"),
    [
        ("2025-01-05", "0", "0"),  # the day it was lent
        ("2025-02-05", "120", "0"),  # the first month's interest, none of the second's
        # 17 of the 28 days from 5 February to 5 March: 120 x 17 / 28 = 72.857..., with January's 192.86
        ("2025-02-22", "192.86", "0"),
        ("2025-02-22", "72.86", "1120"),  # January's installment is paid
    ],
)
def test_what_a_foreclosure_takes(borrower: Borrower, on: str, interest: str, paid: str) -> None:
    loan = borrower.active()
    if Decimal(paid):
        loan.paid("2025-02-05", paid)
    asked = loan.fineract.ok(quote(loan, on))
    principal = 12000 - (1000 if Decimal(paid) else 0)
    assert (asked["principalPortion"], asked["interestPortion"]) == (principal, Decimal(interest))
    assert asked["amount"] == principal + Decimal(interest)
    loan.fineract.ok(foreclose(loan, on))
    closed = state(loan)
    assert (closed["status"]["id"], closed["subStatus"]["id"]) == (600, 100)
    assert closed["summary"]["totalRepayment"] == asked["amount"] + Decimal(paid)
    assert closed["timeline"]["closedOnDate"] == [int(part) for part in on.split("-")]


def test_money_paid_ahead_counts_as_principal(borrower: Borrower) -> None:
    """2,240 on 5 February pays the March installment too: its 120 of interest are not owed that day, so 11,880 are left."""
    loan = borrower.active()
    loan.paid("2025-02-05", 2240)
    assert loan.fineract.ok(quote(loan, "2025-02-05"))["amount"] == Decimal("12120") - 2240


def test_charges_due_by_then_are_taken_and_later_ones_dropped(borrower: Borrower, fee: int) -> None:
    loan = borrower.active()
    for due in ("2025-02-01", "2025-02-22", "2025-02-23"):
        loan.fineract.ok(charge(loan, fee, due))
    asked = loan.fineract.ok(quote(loan, "2025-02-22"))
    assert (asked["feeChargesPortion"], asked["amount"]) == (200, Decimal("12392.86"))
    loan.fineract.ok(foreclose(loan, "2025-02-22"))
    assert len(state(loan)["charges"]) == 2


@pytest.mark.parametrize(
    ("on", "status", "code"),
    [
        (
            "2025-02-04",
            403,
            "error.msg.loan.foreclosure.transaction.date.cannot.before.the.last.transaction.date",
        ),
        ("2999-01-01", 403, "error.msg.loan.foreclosure.transaction.date.is.in.future"),
    ],
)
def test_a_foreclosure_has_its_day(borrower: Borrower, on: str, status: int, code: str) -> None:
    loan = borrower.active()
    loan.paid("2025-02-05", 1120)
    answer = foreclose(loan, on)
    assert (answer.status_code, code_of(answer)) == (status, code)


def test_a_foreclosure_is_for_active_loans_takes_no_payment_type_and_is_not_undone(
    borrower: Borrower,
) -> None:
    waiting = foreclose(borrower.approved(), "2025-02-05")
    assert (waiting.status_code, code_of(waiting)) == (
        400,
        "error.msg.loan.foreclosure.account.is.not.active",
    )
    loan, name = borrower.active(), unique()
    assert foreclose(loan, "2025-02-05", paymentTypeId=1).status_code == 400
    loan.fineract.ok(foreclose(loan, "2025-02-05", externalId=name))
    undone = loan.adjust(name, "2025-02-05", 0)
    assert (undone.status_code, code_of(undone)) == (
        403,
        "error.msg.loan.cannot.be.reopened.as.it.is.foreclosured",
    )
    again = foreclose(loan, "2025-02-05")
    assert (again.status_code, code_of(again)) == (400, "error.msg.loan.foreclosure.account.is.not.active")


# ---------------------------------------------------------------- clients


def test_a_client_changes_by_the_fields_that_are_sent(fineract: Fineract) -> None:
    mobile = unique()[:15]
    client = fineract.client(mobileNo=mobile)
    answer = fineract.ok(fineract.send("PUT", f"/clients/{client}", {**FORMAT, "fullname": "Asha Verma Rao"}))
    assert answer["changes"]["fullname"] == "Asha Verma Rao"
    shown = fineract.ok(fineract.get(f"/clients/{client}"))
    assert (shown["displayName"], shown["mobileNo"]) == ("Asha Verma Rao", mobile)
    other = fineract.client()
    taken = fineract.send("PUT", f"/clients/{other}", {**FORMAT, "mobileNo": mobile})
    assert (taken.status_code, code_of(taken)) == (403, "error.msg.client.duplicate.mobileNo")
    strange = fineract.send("PUT", f"/clients/{other}", {**FORMAT, "colour": "red"})
    assert (strange.status_code, code_of(strange)) == (400, "error.msg.parameter.unsupported")


def test_the_search_finds_who_has_a_mobile_number(fineract: Fineract) -> None:
    mobile, name = unique()[:15], unique()
    client = fineract.client(mobileNo=mobile, externalId=name)
    (found,) = fineract.ok(fineract.get("/search", query=mobile, resource="clients", exactMatch="true"))
    assert (found["entityId"], found["entityExternalId"], found["entityType"]) == (client, name, "CLIENT")
    assert (
        fineract.ok(fineract.get("/search", query=mobile[:-1], resource="clients", exactMatch="true")) == []
    )


# ---------------------------------------------------------------- batches


def batch(fineract: Fineract, *items: dict[str, Any], enclosing: bool = True) -> Any:
    return fineract.ok(
        fineract.send(
            "POST", f"/batches?enclosingTransaction={str(enclosing).lower()}", json.dumps(list(items))
        )
    )


def chain(
    borrower: Borrower, loan_id: str, disbursed_on: str = "2025-01-05", key: str = ""
) -> list[dict[str, Any]]:
    path = f"loans/external-id/{loan_id}"
    bodies = [
        ("loans", borrower.application(externalId=loan_id)),
        (f"{path}?command=approve", {**FORMAT, "approvedOnDate": "2025-01-03"}),
        (f"{path}?command=disburse", {**FORMAT, "actualDisbursementDate": disbursed_on}),
    ]
    return [
        {
            "requestId": number, "relativeUrl": url, "method": "POST", "body": json.dumps(body),
            "headers": [{"name": "Idempotency-Key", "value": f"{key}{number}"}] if key else [],
            **({"reference": number - 1} if number > 1 else {}),
        }
        for number, (url, body) in enumerate(bodies, start=1)
    ]  # fmt: skip


def test_an_enclosing_batch_is_all_or_nothing(fineract: Fineract, borrower: Borrower) -> None:
    loan_id = unique("LN")
    (failed,) = batch(fineract, *chain(borrower, loan_id, disbursed_on="2025-01-02"))
    assert (failed["requestId"], failed["statusCode"]) == (3, 403)
    assert "cannot.be.before.approval.date" in failed["body"]
    assert fineract.get(f"/loans/external-id/{loan_id}").status_code == 404
    answers = batch(fineract, *chain(borrower, loan_id))
    assert [answer["statusCode"] for answer in answers] == [200, 200, 200]
    assert json.loads(answers[2]["body"])["resourceExternalId"] == loan_id
    assert fineract.ok(fineract.get(f"/loans/external-id/{loan_id}"))["status"]["id"] == 300


def test_the_keys_of_a_batch_that_was_rolled_back_are_free_and_those_of_one_that_was_not_are_kept(
    fineract: Fineract, borrower: Borrower
) -> None:
    loan_id, key = unique("LN"), unique()
    batch(fineract, *chain(borrower, loan_id, disbursed_on="2025-01-02", key=key))
    first = batch(fineract, *chain(borrower, loan_id, key=key))
    assert [answer["statusCode"] for answer in first] == [200, 200, 200]
    again = batch(fineract, *chain(borrower, loan_id, key=key))
    assert [answer["body"] for answer in again] == [answer["body"] for answer in first]
    assert all({"name": "x-served-from-cache", "value": "true"} in answer["headers"] for answer in again)


def test_a_child_is_made_from_its_parents_answer(fineract: Fineract, borrower: Borrower) -> None:
    loan_id = unique("LN")
    items = chain(borrower, loan_id)[:2]
    items[1]["relativeUrl"] = "loans/$.loanId?command=approve"
    assert [answer["statusCode"] for answer in batch(fineract, *items)] == [200, 200]
    assert fineract.ok(fineract.get(f"/loans/external-id/{loan_id}"))["status"]["id"] == 200


def test_without_an_enclosing_transaction_one_tree_does_not_stop_another(
    fineract: Fineract, borrower: Borrower
) -> None:
    good, bad = unique("LN"), unique("LN")
    failing = {**chain(borrower, bad, disbursed_on="2025-01-02")[2], "requestId": 1}
    failing.pop("reference")
    standing = {**chain(borrower, good)[0], "requestId": 2}
    child = {**chain(borrower, bad)[1], "requestId": 3, "reference": 1}
    answers = {
        answer["requestId"]: answer for answer in batch(fineract, failing, standing, child, enclosing=False)
    }
    assert answers[1]["statusCode"] == 404
    assert answers[2]["statusCode"] == 200
    assert (answers[3]["statusCode"], "erroneous" in answers[3]["body"]) == (404, True)


def test_what_a_batch_may_not_hold_is_not_implemented(fineract: Fineract) -> None:
    (answer,) = batch(
        fineract, {"requestId": 1, "relativeUrl": "charges", "method": "POST", "headers": [], "body": "{}"}
    )
    assert answer["statusCode"] == 501
    assert fineract.send("POST", "/batches", "no json").status_code == 400
