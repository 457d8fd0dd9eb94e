"""What is not done, and why: mismatches are held, what Fineract refuses is refused, what is somebody else's is named."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import requests

from tests.los.fineract_book import (
    QUICK,
    RUN,
    LosBook,
    approval_of,
    client_of,
    disbursal_of,
    loan_of,
    new_loan,
)
from turno_lms.los.decisions import Action, DecisionError, Named, decide
from turno_lms.los.protocol import StopRunError
from turno_lms.warehouse.connection import connect

MakeBook = Callable[..., LosBook]


def decided(book: LosBook, action: Action, operation: str, reference: str, reason: str = "as agreed") -> None:
    with connect(book.app_url) as conn:
        decide(conn, Named(operation, reference), action, reason, "asha")


@pytest.mark.parametrize(
    ("changes", "reason", "told"),
    [
        # 1,180.00 is the schedule's instalment: 1.00 off is within the lender's tolerance, 1.01 is not
        (
            {"emi": "1181.01"},
            "instalment_differs",
            "instalment: submitted 1181.01, Fineract's schedule has 1180.00",
        ),
        ({"first_repayment_on": "2025-01-05"}, "dates_differ", "not after the expected disbursement"),
        ({"expected_disbursement_on": "2025-01-01"}, "dates_differ", "before the application"),
        ({"lender": "nobody"}, "lender_unknown", "no mapping of lender nobody"),
    ],
)
def test_an_application_that_is_not_what_was_promised_is_held(
    book: LosBook, changes: dict[str, str], reason: str, told: str
) -> None:
    book.submit("create_client", client_of(1))
    book.submit("create_loan", loan_of(1, **changes))
    book.submit("approve_loan", approval_of(1))
    book.run()
    held = book.row("create_loan", "L-1")
    assert (held["state"], held["reason"]) == ("held", reason)
    assert told in held["message"]
    assert book.client.find_loan("AXL1") is None
    assert "create_loan L-1 is held" in book.row("approve_loan", "A-1")["message"]


@pytest.fixture
def working_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a Fineract answers that moves due dates to working days, which the stand-in does not do."""
    send = requests.Session.send

    def moved(
        session: requests.Session, request: requests.PreparedRequest, **options: Any
    ) -> requests.Response:
        response = send(session, request, **options)
        if "command=calculateLoanSchedule" in str(request.url):
            assert b"[2025,2,5]" in response.content
            response._content = response.content.replace(b"[2025,2,5]", b"[2025,2,7]")
        return response

    monkeypatch.setattr(requests.Session, "send", moved)


@pytest.mark.usefixtures("working_days")
def test_a_first_instalment_on_another_day_than_promised_is_held(book: LosBook) -> None:
    new_loan(book, 1, first_repayment_on="2025-02-05")
    book.run()
    held = book.row("create_loan", "L-1")
    assert (held["state"], held["reason"]) == ("held", "schedule_differs")
    told = "first instalment's day: submitted 2025-02-05, Fineract's schedule has 2025-02-07"
    assert held["message"] == told
    assert held["detail"]["schedule"]["installments"] == 12
    decided(book, Action.RELEASE, "create_loan", "L-1")
    book.wait_over()
    book.run()
    assert set(book.states().values()) == {"done"}


def test_a_person_lets_a_mismatch_pass_and_only_a_mismatch(book: LosBook) -> None:
    new_loan(book, 1, emi="1200.00")
    book.run()
    assert book.row("create_loan", "L-1")["detail"]["fineract"] == "1180.00"
    with pytest.raises(DecisionError, match="say why"):
        decided(book, Action.RELEASE, "create_loan", "L-1", " ")
    with pytest.raises(DecisionError, match="is waiting"):
        decided(book, Action.RETRY, "approve_loan", "A-1")
    decided(book, Action.RELEASE, "create_loan", "L-1")
    book.wait_over()
    book.run()
    assert set(book.states().values()) == {"done"}
    row = book.row("create_loan", "L-1")
    assert (row["decided_by"], row["decision_reason"], row["accepted_reasons"]) == (
        "asha",
        "as agreed",
        ["instalment_differs"],
    )


