"""Every DAG run from start to end, on real PostgreSQL, S3 and dbt, and the Fineract stand-in."""

import json
import os
from decimal import Decimal
from typing import Any

import pytest

from tests.dags.conftest import RunDag
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import JANUARY_5, add_payment, create_transaction_table, pending, processed
from turno_lms.domain.keys import source_key
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.warehouse.connection import WarehouseConnection

FIRST, SECOND = "GB100151", "GB100152"
MASTER = f"""umrn,loan_id,lender,valid_from,valid_to
ICIC7000100151,{FIRST},gb,2025-12-05,
SBIN7000100152,{SECOND},gb,2025-12-05,
"""
HEADINGS = "UMRN,Settlement Date,Amount (Rs.),Status,Return Reason Code,Return Reason,Transaction Reference"
# 5499.00 and 4949.00 collected, 6049.00 returned
GOOD = f"""GB FINANCE LIMITED
{HEADINGS}
ICIC7000100151,05/01/2026,5499.00,Success,,,GBN1
SBIN7000100152,05/01/2026,"4,949.00",Success,,,GBN2
SBIN7000100152,06/01/2026,6049.00,Returned,04,Balance Insufficient,GBN3
Total,,"16,497.00",,,
"""
BAD = GOOD.replace("Amount (Rs.)", "Comment")
PREFIX = "lenders/gb/nach_response/"


@pytest.fixture
def lenders(warehouse: WarehouseConnection) -> WarehouseConnection:
    """The warehouse with the lender mappings applied."""
    apply_lenders(warehouse, load_lenders())
    warehouse.commit()
    return warehouse


def put(s3: Any, key: str, text: str) -> None:
    s3.put_object(Bucket="turnofile", Key=key, Body=text.encode())


def file_states(conn: WarehouseConnection) -> dict[str, str]:
    rows = conn.execute("select key, state from raw.raw_s3_file_processing_log order by file_id").fetchall()
    conn.commit()
    return {row["key"]: row["state"] for row in rows}


def test_a_bad_file_fails_the_run_and_holds_up_no_other(
    run_dag: RunDag, lenders: WarehouseConnection, s3: Any
) -> None:
    put(s3, f"{PREFIX}bad.csv", BAD)
    put(s3, f"{PREFIX}good.csv", GOOD)
    run = run_dag("ingest__gb")
    assert run.labels == {"ingest_file[0]": f"{PREFIX}bad.csv", "ingest_file[1]": f"{PREFIX}good.csv"}
    assert run.tasks == {
        "wait_for_file": "success",  # started by hand: it did not wait
        "find_files": "success",
        "ingest_file[0]": "failed",
        "ingest_file[1]": "success",
        "announce": "success",
        "every_file_taken": "upstream_failed",
    }
    assert run.state == "failed"
    assert run.assets == {"lender_files_loaded"}
    assert file_states(lenders) == {f"{PREFIX}bad.csv": "refused", f"{PREFIX}good.csv": "loaded"}

    again = run_dag("ingest__gb")
    assert (again.state, again.assets) == ("success", set())
    assert again.tasks["announce"] == "skipped"


def test_a_mended_file_is_loaded_again_by_its_key(
    run_dag: RunDag, lenders: WarehouseConnection, s3: Any
) -> None:
    key = f"{PREFIX}one.csv"
    put(s3, key, BAD)
    put(s3, f"{PREFIX}other.csv", GOOD)
    assert run_dag("ingest__gb", key=key).state == "failed"
    put(s3, key, GOOD)
    run = run_dag("ingest__gb", key=f" {key} ")
    assert (run.state, run.assets) == ("success", {"lender_files_loaded"})
    assert file_states(lenders)[key] == "loaded"
    assert f"{PREFIX}other.csv" not in file_states(lenders)


@pytest.mark.parametrize("key", ["lenders/ugro/repayment_statement/january.xlsx", f"{PREFIX}missing.csv"])
def test_a_key_that_is_no_file_of_the_lender_leaves_no_trace(
    run_dag: RunDag, lenders: WarehouseConnection, s3: Any, key: str
) -> None:
    put(s3, "lenders/ugro/repayment_statement/january.xlsx", "belongs to UGRO")
    run = run_dag("ingest__gb", key=key)
    assert run.tasks["find_files"] == "failed"
    assert (run.state, run.assets) == ("failed", set())
    assert file_states(lenders) == {}


def test_mandates_are_loaded_once(run_dag: RunDag, lenders: WarehouseConnection, s3: Any) -> None:
    put(s3, "umrn/january.csv", MASTER)
    run = run_dag("load_umrn_master")
    assert (run.state, run.assets) == ("success", {"umrn_master_loaded"})
    rows = lenders.execute("select loan_id from raw.raw_umrn_master order by loan_id").fetchall()
    assert [row["loan_id"] for row in rows] == [FIRST, SECOND]
    again = run_dag("load_umrn_master")
    assert (again.state, again.assets) == ("success", set())
    assert run_dag("load_umrn_master", key="lenders/gb/january.csv").state == "failed"


