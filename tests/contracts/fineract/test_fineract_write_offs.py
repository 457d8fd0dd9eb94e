"""Writing off, taking it back, and money that comes in on a written-off loan, worked out by hand.

The loan is 12,000 flat at 12 % over 12 months from 5 January 2025: 1000 principal + 120 interest due on the 5th of
each month from February on, 13,440 in all.
"""

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.contracts.fineract.contract_client import FORMAT, Borrower, LoanAccount, code_of, portions, unique


def write_off(loan: LoanAccount, on: str = "2025-03-10", **changes: Any) -> requests.Response:
    """Write the loan off, under a fresh external id unless another is given."""
    body = {**FORMAT, "transactionDate": on, "externalId": unique(), **changes}
    return loan.fineract.post(f"{loan.path}/transactions?command=writeoff", body)


def undo_write_off(loan: LoanAccount, body: dict[str, Any] | None = None) -> requests.Response:
    """Take the write-off back."""
    return loan.fineract.post(f"{loan.path}/transactions?command=undowriteoff", body)


def recover(loan: LoanAccount, on: str, amount: Any, **changes: Any) -> requests.Response:
    """Post a recovery, under a fresh external id unless another is given."""
    body = {
        **FORMAT, "transactionDate": on, "transactionAmount": amount, "externalId": unique(), **changes,
    }  # fmt: skip
    return loan.fineract.post(f"{loan.path}/transactions?command=recoverypayment", body)


@pytest.fixture
def loan(borrower: Borrower) -> LoanAccount:
    """An active loan of the shape above, its first installment paid: 11,000 + 1,320 = 12,320 are outstanding."""
    account = borrower.active()
    account.paid("2025-02-05", 1120)
    return account


@pytest.fixture
def written_off(loan: LoanAccount) -> LoanAccount:
    """The same loan after it was written off."""
    loan.fineract.ok(write_off(loan))
    return loan


def test_a_write_off_takes_everything_that_is_outstanding(loan: LoanAccount) -> None:
    external_id = unique()
    answer = loan.fineract.ok(write_off(loan, externalId=external_id, note="gone abroad"))
    assert answer["resourceExternalId"] == external_id
    transaction = loan.transaction(external_id)
    assert transaction["type"]["id"] == 6
    assert transaction["amount"] == Decimal(12320)
    assert portions(transaction) == {"principal": Decimal(11000), "interest": Decimal(1320)}


def test_a_written_off_loan_is_closed_and_owes_nothing(written_off: LoanAccount) -> None:
    found = written_off.look("repaymentSchedule")
    assert (found["status"]["id"], found["status"]["active"], found["status"]["closed"]) == (601, False, True)
    assert found["status"]["closedWrittenOff"] is True
    assert found["timeline"]["writeOffOnDate"] == [2025, 3, 10]
    summary = found["summary"]
    assert (summary["totalOutstanding"], summary["totalOverdue"]) == (Decimal(0), Decimal(0))
    assert summary["totalWrittenOff"] == Decimal(12320)
    assert (summary["principalWrittenOff"], summary["interestWrittenOff"]) == (Decimal(11000), Decimal(1320))
    first, second = found["repaymentSchedule"]["periods"][1:3]
    assert (first["totalWrittenOffForPeriod"], first["totalPaidForPeriod"]) == (Decimal(0), Decimal(1120))
    assert second["totalWrittenOffForPeriod"] == Decimal(1120)
    assert second["totalOutstandingForPeriod"] == Decimal(0)


def test_only_an_active_loan_is_written_off(borrower: Borrower, written_off: LoanAccount) -> None:
    for account in (borrower.approved(), written_off):
        refusal = write_off(account)
        assert (refusal.status_code, code_of(refusal)) == (
            400,
            "error.msg.loan.writtenoff.account.is.not.active",
        )


def test_a_write_off_comes_last_and_not_in_the_future(loan: LoanAccount) -> None:
    early = write_off(loan, "2025-02-04")
    assert (early.status_code, code_of(early)) == (
        403,
        "error.msg.loan.writeoff.must.occur.on.or.after.other.transaction.dates",
    )
    late = write_off(loan, "2100-01-01")
    assert (late.status_code, code_of(late)) == (403, "error.msg.loan.writeoff.cannot.be.a.future.date")
    assert loan.look()["status"]["id"] == 300