def test_within_the_lenders_tolerance_nothing_is_held(make_book: MakeBook) -> None:
    book = make_book(instalment_tolerance="25.00", amount_tolerance="100.00")
    new_loan(book, 1, emi="1200.00")
    book.submit("create_client", client_of(2))
    book.submit("create_loan", loan_of(2))
    book.submit("approve_loan", approval_of(2))
    book.submit("disburse_loan", disbursal_of(2, amount="11899.99"))
    book.run()
    states = book.states()
    assert (states["disburse_loan D-1"], states["disburse_loan D-2"]) == ("done", "held")
    assert book.row("disburse_loan", "D-2")["detail"] == {"submitted": "11899.99", "fineract": "12000.00"}


def test_terms_and_charges_come_from_product_and_mapping(make_book: MakeBook) -> None:
    """Declining balance instead of flat: 12,000 at 1.5 % a month over 12 is 1,100.16, the annuity of textbooks."""
    book = make_book(terms={"interest_type": 0}, disbursal_payment_type_id=1)
    new_loan(book, 1, emi="1100.16")
    book.run()
    assert set(book.states().values()) == {"done"}
    loan = book.loan("AXL1", "transactions")
    assert loan["interestType"]["id"] == 0
    assert loan["transactions"][0]["paymentDetailData"]["paymentType"]["id"] == 1
    asked = book.conn.execute(
        "select count(*) as n from raw.raw_fineract_api_log where purpose = 'loan_template'"
    )
    new_loan(book, 2, emi="1100.16")
    book.run()
    again = book.conn.execute(
        "select count(*) as n from raw.raw_fineract_api_log where purpose = 'loan_template'"
    )
    assert asked.fetchone() == again.fetchone() == {"n": 1}, "the template is kept"


def test_what_fineract_refuses_is_refused_with_its_code_and_tried_again_on_order(book: LosBook) -> None:
    new_loan(book, 1)
    book.submit("undo_disbursal", {"reference": "X", "loan_id": "AXL1"})
    book.run()
    book.submit("disburse_loan", disbursal_of(1, reference="D-2", disbursed_on="2025-01-02"))
    book.run()
    refused = book.row("disburse_loan", "D-2")
    assert (refused["state"], refused["reason"]) == ("refused", "refused_by_fineract")
    assert "loan.disbursal.cannot.be.before.approval.date" in refused["message"]
    decided(book, Action.RETRY, "disburse_loan", "D-2")
    assert (
        book.row("disburse_loan", "D-2")["attempt"] == 2
    )  # the key of a refused call answers with the refusal for ever
    book.run()
    decided(book, Action.DROP, "disburse_loan", "D-2")
    assert book.row("disburse_loan", "D-2")["state"] == "dropped"
    with pytest.raises(DecisionError, match="is dropped"):
        decided(book, Action.RETRY, "disburse_loan", "D-2")


def test_a_mobile_of_another_client_is_traced_to_its_holder(book: LosBook) -> None:
    book.submit("create_client", client_of(1))
    book.run()
    book.submit("create_client", client_of(2, mobile_no=client_of(1)["mobile_no"]))
    book.run()
    held = book.row("create_client", "C-2")
    assert (held["state"], held["reason"]) == ("held", "mobile_taken")
    holder = book.client.find_client("CL1")
    assert holder
    assert held["detail"] == {"holders": [{"number": holder["id"], "external_id": "CL1"}]}
    assert client_of(1)["mobile_no"] not in str(held)


def test_an_account_number_of_another_client_or_loan_is_traced_too(book: LosBook) -> None:
    book.submit("create_client", client_of(1, account_no="ACC-1"), client_of(2, account_no="ACC-1"))
    book.submit("create_loan", loan_of(3, account_no="LOAN-1"), loan_of(4, account_no="LOAN-1"))
    book.submit("create_client", client_of(3), client_of(4))
    book.run()
    states = book.states()
    assert sorted(states[f"create_client C-{n}"] for n in (1, 2)) == ["done", "held"]
    assert sorted(states[f"create_loan L-{n}"] for n in (3, 4)) == ["done", "held"]
    held = next(
        row
        for row in (book.row("create_loan", "L-3"), book.row("create_loan", "L-4"))
        if row["state"] == "held"
    )
    assert held["reason"] == "account_taken"
    assert held["detail"]["holders"][0]["external_id"] in {"AXL3", "AXL4"}


