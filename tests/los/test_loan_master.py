"""The loan master: facts of operations, postings and snapshots, each with its source; and its drift against Fineract."""

import json
from typing import Any

import pytest

from tests.dbt.landing import AXLE, put_lender, put_loan
from tests.dbt.project import DbtProject
from tests.fineract.loan_book import standin_client
from tests.los.fineract_book import PRODUCT, RUN, LosBook, lenders_with, new_loan
from turno_lms.domain.runs import RunContext
from turno_lms.los.drift import report_drift
from turno_lms.los.schedules import read_missing_schedules
from turno_lms.warehouse.connection import Role

DRIFT = RunContext("check_loan_master", "test")


@pytest.fixture
def book(project: DbtProject, fineract_url: str) -> LosBook:
    """A stand-in whose first product is axle's, and the session's dbt project."""
    product_id = standin_client(fineract_url).create_loan_product(PRODUCT)
    put_lender(project.conn, AXLE)
    project.conn.execute("update core.core_lender set product_id = %s where lender = 'axle'", (product_id,))
    return LosBook(fineract_url, project.url(Role.POSTER), project.conn, lenders_with(product_id))


def master(project: DbtProject) -> dict[str, dict[str, Any]]:
    return {row["loan_id"]: row for row in project.rows("core.core_loan_master")}


def open_drift(book: LosBook) -> list[dict[str, Any]]:
    query = "select subject, loan_id, detail from core.core_recon_exception where kind = 'loan_drift' and state = 'open'"
    return [dict(row) for row in book.conn.execute(query)]


def test_the_unit_tests_of_the_loan_master_hold(project: DbtProject) -> None:
    for model in ("core_loan_master", "base_loan"):
        project.dbt("test", "--select", f"{model},test_type:unit")


def test_an_operation_brings_a_loan_up_to_date_and_what_was_done_past_us_is_drift(
    book: LosBook, project: DbtProject
) -> None:
    new_loan(book, 1)
    book.run()
    put_loan(project.conn, "AXL9", 3, number=900)  # Fineract's list does not have it: no loan to compare
    project.derive_warehouse()
    row = master(project)["AXL1"]
    # 12,000 flat at 18 % for a year: 2,160 of interest, 14,160 owed in twelve of 1,180
    assert (row["status"], row["lender"], row["client_external_id"]) == ("Active", "axle", "CL1")
    assert (row["principal"], row["total_outstanding"], row["interest_outstanding"]) == (12000, 14160, 2160)
    assert (row["installments"], row["installment_amount"], str(row["first_due_on"])) == (
        12,
        1180,
        "2025-02-05",
    )
    assert {row[name] for name in ("status_source", "schedule_source", "balances_source")} == {
        "run_los_operations"
    }
    assert (row["last_operation"], row["days_past_due"] > 0) == ("disburse_loan", True)

    report = report_drift(project.session(Role.POSTER), book.client, DRIFT)
    assert (report.loans, report.drifted, open_drift(book)) == (1, 0, [])

    # money that somebody enters in Fineract by hand: 1,180 less are owed there, and nothing here knows
    book.client.send(
        "POST", "/loans/external-id/AXL1/transactions?command=repayment",
        {"transactionDate": "2025-02-05", "transactionAmount": 1180, "dateFormat": "yyyy-MM-dd", "locale": "en"},
        purpose="test", subject="test", idempotency_key=None,
    )  # fmt: skip
    for _ in range(2):
        report = report_drift(project.session(Role.POSTER), book.client, DRIFT)
        assert (report.drifted, dict(report.fields)) == (1, {"total_outstanding": 1})
    (drift,) = open_drift(book)
    assert drift["detail"] == {"total_outstanding": {"loan_master": "14160.00", "fineract": "12980.00"}}

    # the same money posted by us since the loan was read is no drift
    project.conn.execute(
        "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date, amount,"
        " attempts, processed_by_run) values ('k', 'posted', 'axle', 'AXL1', '2025-02-05', 1180, 1, 'post_repayments/1')"
    )
    assert report_drift(project.session(Role.POSTER), book.client, DRIFT).drifted == 0
    assert open_drift(book) == []


def test_schedules_that_are_missing_are_read_once(book: LosBook, project: DbtProject) -> None:
    new_loan(book, 1)
    book.run()
    project.conn.execute("truncate raw.raw_fineract_loan_schedule")
    assert read_missing_schedules(project.session(Role.POSTER), book.client, RUN) == {
        "read": 1,
        "changed": 1,
        "failed": 0,
    }
    assert read_missing_schedules(project.session(Role.POSTER), book.client, RUN) == {
        "read": 0,
        "changed": 0,
        "failed": 0,
    }
    figures = project.conn.execute("select * from raw.raw_fineract_loan_schedule").fetchone()
    assert figures is not None
    assert (figures["installment_amount"], figures["interest"], figures["last_due_on"].isoformat()) == (
        1180, 2160, "2026-01-05",
    )  # fmt: skip
    assert json.dumps(str(figures["taken_by_run"])) == '"run_los_operations/test"'