def test_a_duplicate_external_id_is_a_403_here_and_not_the_400_of_repayments(
    borrower: Borrower, written_off: LoanAccount
) -> None:
    taken = written_off.look("transactions")["transactions"][-1]["externalId"]
    refusal = write_off(borrower.active(), externalId=taken)
    assert (refusal.status_code, code_of(refusal)) == (403, "error.msg.data.integrity.issue")


def test_a_written_off_loan_takes_neither_a_repayment_nor_an_undo(written_off: LoanAccount) -> None:
    refusal = written_off.repay("2025-04-05", 1120)
    assert (refusal.status_code, code_of(refusal)) == (
        400,
        "error.msg.loan.must.be.active.fully.paid.or.overpaid",
    )
    [paid] = written_off.repayments()
    undo = written_off.adjust(paid["externalId"], "2025-02-05", 0)
    assert undo.status_code in {403, 503}  # 503 up to release 1.10
    assert code_of(undo) == "error.msg.loan.written.off.update.not.allowed"


def test_a_recovery_raises_what_was_recovered_and_pays_no_due(written_off: LoanAccount) -> None:
    external_id = unique()
    answer = written_off.fineract.ok(
        recover(written_off, "2025-04-05", 2000, externalId=external_id, receiptNumber="UTR1")
    )
    assert answer["resourceExternalId"] == external_id
    transaction = written_off.transaction(external_id)
    assert (transaction["type"]["id"], transaction["amount"]) == (8, Decimal(2000))
    assert portions(transaction) == {}
    found = written_off.look()
    assert found["status"]["id"] == 601
    summary = found["summary"]
    assert (summary["totalRecovered"], summary["totalRepayment"]) == (Decimal(2000), Decimal(1120))
    assert (summary["totalWrittenOff"], summary["totalOutstanding"]) == (Decimal(12320), Decimal(0))


def test_a_recovery_needs_a_written_off_loan(loan: LoanAccount) -> None:
    refusal = recover(loan, "2025-04-05", 2000)
    assert (refusal.status_code, code_of(refusal)) == (400, "error.msg.loan.account.is.not.written.off")


def test_a_recovery_is_at_most_what_was_written_off(written_off: LoanAccount) -> None:
    refusal = recover(written_off, "2025-04-05", "12320.01")
    assert (refusal.status_code, code_of(refusal)) == (
        403,
        "error.msg.loan.transaction.cannot.be.greater.than.total.written.off",
    )
    written_off.fineract.ok(recover(written_off, "2025-04-05", 12320))


def test_a_recoverys_external_id_is_unique_like_a_repayments(written_off: LoanAccount) -> None:
    [paid] = written_off.repayments()
    refusal = recover(written_off, "2025-04-05", 10, externalId=paid["externalId"])
    assert (refusal.status_code, code_of(refusal)) == (
        400,
        "validation.msg.loan.transaction.externalId.value.must.be.unique",
    )


def test_undoing_a_write_off_puts_every_due_back_and_needs_no_body(written_off: LoanAccount) -> None:
    [off] = [t for t in written_off.look("transactions")["transactions"] if t["type"]["id"] == 6]
    answer = written_off.fineract.ok(undo_write_off(written_off))
    assert answer["resourceId"] == off["id"]
    found = written_off.look()
    assert found["status"]["id"] == 300
    assert "writeOffOnDate" not in found["timeline"]
    assert found["summary"]["totalOutstanding"] == Decimal(12320)
    assert found["summary"]["totalWrittenOff"] == Decimal(0)
    assert written_off.transaction(off["externalId"])["manuallyReversed"] is True
    # March and April: one installment is paid as if nothing had been
    assert portions(written_off.paid("2025-04-05", 1120)) == {
        "interest": Decimal(120),
        "principal": Decimal(1000),
    }


def test_a_loan_that_is_not_written_off_has_nothing_to_take_back(loan: LoanAccount) -> None:
    refusal = undo_write_off(loan, {})
    assert refusal.status_code in {403, 503}  # 503 up to release 1.10
    assert code_of(refusal) == "error.msg.loan.status.not.written.off.update.not.allowed"
