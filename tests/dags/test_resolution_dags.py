"""The DAGs of settlements, write-offs and foreclosures, from form to end, answered by people with names of their own.

The requester is `dag_test`, the user of these runs. Loans owe 136,000 (100,000 flat at 18 % over 24 months).
"""

from decimal import Decimal
from typing import Any

import pytest

from tests.dags.conftest import Answer, RunDag
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import add_payment, create_transaction_table, processed
from turno_lms.fineract.client import FineractClient
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.orchestration.resolutions import today
from turno_lms.warehouse.connection import WarehouseConnection

LOAN = "GB100151"
# 16,000 of 136,000 are forgiven: 11.8 %, the team lead's band, in which anybody but the requester may approve
FORM = {
    "lender": "gb", "loan_id": LOAN, "amount": "120000.00", "waive": ["penalties", "fees", "interest"],
    "reason": "illness", "evidence": "mail of 8 June",
}  # fmt: skip


@pytest.fixture
def fineract(fineract_url: str) -> FineractClient:
    client = standin_client(fineract_url)
    make_loans(client, [LOAN])
    return client


@pytest.fixture
def book(warehouse: WarehouseConnection, fineract: FineractClient) -> WarehouseConnection:
    apply_lenders(warehouse, load_lenders())
    create_transaction_table(warehouse)
    warehouse.commit()
    return warehouse


def one(conn: WarehouseConnection, query: str) -> dict[str, Any]:
    row = conn.execute(query).fetchone()
    conn.commit()
    assert row is not None
    return row


def settlement(conn: WarehouseConnection) -> str:
    return str(one(conn, "select state from core.core_settlement order by requested_at desc")["state"])


def status(client: FineractClient) -> int:
    loan = client.find_loan(LOAN)
    assert loan is not None
    return int(loan["status"]["id"])


def test_a_settlement_from_the_form_to_its_end_and_back(
    run_dag: RunDag, book: WarehouseConnection, fineract: FineractClient, answered: Answer
) -> None:
    answered("meera", "Approve")
    run = run_dag("settle_loan", **FORM)
    assert run.state == "success"
    assert (settlement(book), status(fineract)) == ("accepted", 300)  # it waits for its money, no task does
    key = add_payment(book, LOAN, "120000.00", today())
    book.commit()
    assert run_dag("post_repayments").state == "success"
    assert processed(book, key) is None  # held
    book.commit()
    assert run_dag("advance_resolutions").state == "success"
    assert (settlement(book), status(fineract)) == ("done", 600)
    ended = processed(book, key)
    assert ended is not None
    assert ended["outcome"] == "posted"
    book.commit()
    row = one(book, "select requested_by, decided_by, state from core.core_approval")
    assert row == {"requested_by": "dag_test", "decided_by": "meera", "state": "used"}
    assert run_dag("advance_resolutions").state == "success"
    assert run_dag("post_repayments").state == "success"  # and the proof holds

    ref = one(book, "select settlement_ref from core.core_settlement")["settlement_ref"]
    undo = {"ref": ref, "reason": "the letter was forged"}
    run = run_dag("undo_resolution", **undo, marked_as_success="approve|record_decision")
    assert (run.tasks["undo"], settlement(book), status(fineract)) == ("failed", "done", 600)
    assert run_dag("undo_resolution", **undo).state == "success"
    assert (settlement(book), status(fineract)) == ("undone", 300)
    assert run_dag("post_repayments").state == "success"  # its money is an ordinary repayment again
    corrected = processed(book, f"{key}-r1")
    assert corrected is not None
    assert corrected["outcome"] == "posted"


