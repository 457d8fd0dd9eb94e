"""The DAGs with which people work on exceptions, and the one that lands settlement reports, from form to end."""

import os
from typing import Any

from tests.dags.conftest import Answer, RunDag
from tests.ingestion.formats import xlsx
from turno_lms.approvals import approvals
from turno_lms.warehouse.connection import WarehouseConnection

HEADINGS = (
    "transaction_entity,entity_id,amount,fee (exclusive tax),tax,debit,credit,payment_method,settlement_id,settled_at,"
    "settlement_utr"
)
REPORT = f"{HEADINGS}\npayment,pay_1,100.00,2.00,0.36,0.00,97.64,card,setl_1,07/01/2026 11:30:00,UTR1\n"
WORKBOOK = (
    HEADINGS.split(","),
    ("payment", "pay_2", 50, 0, 0, 0, 50, "upi", "setl_2", "2026-01-08 11:30:00", "UTR2"),
    ("Total", None, 50),
)
KEY = "settlements/razorpay/axle/january.csv"


def ask(conn: WarehouseConnection, subject: str) -> int:
    row = conn.execute(
        "insert into core.core_recon_exception (kind, subject, lender, amount, opened_by_run)"
        " values ('missing_in_file', %s, 'gb', 100, 'r') returning exception_id",
        (subject,),
    ).fetchone()
    conn.commit()
    return int((row or {})["exception_id"])


def lives(conn: WarehouseConnection) -> list[tuple[str, str | None]]:
    rows = conn.execute(
        "select life, owner from core.core_recon_exception_standing order by exception_id"
    ).fetchall()
    conn.commit()
    return [(row["life"], row["owner"]) for row in rows]


def test_an_exception_goes_from_open_to_closed_by_form(
    run_dag: RunDag, warehouse: WarehouseConnection
) -> None:
    first, second = ask(warehouse, "a"), ask(warehouse, "b")
    run = run_dag("work_recon_exceptions", action="assign", lender="gb", kind="missing_in_file", owner="asha")
    assert (run.state, run.assets) == ("success", {"transactions_reconciled"})
    assert run.tasks["execute"] == "skipped"
    assert lives(warehouse) == [("assigned", "asha"), ("assigned", "asha")]
    form: dict[str, Any] = {"action": "resolve", "exception_ids": [first], "reason": "the bank's letter"}
    assert run_dag("work_recon_exceptions", **form).state == "success"
    assert lives(warehouse) == [("resolved", "asha"), ("assigned", "asha")]
    again = run_dag("work_recon_exceptions", **form)
    assert again.tasks["act"] == "failed"
    small = {
        "action": "write off",
        "lender": "gb",
        "kind": "missing_in_file",
        "most_rupees": "99",
        "reason": "small",
    }
    assert run_dag("work_recon_exceptions", **small).tasks["act"] == "failed"  # none is so small
    assert lives(warehouse)[1] == ("assigned", "asha")
    assert second


MATCH: dict[str, Any] = {
    "action": "match",
    "records": ["file:gb:nach:N1", "razorpay:pay_1"],
    "reason": "the bank's letter",
}


def add_two_sides(warehouse: WarehouseConnection) -> None:
    """What MATCH names: the same 100 rupees in a file and at a gateway."""
    for reference, channel in (("file:gb:nach:N1", "file:nach"), ("razorpay:pay_1", "razorpay")):
        warehouse.execute(
            "insert into core.core_payment_identity (native_reference, posting_key, source_key, occurrence, lender,"
            " loan_id, business_date, amount, stream, channel, matched_by, is_posting_channel)"
            " values (%s, %s, %s, 1, 'gb', 'GB100001', '2026-01-05', 100, 's', %s, 'first_sight', %s)",
            (reference, reference, reference, channel, channel != "razorpay"),
        )
    warehouse.commit()


