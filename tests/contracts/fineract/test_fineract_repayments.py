"""Repayments: allocation, overpayment, undoing, adjusting and replay, worked out by hand.

The loan is 12,000 flat at 12 % over 12 months from 5 January 2025: 1000 principal + 120 interest due on the 5th of
each month from February on, 13,440 in all.
"""

from decimal import Decimal

import pytest

from tests.contracts.fineract.contract_client import (
    FORMAT,
    Borrower,
    LoanAccount,
    code_of,
    portions,
    read,
    unique,
)

ONLY_REPAYMENTS = (
    "error.msg.loan.transaction.adjustment.is.only.allowed.to."
    "repayment.or.waiver.or.creditbalancerefund.transactions"
)
MUST_BE_UNIQUE = "validation.msg.loan.transaction.externalId.value.must.be.unique"


@pytest.fixture
def loan(borrower: Borrower) -> LoanAccount:
    """An active loan of the shape above."""
    return borrower.active()


def test_one_installment_pays_its_interest_and_its_principal(loan: LoanAccount) -> None:
    paid = loan.paid("2025-02-05", 1120)
    assert portions(paid) == {"interest": Decimal(120), "principal": Decimal(1000)}
    assert paid["amount"] == Decimal(1120)
    assert paid["outstandingLoanBalance"] == Decimal(11000)
    assert (paid["date"], paid["manuallyReversed"]) == ([2025, 2, 5], False)


def test_a_part_payment_goes_to_interest_first(loan: LoanAccount) -> None:
    assert portions(loan.paid("2025-02-05", 150)) == {"interest": Decimal(120), "principal": Decimal(30)}
    assert portions(loan.paid("2025-02-06", 100)) == {"principal": Decimal(100)}


def test_money_beyond_the_installment_pays_the_next_ones_interest_first(loan: LoanAccount) -> None:
    # 1620 = (120 + 1000) + (120 + 380)
    assert portions(loan.paid("2025-02-05", 1620)) == {"interest": Decimal(240), "principal": Decimal(1380)}
    first, second, third = loan.look("repaymentSchedule")["repaymentSchedule"]["periods"][1:4]
    assert (first["complete"], first["obligationsMetOnDate"]) == (True, [2025, 2, 5])
    assert (second["interestPaid"], second["principalPaid"]) == (Decimal(120), Decimal(380))
    assert second["totalPaidInAdvanceForPeriod"] == Decimal(500)
    assert (third["totalPaidForPeriod"], third["complete"]) == (Decimal(0), False)


def test_the_summary_follows_the_money(loan: LoanAccount) -> None:
    loan.paid("2025-02-05", 1620)
    summary = loan.look()["summary"]
    assert summary["totalExpectedRepayment"] == Decimal(13440)
    assert (summary["principalPaid"], summary["interestPaid"]) == (Decimal(1380), Decimal(240))
    assert (summary["principalOutstanding"], summary["interestOutstanding"]) == (
        Decimal(10620),
        Decimal(1200),
    )
    assert (summary["totalRepayment"], summary["totalOutstanding"]) == (Decimal(1620), Decimal(11820))


def test_fractions_of_a_rupee_are_exact(loan: LoanAccount) -> None:
    text = (
        '{"transactionDate": "2025-02-05", "transactionAmount": 100.10, "dateFormat": "yyyy-MM-dd", "locale": "en",'
        f' "externalId": "{unique()}"}}'
    )
    for _ in range(3):
        body = text.replace('"externalId": "', f'"externalId": "{unique()[:8]}')
        loan.fineract.ok(loan.fineract.post(f"{loan.path}/transactions?command=repayment", body))
    # three times 100.10 in binary floating point would not be 300.30
    assert loan.look()["summary"]["totalRepayment"] == Decimal("300.30")


@pytest.mark.parametrize(
    ("text", "locale", "rupees"),
    [("1,000.50", "en", "1000.50"), ("1.000,50", "de", "1000.50"), ("1000.5", "en", "1000.50")],
)
def test_amounts_as_text_are_read_by_locale(loan: LoanAccount, text: str, locale: str, rupees: str) -> None:
    assert loan.paid("2025-02-05", text, locale=locale)["amount"] == Decimal(rupees)


def test_the_answer_names_the_loan_the_transaction_and_the_changes(loan: LoanAccount) -> None:
    external_id = unique()
    answer = loan.fineract.ok(loan.repay("2025-02-05", "1234.50", externalId=external_id, note="by hand"))
    known = loan.look()
    assert (answer["loanId"], answer["clientId"], answer["officeId"]) == (known["id"], known["clientId"], 1)
    assert answer["resourceExternalId"] == external_id
    assert answer["resourceId"] == loan.transaction(external_id)["id"]
    assert answer["changes"]["transactionDate"] == "2025-02-05"
    assert Decimal(answer["changes"]["transactionAmount"].replace(",", "")) == Decimal("1234.5")