def test_another_client_or_loan_under_the_same_id_is_held(book: LosBook) -> None:
    new_loan(book, 1)
    book.run()
    book.submit("create_client", client_of(1, reference="C-x", fullname="Somebody Else"))
    book.submit("create_loan", loan_of(1, reference="L-x", principal="13000", emi="1278.33"))
    book.run()
    client, loan = book.row("create_client", "C-x"), book.row("create_loan", "L-x")
    assert (client["reason"], client["detail"]) == ("client_differs", {"fields": ["fullname"]})
    assert (loan["reason"], loan["detail"]) == ("loan_differs", {"fields": ["principal"]})
    assert "Somebody" not in str(client)


def test_no_personal_data_reaches_the_api_log_or_the_results(book: LosBook) -> None:
    new_loan(book, 7)
    book.submit("create_client", client_of(8, reference="C-dup", mobile_no=client_of(7)["mobile_no"]))
    book.submit("update_client", {"reference": "U", "client_id": "CL7", "email": "asha@example.com"})
    book.run()
    logged = book.conn.execute(
        "select string_agg(log::text, ' ') as text from raw.raw_fineract_api_log as log"
    ).fetchone()
    results = book.conn.execute(
        "select string_agg(row::text, ' ') as text from core.core_los_processed as row"
    ).fetchone()
    for text in ((logged or {})["text"], (results or {})["text"]):
        for personal in ("9800000007", "Borrower 7", "asha@example.com"):
            assert personal not in text
    assert "/search?query=%2A%2A%2A" in (logged or {})["text"]


def test_one_writer_at_a_time(book: LosBook) -> None:
    """A loan that posting holds is left to it, and done when it is free."""
    new_loan(book, 1)
    book.conn.execute(
        "insert into core.core_loan_lease (loan_id, holder, fence, expires_at)"
        " values ('AXL1', 'post_repayments', 1, now() + interval '1 hour')"
    )
    book.run(settings_of(patience=0.1))
    assert book.client.find_loan("AXL1") is None
    assert book.states()["create_loan L-1"] == "queued"
    book.conn.execute("update core.core_loan_lease set expires_at = now()")
    book.run()
    assert set(book.states().values()) == {"done"}


def settings_of(**changes: Any) -> Any:
    return replace(QUICK, **changes)


def fault(book: LosBook, requests_named: str, name: str, count: int) -> None:
    root = book.url.partition("/fineract-provider")[0]
    rule = {"requests": requests_named, "fault": name, "next": count}
    requests.post(f"{root}/standin/rules", json=rule, timeout=10).raise_for_status()


FAULTS = (
    "drop_before", "drop_after", "error_before", "error_after", "unavailable", "loan_locked", "conflict", "bad_gateway",
)  # fmt: skip


def test_no_fault_does_a_thing_twice_or_not_at_all(book: LosBook) -> None:
    """Each fault at each call of a new loan's chain, one loan for every pair."""
    pairs = list(product(("create_client", "create_loan", "approve", "disburse"), FAULTS))
    for number, (operation, name) in enumerate(pairs, start=1):
        fault(book, operation, name, 1)
        new_loan(book, number)
        book.run()
        requests.delete(f"{book.url.partition('/fineract-provider')[0]}/standin/rules", timeout=10)
    book.wait_over()
    book.run()
    assert set(book.states().values()) == {"done"}
    loans = list(book.client.list_loans())
    assert {loan["status"]["id"] for loan in loans} == {300}
    assert len(loans) == len(pairs)
    for loan in loans:
        assert len(book.loan(loan["externalId"], "transactions")["transactions"]) == 1


def test_a_fineract_that_is_down_stops_the_run_and_loses_nothing(book: LosBook) -> None:
    new_loan(book, 1)
    there, book.url = book.url, "http://127.0.0.1:9/fineract-provider/api/v1"
    with pytest.raises(StopRunError, match="cannot be reached"):
        book.run()
    book.url = there
    book.run()
    assert set(book.states().values()) == {"done"}
    assert RUN.label in str(book.row("create_loan", "L-1")["ended_by_run"])
