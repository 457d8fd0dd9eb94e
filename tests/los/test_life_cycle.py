"""From a submission to its effect in Fineract and its result: each operation, in order, once."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.los.fineract_book import (
    FIRST_DUE,
    LosBook,
    approval_of,
    client_of,
    disbursal_of,
    loan_of,
    new_loan,
)
from turno_lms.domain.states import LosState
from turno_lms.fineract.repayments import iso_date

MakeBook = Callable[..., LosBook]


def test_a_new_client_and_loan_go_all_the_way_in_one_run(book: LosBook) -> None:
    new_loan(book, 1)
    clients, loans = book.run()
    assert (clients.outcomes, loans.outcomes) == ({"done": 1}, {"done": 3})
    assert set(book.states().values()) == {"done"}
    loan = book.loan("AXL1", "repaymentSchedule", "transactions")
    assert loan["status"]["id"] == 300
    assert iso_date(loan["timeline"]["actualDisbursementDate"]).isoformat() == "2025-01-05"  # type: ignore[union-attr]
    result = book.row("create_loan", "L-1")["result"]
    # 12,000 x 18 % x 1 year = 2,160 of interest; (12,000 + 2,160) / 12 = 1,180
    assert {name: result[name] for name in ("installment_amount", "total_interest", "installments")} == {
        "installment_amount": "1180.00", "total_interest": "2160.00", "installments": 12,
    }  # fmt: skip
    assert result["first_due_on"] == FIRST_DUE.isoformat()
    assert book.row("disburse_loan", "D-1")["result"]["principal"] == "12000.00"
    (paid_out,) = loan["transactions"]
    assert paid_out["externalId"].startswith("los-")
    assert paid_out["paymentDetailData"]["receiptNumber"] == "UTR00000001"


def test_the_same_again_changes_nothing(book: LosBook) -> None:
    new_loan(book, 1)
    book.run()
    calls = "select count(*) as calls from raw.raw_fineract_api_log"
    before = book.conn.execute(calls).fetchone()
    clients, loans = book.run()
    assert (clients.outcomes, loans.outcomes) == ({}, {})
    assert book.conn.execute(calls).fetchone() == before


def test_another_reference_for_what_is_done_is_recognised_not_done_twice(book: LosBook) -> None:
    new_loan(book, 1)
    book.run()
    book.submit("create_client", client_of(1, reference="C-again"))
    book.submit("create_loan", loan_of(1, reference="L-again"))
    book.submit("approve_loan", approval_of(1, reference="A-again"))
    book.submit("disburse_loan", disbursal_of(1, reference="D-again"))
    clients, loans = book.run()
    assert (clients.outcomes, loans.outcomes) == ({"recognised": 1}, {"recognised": 3})
    again = book.row("disburse_loan", "D-again")
    assert (again["state"], again["is_recognised"], again["tries"]) == ("done", True, 0)
    assert again["result"]["fineract_loan_id"] == book.loan("AXL1")["id"]
    assert len(list(book.client.list_loans())) == 1


def test_files_may_come_in_any_order(book: LosBook) -> None:
    """Disbursal before approval before the loan before its client: each waits, with what it waits for, and is then done."""
    book.submit("disburse_loan", disbursal_of(1))
    book.run()
    waiting = book.row("disburse_loan", "D-1")
    assert (waiting["state"], waiting["reason"]) == (LosState.WAITING, "loan_missing")
    assert "nothing was submitted that would change it" in waiting["message"]
    assert waiting["waiting_since"] is not None
    book.submit("approve_loan", approval_of(1))
    book.submit("create_loan", loan_of(1))
    book.run()
    assert "client CL1 yet: nothing was submitted" in book.row("create_loan", "L-1")["message"]
    book.submit("create_client", client_of(1))
    book.run()  # what waited is woken by the client, in the same run
    assert set(book.states().values()) == {"done"}


def test_an_approval_can_be_taken_back_and_given_again_and_a_disbursal_too(book: LosBook) -> None:
    new_loan(book, 1)
    book.submit("undo_disbursal", {"reference": "UD-1", "loan_id": "AXL1", "note": "wrong account"})
    book.submit("undo_approval", {"reference": "UA-1", "loan_id": "AXL1"})
    book.submit("approve_loan", approval_of(1, reference="A-2", approved_on="2025-01-04", amount="11000"))
    book.submit("disburse_loan", disbursal_of(1, reference="D-2", amount="11000"))
    book.run()
    assert set(book.states().values()) == {"done"}
    loan = book.loan("AXL1")
    assert (loan["status"]["id"], Decimal(loan["principal"])) == (300, 11000)


def test_a_rejected_application_ends_there(book: LosBook) -> None:
    book.submit("create_client", client_of(1))
    book.submit("create_loan", loan_of(1))
    book.submit("reject_loan", {"reference": "R-1", "loan_id": "AXL1", "rejected_on": "2025-01-03"})
    book.run()
    assert book.row("reject_loan", "R-1")["result"]["rejected_on"] == "2025-01-03"
    book.submit("approve_loan", approval_of(1))
    book.run()
    refused = book.row("approve_loan", "A-1")
    assert (refused["state"], refused["reason"]) == ("refused", "state_passed")
    assert "Rejected" in refused["message"]


def test_a_client_is_updated_by_the_fields_that_change(book: LosBook) -> None:
    new_loan(book, 1)
    book.submit("update_client", {"reference": "U-1", "client_id": "CL1", "mobile_no": "9111111111"})
    book.run()
    assert book.client.find_client("CL1")["mobileNo"] == "9111111111"  # type: ignore[index]
    book.submit("update_client", {"reference": "U-2", "client_id": "CL1", "mobile_no": "9111111111"})
    book.run()
    assert book.row("update_client", "U-2")["is_recognised"]
    book.submit("update_client", {"reference": "U-3", "client_id": "CL9", "mobile_no": "9111111119"})
    book.run()
    assert (book.row("update_client", "U-3")["state"], book.row("update_client", "U-3")["reason"]) == (
        "waiting", "client_missing",
    )  # fmt: skip


def test_a_charge_is_added_once_and_a_loan_foreclosed_for_what_fineract_asks(book: LosBook) -> None:
    """5 January to 5 March: 60 of 177 ... two instalments of interest (180 each) are due by 5 March, none of the next.

    Principal 12,000 + interest of February and March 360 + the charge of 500 = 12,860.
    """
    new_loan(book, 1)
    fee = book.client.send(
        "POST", "/charges",
        {
            "name": "Visit", "currencyCode": "INR", "amount": 500, "chargeAppliesTo": 1, "chargeTimeType": 2,
            "chargeCalculationType": 1, "chargePaymentMode": 0, "active": True, "locale": "en",
        },
        purpose="test", subject="test", idempotency_key=None,
    ).body["resourceId"]  # fmt: skip
    charge = {"charge_id": fee, "amount": "500.00", "due_date": "2025-02-20"}
    book.submit("add_charge", {"reference": "F-1", "loan_id": "AXL1", "charge": charge})
    book.run()
    assert book.row("add_charge", "F-1")["result"]["total_fees"] == "500.00"
    book.submit(
        "foreclose_loan",
        {"reference": "X-1", "loan_id": "AXL1", "foreclosed_on": "2025-03-05", "amount": "12800"},
    )
    book.run()
    held = book.row("foreclose_loan", "X-1")
    assert (held["state"], held["reason"]) == ("held", "quote_differs")
    assert held["detail"] == {"submitted": "12800.00", "fineract": "12860.00"}
    book.submit(
        "foreclose_loan",
        {"reference": "X-2", "loan_id": "AXL1", "foreclosed_on": "2025-03-05", "amount": "12860"},
    )
    book.run()
    done = book.row("foreclose_loan", "X-2")
    assert (done["state"], done["result"]["closed_on"]) == ("done", "2025-03-05")
    assert done["result"]["total_repaid"] == "12860.00"
    assert book.loan("AXL1")["subStatus"]["id"] == 100
    assert len(book.loan("AXL1", "charges")["charges"]) == 1


def test_the_chain_is_one_transaction_where_the_lender_asks_for_it(make_book: MakeBook) -> None:
    book = make_book(atomic_chain=True)
    new_loan(book, 1)
    new_loan(book, 2)
    book.conn.execute(  # the second loan's money is to go out before its approval: Fineract refuses the third link
        "update raw.raw_los_submission set payload = payload || '{\"disbursed_on\": \"2025-01-02\"}' where reference = 'D-2'"
    )
    book.run()
    calls = book.conn.execute(
        "select count(*) as n from raw.raw_fineract_api_log where purpose = 'create_approve_disburse'"
    ).fetchone()
    assert calls == {"n": 2}
    assert book.loan("AXL1")["status"]["id"] == 300
    assert book.client.find_loan("AXL2") is None, "nothing of a refused chain is done"
    states = book.states()
    assert [states[f"{name} {ref}-2"] for name, ref in (("create_loan", "L"), ("approve_loan", "A"), ("disburse_loan", "D"))] == [
        "held", "held", "refused",
    ]  # fmt: skip
    assert "cannot.be.before.approval.date" in book.row("disburse_loan", "D-2")["message"]
    assert "disburse_loan D-2, which was refused" in book.row("create_loan", "L-2")["message"]


@pytest.mark.parametrize("order", ["create_first", "approve_first"])
def test_a_future_day_is_waited_for(book: LosBook, order: str) -> None:
    book.submit("create_client", client_of(1, activated_on="2999-01-01"))
    if order == "approve_first":
        book.submit("approve_loan", approval_of(1))
    book.run()
    row = book.row("create_client", "C-1")
    assert (row["state"], row["reason"], row["next_try_at"].year) == (
        "waiting",
        "date_in_future",
        2998,
    )  # 00:05 IST is UTC's day before
