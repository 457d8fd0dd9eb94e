"""The DAGs of the loan origination system's operations from start to end: files, form, runs, decisions, a raw call."""

import json
from typing import Any

import pytest

from tests.dags.conftest import Answer, RunDag
from tests.fineract.loan_book import standin_client
from tests.los.fineract_book import PRODUCT, approval_of, client_of, disbursal_of, loan_of
from turno_lms.warehouse.connection import WarehouseConnection

FOLDERS = {
    "create_client": client_of,
    "create_loan": loan_of,
    "approve_loan": approval_of,
    "disburse_loan": disbursal_of,
}


@pytest.fixture
def products(fineract_url: str) -> str:
    """A stand-in whose products have the numbers that the lender mappings expect: axle's is the third."""
    client = standin_client(fineract_url)
    for number in range(3):
        client.create_loan_product({**PRODUCT, "name": f"Product {number}", "shortName": f"P{number}"})
    return fineract_url


def put(s3: Any, operation: str, *payloads: dict[str, Any], name: str = "new.json") -> None:
    s3.put_object(Bucket="turnofile", Key=f"los/{operation}/{name}", Body=json.dumps(payloads).encode())


def states(conn: WarehouseConnection) -> dict[str, int]:
    rows = conn.execute("select state, count(*) as n from core.core_los_processed group by state").fetchall()
    conn.commit()
    return {row["state"]: row["n"] for row in rows}


def test_loans_from_files_then_the_same_again_then_a_bad_file_and_the_form(
    run_dag: RunDag, products: str, s3: Any, warehouse: WarehouseConnection, answered: Answer
) -> None:
    for operation, made in FOLDERS.items():
        put(s3, operation, made(1), made(2))
    run = run_dag("run_los_operations")
    assert run.state == "success", run.tasks
    assert run.assets == {"loans_snapshotted"}
    assert (run.tasks["take_form"], run.tasks["nothing_failed"]) == ("skipped", "success")
    assert states(warehouse) == {"done": 8}

    for operation, made in FOLDERS.items():  # the same rows in other files: known references
        put(s3, operation, made(1), made(2), name="again.json")
    again = run_dag("run_los_operations")
    assert (again.state, again.assets) == ("success", set())
    assert states(warehouse) == {"done": 8}

    s3.put_object(Bucket="turnofile", Key="los/create_client/broken.csv", Body=b"%PDF-1.4")
    content = "reference,client_id,fullname,activated_on\nC-3,CL3,Three,2025-01-01\nC-4,CL4,,2025-01-01\n"
    mixed = run_dag("run_los_operations", operation="create_client", content=content)
    assert (mixed.tasks["take_file[0]"], mixed.tasks["take_form"], mixed.state) == (
        "failed",
        "success",
        "failed",
    )
    assert states(warehouse) == {"done": 9}, "the form's good row went on"
    refused = warehouse.execute(
        "select operation, caller, row_number from raw.raw_los_refused_row"
    ).fetchall()
    assert {tuple(row.values()) for row in refused} == {("create_client", "form:dag_test", 3)}
    warehouse.commit()
    assert run_dag("run_los_operations").state == "success", "a refused version is not tried again"

    shown = run_dag("show_loan", loan_id="AXL1")
    assert (shown.state, run_dag("show_loan").state) == ("success", "failed")
    read = run_dag("call_fineract", path="/loans/external-id/AXL1")
    assert (read.state, read.tasks["approve"], read.tasks["send"]) == ("success", "skipped", "success")
    forced = run_dag(
        "call_fineract", method="PUT", path="/clients/external-id/CL1", body='{"fullname": "X"}', reason="test",
        marked_as_success="approve|record_decision",
    )  # fmt: skip
    assert forced.state == "failed", "a task marked as success approves nothing"

    answered("meera", "Reject")
    write = {
        "method": "PUT",
        "path": "/clients/external-id/CL1",
        "body": '{"fullname": "X"}',
        "reason": "test",
    }
    rejected = run_dag("call_fineract", **write)
    assert (rejected.state, rejected.tasks["send"]) == ("success", "skipped")
    decided = warehouse.execute(
        "select state, decided_by from core.core_approval order by approval_id desc limit 1"
    ).fetchone()
    warehouse.commit()
    assert decided == {"state": "rejected", "decided_by": "meera"}
    answered("meera", "Approve")
    assert run_dag("call_fineract", **write).tasks["send"] == "success"


def test_a_held_row_is_released_by_form_and_the_loan_master_is_checked(
    run_dag: RunDag, products: str, s3: Any, warehouse: WarehouseConnection
) -> None:
    put(s3, "create_client", client_of(1))
    put(s3, "create_loan", loan_of(1, emi="1300.00"))
    assert run_dag("run_los_operations").state == "success"
    assert states(warehouse) == {"done": 1, "held": 1}
    form = {"operation": "create_loan", "reference": "L-1", "action": "release"}
    assert run_dag("decide_los_operation", **form).tasks["decide"] == "failed", "without a reason"
    decided = run_dag("decide_los_operation", **form, reason="agreed by phone")
    assert decided.tasks["decide"] == "success"
    assert run_dag("run_los_operations").state == "success"
    assert states(warehouse) == {"done": 2}
    checked = run_dag("check_loan_master")
    assert (checked.state, checked.tasks["read_schedules"]) == ("success", "success")
