"""One raw call of Fineract: what may be called, by whose leave, once, on record, without personal data."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.los.fineract_book import LosBook, new_loan
from turno_lms.approvals import approvals
from turno_lms.approvals.approvals import ApprovalError
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.audit import DatabaseAudit
from turno_lms.fineract.client import FineractClient
from turno_lms.los.loan_state import loan_state
from turno_lms.los.raw_calls import RawCall, RawCallError, ask, read_call, send
from turno_lms.warehouse.connection import WarehouseConnection, connect

RUN = RunContext("call_fineract", "manual__1", actor="asha")
NOTE = {
    "method": "PUT", "path": "/clients/external-id/CL1", "reason": "her new number",
    "body": '{"mobileNo": "9222222222", "locale": "en", "dateFormat": "yyyy-MM-dd"}',
}  # fmt: skip


@pytest.fixture
def app(book: LosBook) -> Iterator[WarehouseConnection]:
    new_loan(book, 1)
    book.run()
    with connect(book.app_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def client(book: LosBook, app: WarehouseConnection) -> FineractClient:
    return book.new_client(DatabaseAudit(app, RUN))


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"method": "DELETE", "path": "/loans/1"}, "DELETE is not allowed"),
        ({"method": "GET", "path": "https://elsewhere.example/loans"}, "is not allowed"),
        ({"method": "GET", "path": "/users"}, "is not allowed"),
        ({"method": "GET", "path": "/loans/../users"}, "is not allowed"),
        ({"method": "GET", "path": "/loans/%2e%2e/users"}, "is not allowed"),
        ({"method": "POST", "path": "/loans/1/charges"}, "say why"),
        ({**NOTE, "body": "no json"}, "not JSON"),
        ({**NOTE, "body": "[]"}, "must be a JSON object"),
        ({**NOTE, "path": "/loans/external-id/AXL1/transactions?command=repayment"}, "money moves through its own forms"),
        ({**NOTE, "path": "/loans/1/transactions/7"}, "money moves through its own forms"),
        ({**NOTE, "path": "/loans/external-id/AXL1?command=disburse"}, "money moves through its own forms"),
    ],
)  # fmt: skip
def test_what_may_not_be_called(params: dict[str, Any], told: str) -> None:
    with pytest.raises(RawCallError, match=told):
        read_call(params)


def test_a_read_is_answered_at_once_and_on_record(app: WarehouseConnection, client: FineractClient) -> None:
    answer = send(app, client, read_call({"method": "get", "path": "/clients/external-id/CL1"}), None, RUN)
    assert answer["status"] == 200
    assert '"externalId":"CL1"' in answer["body"]
    assert "Borrower" not in answer["body"]
    (logged,) = app.execute("select * from raw.raw_fineract_api_log where purpose = 'raw_call'").fetchall()
    assert (logged["method"], logged["path"], logged["dag_run_id"]) == (
        "GET",
        "/clients/external-id/CL1",
        "manual__1",
    )


def test_a_write_needs_another_persons_leave_and_is_sent_once(
    app: WarehouseConnection, client: FineractClient, book: LosBook
) -> None:
    call = read_call(NOTE)
    approval = ask(app, call, RUN)
    kept = app.execute("select figures::text as figures from core.core_approval").fetchone() or {}
    assert "9222222222" not in kept["figures"]
    assert "9222222222" not in call.shown()
    with pytest.raises(ApprovalError, match="not approved"):
        send(app, client, call, approval, RUN)
    with pytest.raises(ApprovalError, match="another person"):
        approvals.decide(app, approval, "asha", approved=True)
    approvals.decide(app, approval, "ravi", approved=True)
    with pytest.raises(ApprovalError, match="other figures"):
        other = RawCall(call.method, call.path, {**call.body, "mobileNo": "9333333333"}, call.reason)
        send(app, client, other, approval, RUN)
    assert send(app, client, call, approval, RUN)["status"] == 200
    found = book.client.find_client("CL1")
    assert found
    assert found["mobileNo"] == "9222222222"
    with pytest.raises(RawCallError, match="was used before"):
        send(app, client, call, approval, RUN)
    sent = app.execute(
        "select request::text as request from raw.raw_fineract_api_log where purpose = 'raw_call' and method = 'PUT'"
    ).fetchall()
    assert len(sent) == 1
    assert "9222222222" not in sent[0]["request"]


def test_a_write_to_a_loan_takes_its_lease(
    app: WarehouseConnection, client: FineractClient, book: LosBook
) -> None:
    number = book.loan("AXL1")["id"]
    for path in (f"/loans/{number}?command=undodisbursal", "/loans/external-id/AXL1?command=undodisbursal"):
        call = read_call({"method": "POST", "path": path, "body": "{}", "reason": "wrong account"})
        run = RunContext("call_fineract", path, actor="asha")
        approval = ask(app, call, run)
        approvals.decide(app, approval, "ravi", approved=True)
        app.execute(
            "update core.core_loan_lease set expires_at = now() + interval '1 hour' where loan_id = 'AXL1'"
        )
        with pytest.raises(RawCallError, match="being written to"):
            send(app, client, call, approval, run)
        app.execute("update core.core_loan_lease set expires_at = now() where loan_id = 'AXL1'")
    assert send(app, client, call, approval, run)["status"] == 200
    assert book.loan("AXL1")["status"]["id"] == 200


def test_a_loans_full_state_is_shown_without_personal_data(
    app: WarehouseConnection, client: FineractClient
) -> None:
    state = loan_state(app, client, " axl1 ")
    assert state["fineract"]["status"]["value"] == "Active"
    assert len(state["fineract"]["repaymentSchedule"]["periods"]) == 13
    assert {each["operation"] for each in state["operations"]} == {
        "create_loan",
        "approve_loan",
        "disburse_loan",
    }
    assert {each["purpose"] for each in state["last_calls"]} >= {"approve_loan", "disburse_loan"}
    assert (state["queue"], state["posted"], state["exceptions"], state["lease"]) == ([], [], [], [])
    assert "Borrower" not in str(state)