def test_payment_details_are_kept(borrower: Borrower, loan: LoanAccount) -> None:
    kinds = borrower.fineract.ok(borrower.fineract.get("/paymenttypes"))
    paid = loan.paid(
        "2025-02-05", 10, paymentTypeId=kinds[0]["id"], receiptNumber="UTR123", bankNumber="HDFC"
    )
    detail = paid["paymentDetailData"]
    assert (detail["paymentType"]["id"], detail["receiptNumber"], detail["bankNumber"]) == (
        kinds[0]["id"],
        "UTR123",
        "HDFC",
    )


def test_the_last_rupee_closes_the_loan(loan: LoanAccount) -> None:
    loan.paid("2025-02-05", 13440)
    closed = loan.look()
    assert (closed["status"]["id"], closed["timeline"]["closedOnDate"]) == (600, [2025, 2, 5])


def test_more_than_everything_is_an_overpayment(loan: LoanAccount) -> None:
    # 13500 - 13440 = 60
    paid = loan.paid("2025-02-05", 13500)
    assert portions(paid) == {
        "interest": Decimal(1440),
        "principal": Decimal(12000),
        "overpayment": Decimal(60),
    }
    overpaid = loan.look()
    assert (overpaid["status"]["id"], overpaid["totalOverpaid"]) == (700, Decimal(60))


def test_a_closed_loan_takes_money_and_is_overpaid(loan: LoanAccount) -> None:
    loan.paid("2025-02-05", 13440)
    assert portions(loan.paid("2025-02-06", 40)) == {"overpayment": Decimal(40)}
    assert loan.look()["status"]["id"] == 700
    assert portions(loan.paid("2025-02-07", 2)) == {"overpayment": Decimal(2)}
    assert loan.look()["totalOverpaid"] == Decimal(42)


def test_undoing_gives_the_money_back_and_keeps_the_external_id(loan: LoanAccount) -> None:
    paid = loan.paid("2025-02-05", 1120)
    answer = loan.fineract.ok(loan.adjust(paid["externalId"], "2025-02-05", 0))
    assert answer["resourceId"] == paid["id"]
    undone = loan.transaction(paid["externalId"])
    assert (undone["id"], undone["manuallyReversed"]) == (paid["id"], True)
    assert portions(undone) == portions(paid)
    assert loan.look()["summary"]["totalRepayment"] == 0
    again = loan.repay("2025-02-05", 1120, externalId=paid["externalId"])
    assert (again.status_code, code_of(again)) == (400, MUST_BE_UNIQUE)


def test_a_second_undo_is_refused(loan: LoanAccount) -> None:
    paid = loan.paid("2025-02-05", 1120)
    loan.fineract.ok(loan.adjust(paid["externalId"], "2025-02-05", 0))
    again = loan.adjust(paid["externalId"], "2025-02-05", 0)
    assert (again.status_code, code_of(again)) == (403, ONLY_REPAYMENTS)


def test_a_reversal_external_id_is_unique(loan: LoanAccount) -> None:
    first, second = loan.paid("2025-02-05", 10), loan.paid("2025-02-06", 10)
    reversal = unique()
    loan.fineract.ok(loan.adjust(first["externalId"], "2025-02-05", 0, reversalExternalId=reversal))
    assert loan.transaction(first["externalId"])["reversalExternalId"] == reversal
    refusal = loan.adjust(second["externalId"], "2025-02-06", 0, reversalExternalId=reversal)
    assert (refusal.status_code, code_of(refusal)) == (403, "error.msg.data.integrity.issue")
    assert loan.transaction(second["externalId"])["manuallyReversed"] is False


def test_a_disbursement_cannot_be_undone_like_a_repayment(loan: LoanAccount) -> None:
    disbursement = loan.look("transactions")["transactions"][0]
    refusal = loan.fineract.post(
        f"{loan.path}/transactions/{disbursement['id']}",
        {**FORMAT, "transactionDate": "2025-01-05", "transactionAmount": 0},
    )
    assert (refusal.status_code, code_of(refusal)) == (403, ONLY_REPAYMENTS)


def test_undoing_reopens_a_closed_loan(loan: LoanAccount) -> None:
    paid = loan.paid("2025-02-05", 13440)
    loan.fineract.ok(loan.adjust(paid["externalId"], "2025-02-06", 0))
    assert loan.look()["status"]["id"] == 300


