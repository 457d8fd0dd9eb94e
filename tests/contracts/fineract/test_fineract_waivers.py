"""Waivers, adjustments, goodwill, charge-offs, and their undoing, worked out by hand.

The loan is 12,000 flat at 12 % over 12 months from 5 January 2025: 1000 principal + 120 interest due on the 5th of
each month from February on, 13,440 in all. Unless a test says otherwise it has a penalty of 90 due on 20 January (it
falls on the first installment) and a fee of 60 due on 20 March (the third): 13,590 in all.
"""

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.contracts.fineract.contract_client import (
    FORMAT,
    Borrower,
    Fineract,
    Json,
    LoanAccount,
    code_of,
    portions,
    unique,
)


def define_charge(fineract: Fineract, *, penalty: bool) -> int:
    """A flat charge with a due date."""
    body = {
        **FORMAT, "name": unique("Charge "), "currencyCode": "INR", "amount": 10, "chargeAppliesTo": 1,
        "chargeTimeType": 2, "chargeCalculationType": 1, "chargePaymentMode": 0, "active": True, "penalty": penalty,
    }  # fmt: skip
    return int(fineract.ok(fineract.post("/charges", body))["resourceId"])


def add_charge(loan: LoanAccount, amount: Any, due: str, *, penalty: bool) -> int:
    """A charge on a loan; returns its number there."""
    charge_id = define_charge(loan.fineract, penalty=penalty)
    body = {**FORMAT, "chargeId": charge_id, "amount": amount, "dueDate": due}
    return int(loan.fineract.ok(loan.fineract.post(f"{loan.path}/charges", body))["resourceId"])


def move(loan: LoanAccount, command: str, on: str, amount: Any = None, **changes: Any) -> requests.Response:
    """A command on the loan's transactions, under a fresh external id unless another is given."""
    body = {**FORMAT, "transactionDate": on, "externalId": unique(), **changes}
    if amount is not None:
        body["transactionAmount"] = amount
    return loan.fineract.post(f"{loan.path}/transactions?command={command}", body)


def on_charge(loan: LoanAccount, charge: int, command: str, **body: Any) -> requests.Response:
    """A command on one charge."""
    return loan.fineract.post(f"{loan.path}/charges/{charge}?command={command}", {**FORMAT, **body})


def outstanding(loan: LoanAccount) -> Decimal:
    """Rupees outstanding."""
    return Decimal(loan.look()["summary"]["totalOutstanding"])


def charge_of(loan: LoanAccount, number: int) -> Json:
    """One charge of a loan."""
    found: Json = next(each for each in loan.look("charges")["charges"] if each["id"] == number)
    return found


@pytest.fixture
def loan(borrower: Borrower) -> LoanAccount:
    return borrower.active()


@pytest.fixture
def penalty(loan: LoanAccount) -> int:
    return add_charge(loan, 90, "2025-01-20", penalty=True)


@pytest.fixture
def fee(loan: LoanAccount, penalty: int) -> int:
    return add_charge(loan, 60, "2025-03-20", penalty=False)


def test_interest_is_waived_from_the_earliest_installments(loan: LoanAccount, fee: int) -> None:
    """200 of interest: all 120 of the first installment and 80 of the second."""
    transaction = loan.transaction(
        loan.fineract.ok(move(loan, "waiveinterest", "2025-02-10", 200))["resourceExternalId"]
    )
    assert (transaction["type"]["id"], portions(transaction)) == (4, {"interest": Decimal(200)})
    found = loan.look("repaymentSchedule")
    first, second = found["repaymentSchedule"]["periods"][1:3]
    assert (first["interestWaived"], first["interestOutstanding"]) == (Decimal(120), Decimal(0))
    assert (second["interestWaived"], second["interestOutstanding"]) == (Decimal(80), Decimal(40))
    summary = found["summary"]
    assert (summary["interestWaived"], summary["totalWaived"]) == (Decimal(200), Decimal(200))
    assert summary["totalOutstanding"] == Decimal(13390)


def test_more_interest_than_there_is_cannot_be_waived(loan: LoanAccount) -> None:
    refusal = move(loan, "waiveinterest", "2025-02-10", "1440.01")
    code = "error.msg.loan.waive.interest.amount.exceeds.total.outstanding.interest"
    assert (refusal.status_code, code_of(refusal)) == (403, code)
    assert outstanding(loan) == 13440


