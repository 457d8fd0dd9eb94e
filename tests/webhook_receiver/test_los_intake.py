"""Operations of the loan origination system: who may submit, what is a submission, and that none is stored twice."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation import GenerationMode

from tests.webhook_receiver.receiver_process import PROJECT, Receiver, raw_request
from turno_lms.warehouse.connection import WarehouseConnection
from webhook_receiver.los_schemas import read_operations
from webhook_receiver.openapi import TOKEN_HEADER, describe

TOKEN = {"X-Internal-Token": "los-current"}
OPERATIONS = read_operations(PROJECT / "include" / "los_operations")
CLIENT = {
    "reference": "C-1",
    "client_id": "CL000001",
    "fullname": "Asha Rao",
    "mobile_no": "+919800000000",
    "activated_on": "2026-01-05",
}
LOAN = {
    "reference": "L-1",
    "loan_id": "AXL300001",
    "lender": "axle",
    "client_id": "CL000001",
    "principal": "123456.50",
    "number_of_repayments": 24,
    "submitted_on": "2026-01-05",
    "expected_disbursement_on": "2026-01-06",
    "charges": [{"charge_id": 3, "amount": "590.00"}],
}


def submit(
    receiver: Receiver, operation: str, content: Any, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    status, answer = receiver.request(
        "POST", f"/los/{operation}", json.dumps(content).encode(), TOKEN if headers is None else headers
    )
    return status, json.loads(answer) if status != 404 else answer


def stored(raw: WarehouseConnection, reference: str) -> list[dict[str, Any]]:
    query = "select * from raw.raw_los_submission where reference = %s"
    return raw.execute(query, (reference,)).fetchall()


def test_these_operations_may_be_submitted(raw: WarehouseConnection) -> None:
    names = {
        "create_client",
        "update_client",
        "create_loan",
        "approve_loan",
        "disburse_loan",
        "add_charge",
        "foreclose_loan",
        "undo_approval",
        "undo_disbursal",
        "reject_loan",
    }
    assert set(OPERATIONS.schemas) == names
    query = "select to_regclass(format('raw.raw_%%s_los', %s::text)) is not null as there"
    assert all(raw.execute(query, (name,)).fetchone() == {"there": True} for name in names)


def test_a_submission_is_stored_before_it_is_answered_202_and_can_be_asked_for(
    receiver: Receiver, raw: WarehouseConnection
) -> None:
    status, answer = submit(receiver, "create_client", CLIENT)
    assert (status, answer["status"], answer["problems"]) == (202, "accepted", [])
    (row,) = stored(raw, "C-1")
    assert (row["operation"], row["caller"], row["payload"]) == ("create_client", "los", CLIENT)
    path = f"/los/create_client/{answer['submission_id']}"
    status, content = receiver.request("GET", path, headers=TOKEN)
    known = json.loads(content)
    assert (status, known["reference"], known["state"]) == (200, "C-1", "received")
    # another caller's, another operation's, and one that there is not
    assert receiver.request("GET", path, headers={TOKEN_HEADER: "partner-token"})[0] == 404
    assert receiver.request("GET", path.replace("create_client", "add_charge"), headers=TOKEN)[0] == 404
    assert receiver.request("GET", "/los/create_client/7", headers=TOKEN)[0] == 404


def test_a_submission_is_answered_with_what_became_of_it(
    receiver: Receiver, raw: WarehouseConnection
) -> None:
    _, answer = submit(receiver, "create_client", CLIENT | {"reference": "C-result"})
    path = f"/los/create_client/{answer['submission_id']}"

    def told() -> dict[str, Any]:
        known: dict[str, Any] = json.loads(receiver.request("GET", path, headers=TOKEN)[1])
        return {
            name: known[name]
            for name in known.keys() - {"submission_id", "operation", "received_at", "reference"}
        }

    raw.execute(
        "insert into core.core_los_processed (operation, submission_id, caller, reference, subject, submitted_at, state,"
        " reason, message, waiting_since, claimed_by_run)"
        " values ('create_client', %s, 'los', 'C-result', 'client:CL000001', now(), 'waiting', 'date_in_future', 'later',"
        " '2026-01-05 10:00+00', 'r')",
        (answer["submission_id"],),
    )
    assert told() == {
        "state": "waiting", "reason": "date_in_future", "message": "later", "waiting_since": "2026-01-05T10:00:00+00:00",
    }  # fmt: skip
    raw.execute(
        "update core.core_los_processed set state = 'done', reason = null, message = null, waiting_since = null,"
        " result = '{\"fineract_client_id\": 7}', ended_at = '2026-01-06 10:00+00', is_recognised = true"
        " where reference = 'C-result'"
    )
    assert told() == {
        "state": "done", "result": {"fineract_client_id": 7}, "ended_at": "2026-01-06T10:00:00+00:00", "recognised": True,
    }  # fmt: skip


def test_the_same_reference_is_the_same_submission_and_another_body_under_it_a_conflict(
    receiver: Receiver, raw: WarehouseConnection
) -> None:
    loan = LOAN | {"reference": "L-again"}
    _, first = submit(receiver, "create_loan", loan)
    status, again = submit(receiver, "create_loan", dict(reversed(loan.items())))
    assert (status, again["status"], again["submission_id"]) == (202, "duplicate", first["submission_id"])
    status, other = submit(receiver, "create_loan", loan | {"principal": "1.00"})
    assert (status, other["status"], other["submission_id"]) == (409, "conflict", first["submission_id"])
    (row,) = stored(raw, "L-again")
    assert row["payload"]["principal"] == "123456.50"
    # references are the caller's own
    status, partner = submit(receiver, "create_loan", loan, {TOKEN_HEADER: "partner-token"})
    assert (status, partner["status"]) == (202, "accepted")


def test_of_many_the_good_are_stored_and_each_of_the_bad_is_explained(
    receiver: Receiver, raw: WarehouseConnection
) -> None:
    loans = [
        LOAN | {"reference": "bulk-1"},
        LOAN | {"reference": "bulk-2", "principal": 5499.5, "submitted_on": "2026-02-30"},
        "no object",
        LOAN | {"reference": "bulk-1"},
        LOAN | {"reference": "bulk-1", "number_of_repayments": 12},
        LOAN | {"reference": "bulk-3", "colour": "red"},
    ]
    status, answer = submit(receiver, "create_loan", loans)
    assert status == 202
    fates = [result["status"] for result in answer["submissions"]]
    assert fates == ["accepted", "refused", "refused", "duplicate", "conflict", "refused"]
    fields = {problem["field"] for problem in answer["submissions"][1]["problems"]}
    assert fields == {"principal", "submitted_on"}
    assert "colour" in answer["submissions"][5]["problems"][0]["message"]
    assert len(stored(raw, "bulk-1")) == 1
    assert stored(raw, "bulk-2") == stored(raw, "bulk-3") == []


@pytest.mark.parametrize(
    "amount", ["0", "0.00", "-1", "1.005", "1,000", "01", "1e3", "1\n", "", "\u0661", 1, None]
)
def test_an_amount_is_rupees_as_text_with_at_most_two_decimals(receiver: Receiver, amount: object) -> None:
    status, answer = submit(receiver, "create_loan", LOAN | {"reference": "odd", "principal": amount})
    assert (status, answer["status"]) == (422, "refused")
    assert {problem["field"] for problem in answer["problems"]} == {"principal"}


@pytest.mark.parametrize("amount", ["0.01", "0.5", "1", "1.5", "123456.50", "999999999999.99"])
def test_these_are_amounts(amount: str) -> None:
    assert OPERATIONS.problems("create_loan", LOAN | {"principal": amount}) == []


@pytest.mark.parametrize(
    "headers", [{}, {TOKEN_HEADER: ""}, {TOKEN_HEADER: "guess"}, {TOKEN_HEADER: "los-old"}]
)
def test_without_a_token_that_stands_nothing_is_stored(
    receiver: Receiver, raw: WarehouseConnection, headers: dict[str, str]
) -> None:
    status, answer = submit(receiver, "create_client", CLIENT | {"reference": "nobody"}, headers)
    assert (status, set(answer)) == (401, {"error"})
    assert stored(raw, "nobody") == []


def test_a_token_of_odd_bytes_is_refused_not_an_error(receiver: Receiver) -> None:
    request = b"POST /los/create_client HTTP/1.1\r\nHost: x\r\nX-Internal-Token: \xff\xe9\r\nContent-Length: 2\r\n\r\n{}"
    assert receiver.send_raw(request) == 401


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b'"\\ud800"', b"[" * 50_000, b"[" + b"1" * 5000 + b"]", b'{"reference":NaN}', b"[]"],
)
def test_a_body_that_is_no_submission_is_never_an_error(receiver: Receiver, body: bytes) -> None:
    assert receiver.post("/los/create_client", body, TOKEN) in {400, 422}


def test_lists_bodies_and_addresses_have_their_limits(receiver: Receiver) -> None:
    assert submit(receiver, "create_client", [CLIENT] * 1001)[0] == 422
    too_long = [(b"X-Internal-Token", b"los-current"), (b"Content-Length", b"%d" % (4 * 1024 * 1024 + 1))]
    assert receiver.send_raw(raw_request("/los/create_client", too_long, b"")) == 413
    assert (
        receiver.send_raw(
            b"POST /los/create_client HTTP/1.1\r\nHost: x\r\nX-Internal-Token: los-current\r\n\r\n"
        )
        == 411
    )
    assert submit(receiver, "write_off_loan", {})[0] == 404
    assert receiver.request("DELETE", "/los/create_client", headers=TOKEN)[0] == 405


def test_a_storm_of_one_submission_is_one_row(receiver: Receiver, raw: WarehouseConnection) -> None:
    charge = {"reference": "storm", "loan_id": "AXL300001", "charge": {"charge_id": 1, "amount": "10.00"}}
    with ThreadPoolExecutor(32) as senders:
        answers = list(senders.map(lambda _: submit(receiver, "add_charge", charge), range(64)))
    assert {status for status, _ in answers} == {202}
    assert sorted(answer["status"] for _, answer in answers) == ["accepted"] + ["duplicate"] * 63
    assert len(stored(raw, "storm")) == 1


def test_each_operation_publishes_its_schema(receiver: Receiver) -> None:
    for name, schema in OPERATIONS.schemas.items():
        status, content = receiver.request("GET", f"/schemas/los/{name}.json")
        assert (status, json.loads(content)) == (200, schema)


def test_logs_name_the_caller_and_hold_no_personal_data(receiver: Receiver) -> None:
    submit(receiver, "create_client", CLIENT | {"reference": "logged", "mobile_no": "9811122233"})
    lines = [line for line in receiver.log_lines() if line["message"] == "los_submission"]
    assert lines[-1]["caller"] == "los"
    text = receiver.log.read_text(encoding="utf-8")
    assert "9811122233" not in text
    assert "los-current" not in text


# what the description promises is what is served: every status, type and body, whatever is sent
_description = schemathesis.openapi.from_dict(describe(OPERATIONS, 1000))
_description.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
load_all_checks()
_CHECKS = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
    ]
)


@_description.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_the_description_is_what_is_served(case: Case, receiver: Receiver) -> None:
    case.call_and_validate(base_url=receiver.url, headers=TOKEN, checks=_CHECKS, timeout=10)


def test_the_description_is_served(receiver: Receiver) -> None:
    status, content = receiver.request("GET", "/openapi.json")
    assert (status, json.loads(content)) == (200, describe(OPERATIONS, 1000))