def test_a_match_by_form_needs_the_approval_itself(run_dag: RunDag, warehouse: WarehouseConnection) -> None:
    """Marking the approval as success approves nothing; the one that a second person gave is read and used."""
    add_two_sides(warehouse)
    run = run_dag("work_recon_exceptions", marked_as_success="approve|record_decision", **MATCH)
    assert run.tasks["execute"] == "failed"
    count = "select count(*) as members from core.core_recon_match"
    assert warehouse.execute(count).fetchone() == {"members": 0}
    asked = warehouse.execute("select approval_id from core.core_approval").fetchone() or {}
    approvals.decide(warehouse, asked["approval_id"], "meera", approved=True)
    warehouse.commit()
    from turno_lms.domain.runs import RunContext
    from turno_lms.reconciliation import by_hand

    by_hand.execute(warehouse, asked["approval_id"], RunContext("work_recon_exceptions", "r", actor="meera"))
    assert warehouse.execute(count).fetchone() == {"members": 2}
    warehouse.commit()


def test_a_rejected_match_is_on_record_and_matches_nothing(
    run_dag: RunDag, warehouse: WarehouseConnection, answered: Answer
) -> None:
    add_two_sides(warehouse)
    answered("dag_test", "Approve")  # who asked for it
    assert run_dag("work_recon_exceptions", **MATCH).tasks["record_decision"] == "failed"
    answered("meera", "Reject")
    rejected = run_dag("work_recon_exceptions", **MATCH)
    assert (rejected.state, rejected.tasks["execute"]) == ("success", "skipped")
    decided = warehouse.execute(
        "select state, decided_by from core.core_approval order by approval_id"
    ).fetchall()
    assert [tuple(row.values()) for row in decided] == [("requested", None), ("rejected", "meera")]
    count = "select count(*) as members from core.core_recon_match"
    assert warehouse.execute(count).fetchone() == {"members": 0}
    warehouse.commit()
    answered("meera", "Approve")
    assert run_dag("work_recon_exceptions", **MATCH).state == "success"
    assert warehouse.execute(count).fetchone() == {"members": 2}
    warehouse.commit()


def test_settlement_reports_are_landed_once_and_a_bad_one_is_told(
    run_dag: RunDag, warehouse: WarehouseConnection, s3: Any
) -> None:
    s3.put_object(Bucket="turnofile", Key=KEY, Body=REPORT.encode())
    s3.put_object(Bucket="turnofile", Key="settlements/readme.txt", Body=b"no report")
    assert not [name for name in os.environ if name.startswith("AIRFLOW_CONN_TURNO_RAZORPAY")]
    run = run_dag("land_settlement_reports")
    assert run.tasks["land_files"] == "success"
    assert {state for name, state in run.tasks.items() if name.startswith("land_account")} == {"skipped"}
    lines = "select entity_id, fee, net, settlement_utr from raw.raw_gateway_settlement_line"
    told = [tuple(map(str, row.values())) for row in warehouse.execute(lines)]
    warehouse.commit()
    assert told == [("pay_1", "2.36", "97.64", "UTR1")]
    s3.put_object(Bucket="turnofile", Key=KEY.replace(".csv", ".xlsx"), Body=xlsx(*WORKBOOK))
    assert run_dag("land_settlement_reports").tasks["land_files"] == "success"
    told = [tuple(map(str, row.values())) for row in warehouse.execute(lines)]
    warehouse.commit()
    assert told[1:] == [("pay_2", "0.00", "50.00", "UTR2")]
    s3.put_object(
        Bucket="turnofile", Key=KEY.replace("january", "bad"), Body=REPORT.replace("97.64", "90.00").encode()
    )
    again = run_dag("land_settlement_reports")
    assert (again.state, again.tasks["land_files"]) == ("failed", "failed")
    count = warehouse.execute("select count(*) as reports from raw.raw_gateway_settlement_report").fetchone()
    warehouse.commit()
    assert count == {"reports": 2}
