"""Every DAG run from start to end, on real PostgreSQL, S3 and dbt, and the Fineract stand-in."""

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.dags.conftest import Answer, RunDag
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import JANUARY_5, add_payment, create_transaction_table, pending, processed
from turno_lms.approvals import approvals
from turno_lms.domain.keys import source_key
from turno_lms.domain.runs import RunContext
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.orchestration import repayments
from turno_lms.warehouse.connection import WarehouseConnection

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

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


@pytest.mark.long  # the demo goes the same way, through the scheduler
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


@pytest.fixture
def manual(lenders: WarehouseConnection, fineract_url: str) -> WarehouseConnection:
    """A warehouse that takes manual repayments for a loan of GB's."""
    make_loans(standin_client(fineract_url), [FIRST])
    create_transaction_table(lenders)
    lenders.commit()
    return lenders


FORM = {
    "lender": "gb",
    "loan_id": FIRST,
    "amount": "5499.00",
    "date": "2026-01-05",
    "mode": "upi",
    "note": "counter",
}


def test_a_small_manual_repayment_lands_without_a_second_person(
    run_dag: RunDag, manual: WarehouseConnection
) -> None:
    run = run_dag("post_manual_repayment", **FORM)
    assert (run.state, run.assets) == ("success", {"manual_repayments_entered"})
    assert run.tasks["approve"] == "skipped"
    rows = manual.execute(
        "select loan_id, amount, date, entered_by_run from raw.raw_manual_repayment"
    ).fetchall()
    assert rows == [
        {
            "loan_id": FIRST,
            "amount": "5499.00",
            "date": "2026-01-05",
            "entered_by_run": f"post_manual_repayment/{run.run_id}",
        }
    ]
    manual.commit()

    again = run_dag("post_manual_repayment", **FORM)  # the same form in another run: a probable duplicate
    assert (again.tasks["check_entries"], again.state) == ("failed", "failed")
    confirmed = run_dag("post_manual_repayment", **FORM, duplicates_confirmed=True)
    assert confirmed.state == "success"


def test_a_form_with_faults_lands_nothing(run_dag: RunDag, manual: WarehouseConnection) -> None:
    assert run_dag("post_manual_repayment", **{**FORM, "amount": "5,499"}).tasks["check_entries"] == "failed"
    assert run_dag("post_manual_repayment", **{**FORM, "loan_id": "GB9"}).tasks["check_entries"] == "failed"
    assert manual.execute("select count(*) as n from raw.raw_manual_repayment").fetchone() == {"n": 0}


def test_marking_the_approval_as_success_lands_nothing(run_dag: RunDag, manual: WarehouseConnection) -> None:
    large = {**FORM, "amount": "25000.01"}
    for marked, landed in (("approve", "skipped"), ("approve|record_decision", "failed")):
        run = run_dag("post_manual_repayment", **large, marked_as_success=marked)
        assert (run.tasks["approve"], run.tasks["land_entries"]) == ("success", landed)
    assert manual.execute("select count(*) as n from raw.raw_manual_repayment").fetchone() == {"n": 0}
    manual.commit()


def test_what_the_approval_task_returns_names_the_person_who_answered(
    dag_bag: "DagBag", connections: None, manual: WarehouseConnection
) -> None:
    asked = approvals.request(
        manual,
        "manual_repayment",
        "r",
        [],
        RunContext("post_manual_repayment", "r", actor="asha"),
        needed=True,
    )
    manual.commit()
    event = {
        "chosen_options": ["Approve"], "params_input": {}, "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "meera"},
    }  # fmt: skip
    answer = dag_bag.dags["post_manual_repayment"].get_task("approve").execute_complete({}, event)
    assert repayments.record_answer(asked.approval_id, answer)
    row = manual.execute("select requested_by, decided_by from core.core_approval").fetchone()
    assert row == {"requested_by": "asha", "decided_by": "meera"}


def test_only_another_persons_answer_is_stored_as_an_approval(
    connections: None, manual: WarehouseConnection
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    asked = approvals.request(
        manual,
        "manual_repayment",
        "r",
        [],
        RunContext("post_manual_repayment", "r", actor="asha"),
        needed=True,
    )
    manual.commit()

    def answered_by(name: str | None, option: str = "Approve") -> dict[str, Any]:
        user = {"id": name, "name": name} if name else None
        return {"chosen_options": [option], "params_input": {}, "responded_by_user": user}

    for nobody in (None, answered_by(None)):  # a task marked as success has no answer
        assert not repayments.record_answer(asked.approval_id, nobody)
    with pytest.raises(AirflowFailException, match="another person"):
        repayments.record_answer(asked.approval_id, answered_by("asha"))
    assert repayments.record_answer(asked.approval_id, answered_by("meera"))


def test_who_rejects_a_manual_repayment_is_on_record_and_nothing_lands(
    run_dag: RunDag, manual: WarehouseConnection, answered: Answer
) -> None:
    answered("meera", "Reject")
    run = run_dag("post_manual_repayment", **{**FORM, "amount": "25000.01"})
    assert (run.tasks["record_decision"], run.tasks["land_entries"]) == ("success", "skipped")
    decided = manual.execute("select state, decided_by, requested_by from core.core_approval").fetchall()
    assert decided == [{"state": "rejected", "decided_by": "meera", "requested_by": "dag_test"}]
    assert manual.execute("select count(*) as n from raw.raw_manual_repayment").fetchone() == {"n": 0}
    manual.commit()

    answered("meera", "Approve")
    run = run_dag("post_manual_repayment", **{**FORM, "amount": "25000.01"})
    assert (run.state, run.tasks["land_entries"]) == ("success", "success")
    assert manual.execute("select amount from raw.raw_manual_repayment").fetchall() == [
        {"amount": "25000.01"}
    ]
    manual.commit()


def test_a_preview_of_a_manual_repayment_shows_its_faults_and_stores_nothing(
    run_dag: RunDag, manual: WarehouseConnection
) -> None:
    run = run_dag("post_manual_repayment", **{**FORM, "amount": "900000.00"}, dry_run=True)
    assert (run.state, run.tasks["approve"], run.tasks["land_entries"]) == ("success", "skipped", "skipped")
    stored = "select (select count(*) from raw.raw_manual_repayment) + (select count(*) from core.core_approval) as n"
    assert manual.execute(stored).fetchone() == {"n": 0}
    manual.commit()


def test_the_switch_and_a_case_are_set_by_their_forms(run_dag: RunDag, manual: WarehouseConnection) -> None:
    run = run_dag("switch_posting", lender="gb", channel="*", state="stopped", reason="drill")
    assert run.state == "success"
    add_payment(manual, FIRST)
    manual.commit()
    assert run_dag("post_repayments").state == "success"
    assert manual.execute("select count(*) as n from core.core_fineract_pending_transactions").fetchone() == {
        "n": 0
    }
    manual.commit()
    key = "0" * 32
    assert (
        run_dag("decide_repayment", posting_key=key, action="retry", reason="drill").tasks["decide"]
        == "failed"
    )
    assert (
        run_dag("reverse_repayment", posting_key=key, action="reverse", reason="drill").tasks["ask"]
        == "failed"
    )