def test_undoing_one_of_two_covers_an_overpaid_loan_still(loan: LoanAccount) -> None:
    # 13440 + 100: taking the 100 back leaves the loan paid exactly
    loan.paid("2025-02-05", 13440)
    extra = loan.paid("2025-02-06", 100)
    loan.fineract.ok(loan.adjust(extra["externalId"], "2025-02-06", 0))
    assert loan.look()["status"]["id"] == 600


def test_adjusting_puts_a_new_repayment_in_place_of_the_old(loan: LoanAccount) -> None:
    paid = loan.paid("2025-02-05", 1120)
    answer = loan.fineract.ok(loan.adjust(paid["externalId"], "2025-02-07", 500))
    assert answer["resourceId"] > paid["id"]
    old, new = loan.repayments()
    assert (old["id"], old["manuallyReversed"]) == (paid["id"], True)
    assert (new["id"], new["date"], portions(new)) == (
        answer["resourceId"],
        [2025, 2, 7],
        {"interest": Decimal(120), "principal": Decimal(380)},
    )


def test_a_backdated_repayment_replays_the_later_one_under_a_new_id(loan: LoanAccount) -> None:
    # 100 in March first pays interest only; once 50 of February stand before it, 70 is interest and 30 principal
    later = loan.paid("2025-03-05", 100)
    assert portions(later) == {"interest": Decimal(100)}
    earlier = loan.paid("2025-02-05", 50)
    assert portions(earlier) == {"interest": Decimal(50)}
    replayed = loan.transaction(later["externalId"])
    assert replayed["id"] not in {later["id"], earlier["id"]}
    assert replayed["date"] == [2025, 3, 5]
    assert portions(replayed) == {"interest": Decimal(70), "principal": Decimal(30)}
    assert [t["id"] for t in loan.repayments()] == [earlier["id"], replayed["id"]]
    assert [r["relationType"] for r in replayed["transactionRelations"]] == ["REPLAYED"]


def test_a_backdated_repayment_leaves_a_later_one_alone_that_pays_the_same_still(loan: LoanAccount) -> None:
    # 1120 of February pays the first installment, so March's 1120 pays the second: 120 + 1000 as before
    later = loan.paid("2025-03-05", 1120)
    loan.paid("2025-02-05", 1120)
    assert loan.transaction(later["externalId"])["id"] == later["id"]


def test_undoing_the_first_replays_the_second(loan: LoanAccount) -> None:
    first = loan.paid("2025-02-05", 50)
    second = loan.paid("2025-03-05", 100)
    loan.fineract.ok(loan.adjust(first["externalId"], "2025-03-05", 0))
    replayed = loan.transaction(second["externalId"])
    assert replayed["id"] != second["id"]
    assert portions(replayed) == {"interest": Decimal(100)}
    assert {t["externalId"] for t in loan.repayments()} == {first["externalId"], second["externalId"]}


def test_an_external_id_is_unique_over_all_loans(borrower: Borrower, loan: LoanAccount) -> None:
    paid = loan.paid("2025-02-05", 10)
    other = borrower.active()
    refusal = other.repay("2025-02-05", 10, externalId=paid["externalId"])
    assert (refusal.status_code, code_of(refusal)) == (400, MUST_BE_UNIQUE)
    assert read(refusal)["errors"][0]["parameterName"] == "externalId"
    assert other.repayments() == []


def test_a_transaction_of_another_loan_is_not_found_there(borrower: Borrower, loan: LoanAccount) -> None:
    paid = loan.paid("2025-02-05", 10)
    other = borrower.active()
    missing = other.fineract.get(f"{other.path}/transactions/external-id/{paid['externalId']}")
    assert missing.status_code == 404


def test_transactions_are_found_by_id_and_by_external_id(loan: LoanAccount) -> None:
    paid = loan.paid("2025-02-05", 10)
    loan_id = loan.look()["id"]
    for path in (loan.path, f"/loans/{loan_id}"):
        for transaction in (paid["id"], f"external-id/{paid['externalId']}"):
            found = loan.fineract.ok(loan.fineract.get(f"{path}/transactions/{transaction}"))
            assert found["id"] == paid["id"]


def test_the_repayment_template_proposes_the_oldest_open_installment(loan: LoanAccount) -> None:
    # 1120 due, 150 of it paid
    loan.paid("2025-02-05", 150)
    template = loan.fineract.ok(loan.fineract.get(f"{loan.path}/transactions/template", command="repayment"))
    assert template["amount"] == Decimal(970)


def test_the_prepayment_template_asks_for_everything_future_interest_included(loan: LoanAccount) -> None:
    loan.paid("2025-02-05", 1120)
    query = {**FORMAT, "command": "prepayLoan", "transactionDate": "2025-02-06"}
    template = loan.fineract.ok(loan.fineract.get(f"{loan.path}/transactions/template", **query))
    assert template["amount"] == Decimal(12320)