def test_the_requester_s_own_answer_and_a_rejection_and_no_answer_settle_nothing(
    run_dag: RunDag, book: WarehouseConnection, fineract: FineractClient, answered: Answer
) -> None:
    answered("dag_test", "Approve")
    run = run_dag("settle_loan", **FORM)
    assert (run.tasks["record_decision"], run.tasks["accept"]) == ("failed", "upstream_failed")
    assert settlement(book) == "requested"
    ref = one(book, "select settlement_ref from core.core_settlement")["settlement_ref"]
    give_up = {"ref": ref, "action": "give up", "reason": "asked wrongly"}
    assert run_dag("decide_resolution", **give_up).state == "success"
    assert settlement(book) == "stopped"

    answered("meera", "Reject")
    run = run_dag("settle_loan", **FORM)
    assert (run.tasks["record_decision"], run.tasks["accept"]) == ("skipped", "skipped")
    assert settlement(book) == "rejected"

    answered(None, "Reject")  # the time is up: Airflow answers for nobody
    run = run_dag("settle_loan", **FORM)
    assert run.tasks["accept"] == "skipped"
    assert settlement(book) == "requested"
    book.execute("update core.core_approval set expires_at = now() where state = 'requested'")
    book.commit()
    assert run_dag("advance_resolutions").state == "success"
    assert (settlement(book), status(fineract)) == ("expired", 300)


def test_marking_tasks_as_success_settles_nothing(
    run_dag: RunDag, book: WarehouseConnection, fineract: FineractClient, answered: Answer
) -> None:
    add_payment(book, LOAN, "120000.00", today())
    book.commit()
    run = run_dag("settle_loan", **FORM, marked_as_success="approve|record_decision")
    assert (run.tasks["approve"], run.tasks["record_decision"]) == ("success", "success")
    assert (run.tasks["accept"], run.state) == ("failed", "failed")
    assert (settlement(book), status(fineract)) == ("requested", 300)
    assert run_dag("advance_resolutions").state == "success"
    assert (settlement(book), status(fineract)) == ("requested", 300)


def test_a_refused_form_says_which_rule(run_dag: RunDag, book: WarehouseConnection) -> None:
    run = run_dag("settle_loan", **(FORM | {"amount": "20000.00"}))  # 85 % forgiven
    assert (run.tasks["quote"], run.state) == ("failed", "failed")
    assert one(book, "select count(*) as n from core.core_settlement") == {"n": 0}


def test_a_loan_is_written_off_and_taken_back_by_two_people_each(
    run_dag: RunDag, book: WarehouseConnection, fineract: FineractClient, answered: Answer
) -> None:
    form = {"lender": "gb", "loan_id": LOAN, "reason": "vehicle stolen"}
    answered("meera", "Approve")  # 136,000 are the credit committee's
    run = run_dag("write_off_loan", **form)
    assert (run.tasks["record_decision"], status(fineract)) == ("failed", 300)
    answered("finance_head", "Approve")
    ref = one(book, "select write_off_ref from core.core_write_off")["write_off_ref"]
    assert run_dag("decide_resolution", ref=ref, action="give up", reason="wrong person").state == "success"
    run = run_dag("write_off_loan", **form)
    assert (run.state, status(fineract)) == ("success", 601)
    row = one(book, "select write_off_ref, dues_total from core.core_write_off where state = 'done'")
    assert row["dues_total"] == Decimal(136000)

    undo = {"ref": row["write_off_ref"], "reason": "the vehicle was found"}
    run = run_dag("undo_resolution", **undo, marked_as_success="approve|record_decision")
    assert (run.tasks["undo"], status(fineract)) == ("failed", 601)
    assert (run_dag("undo_resolution", **undo).state, status(fineract)) == ("success", 300)


def test_a_foreclosure_is_quoted_for_the_day_and_ends_with_its_certificate(
    run_dag: RunDag, book: WarehouseConnection, fineract: FineractClient
) -> None:
    form = {"lender": "gb", "loan_id": LOAN, "reason": "letter of the customer"}
    assert run_dag("foreclose_loan", **form).state == "success"
    figure = one(book, "select quoted_total from core.core_foreclosure")["quoted_total"]
    add_payment(book, LOAN, f"{figure}", today())
    book.commit()
    assert run_dag("advance_resolutions").state == "success"
    assert status(fineract) == 600
    assert one(book, "select state from core.core_foreclosure") == {"state": "done"}