def test_a_file_becomes_posted_repayments(
    run_dag: RunDag, lenders: WarehouseConnection, s3: Any, fineract_url: str
) -> None:
    fineract = standin_client(fineract_url)
    make_loans(fineract, [FIRST, SECOND])
    put(s3, "umrn/january.csv", MASTER)
    put(s3, f"{PREFIX}good.csv", GOOD)
    for dag_id, asset in (
        ("reconcile_loans", "loans_snapshotted"),
        ("load_umrn_master", "umrn_master_loaded"),
        ("ingest__gb", "lender_files_loaded"),
        ("build_warehouse", "transactions_built"),
        ("reconcile_transactions", "transactions_reconciled"),
    ):
        run = run_dag(dag_id)
        assert (run.state, run.assets) == ("success", {asset}), (dag_id, run.tasks)
    posting = run_dag("post_repayments")
    assert posting.state == "success"

    expected = {FIRST: Decimal("5499.00"), SECOND: Decimal("4949.00")}
    for loan_id, amount in expected.items():
        key = source_key("gb", loan_id, JANUARY_5, amount)
        found = fineract.find_transaction(loan_id, key)
        assert found is not None
        assert Decimal(str(found["amount"])) == amount
        row = processed(lenders, key)
        assert row is not None
        assert row["processed_by_run"] == f"post_repayments/{posting.run_id}"
        lenders.commit()

    again = run_dag("post_repayments")
    assert again.state == "success"
    assert again.tasks["post_chunk"] == "skipped"
    assert again.tasks["prove"] == "success"
    loans = run_dag("reconcile_loans")  # the balances have changed, and the proof over all loans holds
    assert (loans.state, loans.assets) == ("success", {"loans_snapshotted"})
    assert run_dag("reconcile_loans").tasks["announce"] == "skipped"


def test_a_refusing_fineract_fails_the_run_and_the_next_one_goes_on(
    run_dag: RunDag, warehouse: WarehouseConnection, fineract_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_loans(standin_client(fineract_url), [FIRST])
    create_transaction_table(warehouse)
    key = add_payment(warehouse, FIRST)
    warehouse.commit()
    right = json.loads(os.environ["AIRFLOW_CONN_TURNO_FINERACT"])
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_FINERACT", json.dumps({**right, "password": "wrong"}))
    run = run_dag("post_repayments")
    assert run.state == "failed"
    assert run.tasks["post_chunk[0]"] == "failed"
    assert run.tasks["prove"] in {"failed", "success"}  # it ran, whatever became of the chunk
    assert run.tasks["every_chunk_posted"] == "upstream_failed"
    assert pending(warehouse, key) is not None
    warehouse.commit()

    monkeypatch.setenv("AIRFLOW_CONN_TURNO_FINERACT", json.dumps(right))
    assert run_dag("post_repayments").state == "success"
    row = processed(warehouse, key)
    assert row is not None
    assert row["outcome"] == "posted"


def accepted(conn: WarehouseConnection) -> list[tuple[Any, ...]]:
    rows = conn.execute("select payment_id, date from raw.raw_payment_file order by 1").fetchall()
    conn.commit()
    return [tuple(row.values()) for row in rows]


def test_a_rejected_row_is_corrected_discarded_and_replayed_by_form(
    run_dag: RunDag, lenders: WarehouseConnection, s3: Any
) -> None:
    """Row 5 (4949.00) has a date that no one can read; the dry run of a replay writes nothing."""
    key = f"{PREFIX}one.csv"
    fillers = "".join(f"ICIC7000100151,05/01/2026,1.00,Success,,,F{number}\n" for number in range(9))
    put(
        s3,
        key,
        GOOD.replace('"4,949.00",Success,,,GBN2', '"4,949.00",Success,,,GBN2')
        .replace("SBIN7000100152,05/01/2026", "SBIN7000100152,5 January")
        .replace("Total,,", fillers + "Total,,"),
    )
    assert run_dag("ingest__gb", key=key).state == "success"
    row = lenders.execute(
        "select reject_id from raw.raw_rejected_records where reason_code = 'bad_date'"
    ).fetchone()
    lenders.commit()
    assert row is not None
    reject = str(row["reject_id"])

    wrong = run_dag(
        "resolve_rejected_rows",
        action="fix",
        reject_ids=[reject],
        cells="Settlement Date = 31/02/2026",
        reason="mail",
    )
    assert wrong.state == "failed"
    dry = run_dag("replay_lender_files", lender="gb", key=key, dry_run=True)
    assert (dry.state, dry.tasks["announce"], dry.assets) == ("success", "skipped", set())
    assert len(accepted(lenders)) == 10

    fixed = run_dag(
        "resolve_rejected_rows",
        action="fix",
        reject_ids=[reject],
        cells="Settlement Date = 05/01/2026",
        reason="mail",
    )
    assert (fixed.state, fixed.assets) == ("success", {"lender_files_loaded"})
    assert ("GBN2", "2026-01-05") in accepted(lenders)
    twice = run_dag("resolve_rejected_rows", action="discard", reject_ids=[reject], reason="no")
    assert twice.state == "failed"
    real = run_dag("replay_lender_files", lender="gb", key=key, dry_run=False)
    assert (real.state, real.assets) == ("success", set())
    assert run_dag("replay_lender_files", lender="gb", dry_run=False).state == "failed"  # which files?


def test_a_file_handed_in_by_form_is_loaded_with_the_person_s_name(
    run_dag: RunDag, lenders: WarehouseConnection, s3: Any
) -> None:
    run = run_dag("hand_in_file", lender="gb", name="mail.csv", content=GOOD, encoding="text")
    assert run.tasks["put_file"] == "success"
    assert run_dag("ingest__gb", key=f"{PREFIX}mail.csv").state == "success"
    row = lenders.execute("select state, handed_in_by from raw.raw_s3_file_processing_log").fetchone()
    lenders.commit()
    assert row == {"state": "loaded", "handed_in_by": "dag_test"}
    assert (
        run_dag("hand_in_file", lender="gb", name="../ugro/x.csv", content=GOOD).tasks["put_file"] == "failed"
    )


def test_the_watch_finds_nothing_overdue_without_a_calendar(
    run_dag: RunDag, lenders: WarehouseConnection
) -> None:
    assert run_dag("watch_lender_files").state == "success"
    assert file_states(lenders) == {}