def test_a_charge_is_waived_whole_and_once(loan: LoanAccount, penalty: int, fee: int) -> None:
    external_id = unique()
    answer = loan.fineract.ok(on_charge(loan, penalty, "waive", externalId=external_id))
    assert (answer["resourceId"], answer["subResourceExternalId"]) == (penalty, external_id)
    transaction = loan.transaction(external_id)
    assert (transaction["type"]["id"], transaction["amount"]) == (9, Decimal(90))
    shown = charge_of(loan, penalty)
    assert (shown["amountWaived"], shown["amountOutstanding"], shown["waived"]) == (
        Decimal(90),
        Decimal(0),
        True,
    )
    assert charge_of(loan, fee)["amountOutstanding"] == Decimal(60)
    assert outstanding(loan) == 13500
    assert on_charge(loan, penalty, "waive", externalId=unique()).status_code == 403


def test_what_is_paid_of_a_charge_is_not_waived(loan: LoanAccount, penalty: int) -> None:
    """40 pay a part of the penalty: 50 of it are left to be waived."""
    loan.paid("2025-01-25", 40)
    external_id = unique()
    loan.fineract.ok(on_charge(loan, penalty, "waive", externalId=external_id))
    assert loan.transaction(external_id)["amount"] == Decimal(50)
    assert outstanding(loan) == 13440


def test_a_charge_is_adjusted_in_part_and_never_beyond_its_sum(loan: LoanAccount, fee: int) -> None:
    loan.fineract.ok(on_charge(loan, fee, "adjustment", amount=25, externalId=unique()))
    assert outstanding(loan) == 13590 - 25
    refusal = on_charge(loan, fee, "adjustment", amount="35.01", externalId=unique())
    assert refusal.status_code == 403
    loan.fineract.ok(on_charge(loan, fee, "adjustment", amount=35, externalId=unique()))
    assert outstanding(loan) == 13530


def test_goodwill_pays_like_a_repayment_and_cannot_be_changed(loan: LoanAccount, fee: int) -> None:
    """13,590 of goodwill clear the loan; undone, all of it is owed again."""
    external_id = loan.fineract.ok(move(loan, "goodwillCredit", "2025-02-10", 13590))["resourceExternalId"]
    assert loan.transaction(external_id)["type"]["id"] == 23
    assert (loan.look()["status"]["id"], outstanding(loan)) == (600, 0)
    assert loan.adjust(external_id, "2025-02-10", 100).status_code == 403
    loan.fineract.ok(loan.adjust(external_id, "2025-02-10", 0))
    assert (loan.look()["status"]["id"], outstanding(loan)) == (300, 13590)


def test_a_settlement_in_the_right_order_ends_closed(loan: LoanAccount, penalty: int, fee: int) -> None:
    """90 and 60 of charges and 1440 of interest are waived, 11,000 paid, 1000 of principal credited: 13,590."""
    today = "2025-04-01"
    for charge in (penalty, fee):
        loan.fineract.ok(on_charge(loan, charge, "waive", externalId=unique()))
    loan.fineract.ok(move(loan, "waiveinterest", today, 1440))
    paid = loan.paid(today, 11000)
    assert portions(paid) == {"principal": Decimal(11000)}  # nothing was eaten by charges or interest
    credit = loan.fineract.ok(move(loan, "goodwillCredit", today, 1000))
    assert portions(loan.transaction(credit["resourceExternalId"])) == {"principal": Decimal(1000)}
    found = loan.look()
    assert (found["status"]["id"], found["summary"]["totalOutstanding"]) == (600, 0)
    assert found["summary"]["totalWaived"] == 1590


def test_everything_is_taken_back_in_reverse(loan: LoanAccount, penalty: int) -> None:
    today = "2025-04-01"
    waiver, interest = unique(), unique()
    loan.fineract.ok(on_charge(loan, penalty, "waive", externalId=waiver))
    loan.fineract.ok(move(loan, "waiveinterest", today, 1440, externalId=interest))
    repaid = loan.paid(today, 12000)
    assert loan.look()["status"]["id"] == 600
    loan.fineract.ok(loan.adjust(repaid["externalId"], today, 0))
    loan.fineract.ok(loan.adjust(interest, today, 0))
    path = f"{loan.path}/transactions/external-id/{waiver}"
    loan.fineract.ok(loan.fineract.send("PUT", path, {}))
    assert loan.transaction(waiver)["manuallyReversed"] is True
    assert loan.fineract.send("PUT", path, {}).status_code == 403
    found = loan.look("charges")
    assert (found["status"]["id"], found["summary"]["totalOutstanding"]) == (300, 13530)
    assert found["charges"][0]["amountOutstanding"] == Decimal(90)


