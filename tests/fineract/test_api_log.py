"""raw.raw_fineract_api_log: a row for every attempt, and nothing in it that should not be kept."""

from decimal import Decimal
from typing import Any

from turno_lms.domain.runs import RunContext
from turno_lms.fineract.answers import Answer, Delivery, read_answer
from turno_lms.fineract.audit import Call, CollectedAudit, DatabaseAudit
from turno_lms.warehouse.connection import Row, WarehouseConnection, connect

CLIENT = {
    "firstname": "Asha",
    "lastname": "Verma",
    "mobileNo": "9876543210",
    "externalId": "C-1",
    "active": True,
}


def rows(conn: WarehouseConnection) -> list[Row]:
    return conn.execute("select * from raw.raw_fineract_api_log order by call_id").fetchall()


def call(**given: Any) -> Call:
    return Call(**{"purpose": "p", "method": "POST", "path": "/x", "answer": None, "duration_ms": 7, **given})


def test_an_attempt_is_one_row_with_request_answer_and_run(
    warehouse: WarehouseConnection, run: RunContext
) -> None:
    answer = read_answer(200, '{"resourceId": 5, "amount": 1234.50}', from_cache=True)
    audit = DatabaseAudit(warehouse, run)
    audit.record(
        call(answer=answer, subject="key", idempotency_key="key-a1", request={"amount": Decimal("1234.50")})
    )
    [row] = rows(warehouse)
    assert (row["dag_id"], row["dag_run_id"], row["task_id"]) == ("post_repayments", "manual__1", "post")
    assert (row["subject"], row["idempotency_key"], row["served_from_cache"]) == ("key", "key-a1", True)
    assert (row["status_code"], row["outcome"], row["duration_ms"]) == (200, "ok", 7)
    exact = warehouse.execute(
        "select request ->> 'amount' as amount from raw.raw_fineract_api_log"
    ).fetchone()
    assert exact == {"amount": "1234.50"}


def test_personal_fields_are_masked_even_where_an_error_quotes_them(
    warehouse: WarehouseConnection, run: RunContext
) -> None:
    text = '{"errors": [{"developerMessage": "mobile 9876543210 exists", "args": [{"value": "9876543210"}]}]}'
    answer = read_answer(403, text, from_cache=False)
    found = read_answer(200, '{"pageItems": [{"id": 1, "clientName": "Asha Verma"}]}', from_cache=False)
    audit = DatabaseAudit(warehouse, run)
    audit.record(call(answer=answer, request=CLIENT))
    audit.record(call(answer=found))
    stored = str(rows(warehouse))
    assert "C-1" in stored
    for secret in ("Asha", "Verma", "9876543210"):
        assert secret not in stored


def test_outcomes_name_how_far_the_attempt_got(warehouse: WarehouseConnection, run: RunContext) -> None:
    answers = [
        read_answer(201, "{}", from_cache=False),
        read_answer(400, "{}", from_cache=False),
        read_answer(502, "<html>", from_cache=False),
        Answer(Delivery.LOST, message="ReadTimeout"),
        Answer(Delivery.NOT_SENT, message="ConnectionError"),
        None,
    ]
    audit = DatabaseAudit(warehouse, run)
    for answer in answers:
        audit.record(call(answer=answer))
    outcomes = [row["outcome"] for row in rows(warehouse)]
    assert outcomes == ["ok", "refused", "failed", "lost", "not_sent", "interrupted"]
    assert rows(warehouse)[2]["response"] == {"text": "<html>"}


def test_a_huge_answer_is_noted_but_not_stored(warehouse: WarehouseConnection, run: RunContext) -> None:
    page = read_answer(200, '{"pageItems": ["' + "x" * 20_000 + '"]}', from_cache=False)
    DatabaseAudit(warehouse, run).record(call(answer=page))
    # {"pageItems":["xx"]} without a space: 14 + 1 + 20000 + 3 characters
    assert rows(warehouse)[0]["response"] == {"omitted": "20018 characters"}


def test_collected_rows_are_stored_with_the_callers_transaction(
    warehouse: WarehouseConnection, run: RunContext
) -> None:
    audit = CollectedAudit(run)
    audit.record(call())
    assert rows(warehouse) == []
    audit.flush(warehouse)
    audit.flush(warehouse)
    assert len(rows(warehouse)) == 1


def test_given_an_address_each_row_is_committed_by_itself(warehouse_url: str, run: RunContext) -> None:
    audit = DatabaseAudit(warehouse_url, run)
    audit.record(call())
    with connect(warehouse_url) as other:
        assert len(rows(other)) == 1
    audit.close()