def test_a_waiver_that_is_undone_gives_later_money_back_to_the_dues(loan: LoanAccount, penalty: int) -> None:
    """After the waiver 1120 pay the first installment; without it 90 of them go to the penalty first."""
    waiver = unique()
    loan.fineract.ok(on_charge(loan, penalty, "waive", externalId=waiver))
    repaid = loan.paid("2025-02-05", 1120)
    assert portions(repaid) == {"principal": Decimal(1000), "interest": Decimal(120)}
    loan.fineract.ok(loan.fineract.send("PUT", f"{loan.path}/transactions/external-id/{waiver}", {}))
    again = loan.transaction(repaid["externalId"])
    assert portions(again) == {
        "penaltyCharges": Decimal(90), "interest": Decimal(120), "principal": Decimal(910),
    }  # fmt: skip
    assert again["id"] != repaid["id"]


def test_a_charge_off_changes_no_figure_and_is_taken_back(loan: LoanAccount, fee: int) -> None:
    answer = loan.fineract.ok(move(loan, "charge-off", "2025-05-01", chargeOffReasonId=1))
    transaction = loan.transaction(answer["resourceExternalId"])
    assert (transaction["type"]["id"], transaction["amount"]) == (27, Decimal(13590))
    found = loan.look()
    assert (found["status"]["id"], found["chargedOff"], found["summary"]["totalOutstanding"]) == (
        300,
        True,
        13590,
    )
    again = move(loan, "charge-off", "2025-05-02", chargeOffReasonId=1)
    assert (again.status_code, code_of(again)) == (403, "error.msg.loan.is.already.charged.off")
    path = f"{loan.path}/transactions?command=undo-charge-off"
    loan.fineract.ok(loan.fineract.post(path, {"reversalExternalId": unique()}))
    assert loan.look()["chargedOff"] is False
    assert loan.fineract.post(path, {}).status_code == 403


def test_a_charge_off_comes_last(loan: LoanAccount) -> None:
    loan.paid("2025-03-05", 1120)
    early = move(loan, "charge-off", "2025-03-04", chargeOffReasonId=1)
    assert early.status_code == 403
    assert "charge.off.is.before.than.the.last.user.transaction" in code_of(early)


def test_a_loan_that_is_charged_off_and_written_off_shows_both(loan: LoanAccount, fee: int) -> None:
    loan.fineract.ok(move(loan, "charge-off", "2025-05-01", chargeOffReasonId=1))
    loan.fineract.ok(move(loan, "writeoff", "2025-05-01"))
    found = loan.look()
    assert (found["status"]["id"], found["chargedOff"]) == (601, True)
    assert found["summary"]["totalWrittenOff"] == 13590


def test_a_waived_part_is_not_written_off(loan: LoanAccount, penalty: int, fee: int) -> None:
    """90 and 1440 waived of 13,590: 12,060 are written off."""
    loan.fineract.ok(on_charge(loan, penalty, "waive", externalId=unique()))
    loan.fineract.ok(move(loan, "waiveinterest", "2025-04-01", 1440))
    written_off = loan.fineract.ok(move(loan, "writeoff", "2025-04-01"))
    assert loan.transaction(written_off["resourceExternalId"])["amount"] == Decimal(12060)


def test_duplicate_external_ids_are_refused_in_each_command_s_own_way(loan: LoanAccount, fee: int) -> None:
    taken = loan.paid("2025-02-05", 10)["externalId"]
    waived = move(loan, "waiveinterest", "2025-02-10", 10, externalId=taken)
    assert (waived.status_code, code_of(waived)) == (403, "error.msg.data.integrity.issue")
    credited = move(loan, "goodwillCredit", "2025-02-10", 10, externalId=taken)
    assert credited.status_code == 400
    assert code_of(credited).endswith("externalId.value.must.be.unique")


@pytest.mark.parametrize("command", ["waiveinterest", "goodwillCredit", "charge-off"])
def test_fields_nobody_knows_and_future_dates_are_refused(loan: LoanAccount, command: str) -> None:
    amount = None if command == "charge-off" else 10
    unknown = move(loan, command, "2025-02-10", amount, colour="red")
    assert (unknown.status_code, code_of(unknown)) == (400, "error.msg.parameter.unsupported")
    future = move(loan, command, "2100-01-01", amount)
    assert future.status_code == 403


def test_a_foreclosure_counts_what_was_waived(loan: LoanAccount, penalty: int) -> None:
    """On 5 April three installments are due: their interest is 360, of which 120 are waived; principal 12,000."""
    loan.fineract.ok(on_charge(loan, penalty, "waive", externalId=unique()))
    loan.fineract.ok(move(loan, "waiveinterest", "2025-04-05", 120))
    query = {**FORMAT, "command": "foreclosure", "transactionDate": "2025-04-05"}
    quote = loan.fineract.ok(loan.fineract.get(f"{loan.path}/transactions/template", **query))
    assert (quote["amount"], quote["interestPortion"]) == (Decimal(12240), Decimal(240))
