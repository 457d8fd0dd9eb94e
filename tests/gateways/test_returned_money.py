"""Money that a gateway gave back: before posting it is not posted, after posting a person gets the reversal prepared."""

from datetime import date
from typing import Any

import pytest

from tests.dbt.landing import AXLE, RazorpayPayment, put_lender, put_loan, put_webhook
from tests.dbt.project import RUN, DbtProject
from turno_lms.domain import keys
from turno_lms.gateways.returns import ReturnsReport, raise_returns
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Role

DAY = date(2026, 1, 5)
KEY = keys.source_key("axle", "AXL300001", DAY, "100.00")
PAYMENT = RazorpayPayment("pay_1", notes={"loan_id": "AXL300001"})


@pytest.fixture
def axle(project: DbtProject) -> DbtProject:
    put_lender(project.conn, AXLE)
    put_loan(project.conn, "AXL300001", 3)
    put_webhook(project.conn, "axle", PAYMENT.event())
    return project


def build(project: DbtProject) -> ReturnsReport:
    project.build_warehouse()
    return raise_returns(project.session(Role.RECONCILER), RUN)


def post(project: DbtProject) -> None:
    """The payment as the ledger leaves it once Fineract has it."""
    with project.conn.transaction():
        project.conn.execute(
            "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date,"
            " amount, fineract_transaction_id, attempts, processed_by_run)"
            " values (%s, 'posted', 'axle', 'AXL300001', %s, 100, 655, 1, 'test')",
            (KEY, DAY),
        )
        record_changes(project.conn, "posting", [KEY])


def questions(project: DbtProject) -> list[tuple[str, str, dict[str, Any]]]:
    rows = project.conn.execute(
        "select kind, state, detail from core.core_recon_exception where subject = %s order by exception_id",
        (KEY,),
    )
    return [(row["kind"], row["state"], row["detail"]) for row in rows]


def test_a_refund_in_part_of_a_posted_payment_prepares_its_reversal_and_what_to_post_instead(
    axle: DbtProject,
) -> None:
    build(axle)
    post(axle)
    put_webhook(axle.conn, "axle", PAYMENT.refund("30.00"))
    assert build(axle) == ReturnsReport(opened=1, cleared=0)
    assert questions(axle) == [
        (
            "returned_after_posting",
            "open",
            {
                "payment_status": "partially_refunded",
                "amount": "100.00",
                "amount_returned": "30.00",
                "gateway_payments": ["razorpay:pay_1"],
                "reverse": {
                    "fineract_transaction_id": 655,
                    "transaction_date": "2026-01-05",
                    "amount": "100.00",
                },
                "post_instead": {"business_date": "2026-01-05", "amount": "70.00"},  # 100.00 - 30.00
            },
        )
    ]
    assert build(axle) == ReturnsReport(opened=0, cleared=0)
    put_webhook(axle.conn, "axle", PAYMENT.refund("70.00", "rfnd_2"))
    assert build(axle).opened == 1
    ((_, _, detail),) = questions(axle)
    assert (detail["payment_status"], detail["amount_returned"]) == ("refunded", "100.00")
    assert detail["post_instead"] is None


def test_a_lost_dispute_of_a_posted_payment_is_asked_once_and_again_only_for_more(axle: DbtProject) -> None:
    build(axle)
    post(axle)
    put_webhook(axle.conn, "axle", PAYMENT.lost_dispute("40.00"))
    build(axle)
    axle.conn.execute("update core.core_recon_exception set state = 'resolved' where subject = %s", (KEY,))
    assert build(axle).opened == 0
    put_webhook(axle.conn, "axle", PAYMENT.refund("60.00"))
    assert build(axle).opened == 1
    states = [(state, detail["amount_returned"]) for _, state, detail in questions(axle)]
    assert states == [("resolved", "40.00"), ("open", "100.00")]  # 40.00 + 60.00


def test_a_refund_that_failed_after_all_clears_its_question(axle: DbtProject) -> None:
    build(axle)
    post(axle)
    put_webhook(axle.conn, "axle", PAYMENT.refund("100.00"))
    build(axle)
    put_webhook(axle.conn, "axle", PAYMENT.refund("100.00", name="refund.failed"))
    assert build(axle) == ReturnsReport(opened=0, cleared=1)
    assert axle.payments()[KEY]["posting_block"] is None


def test_what_is_left_of_a_payment_refunded_in_part_before_posting_goes_to_a_person(axle: DbtProject) -> None:
    put_webhook(axle.conn, "axle", PAYMENT.refund("30.00"))
    assert build(axle).opened == 1
    assert axle.payments()[KEY]["posting_block"] == "not_collected"
    ((kind, state, detail),) = questions(axle)
    assert (kind, state, detail["reverse"]) == ("partly_returned", "open", None)
    assert detail["post_instead"] == {"business_date": "2026-01-05", "amount": "70.00"}  # 100.00 - 30.00
    put_webhook(axle.conn, "axle", PAYMENT.refund("70.00", "rfnd_2"))
    assert build(axle) == ReturnsReport(opened=0, cleared=1)  # nothing is left


def test_a_refund_of_everything_before_posting_asks_nobody(axle: DbtProject) -> None:
    put_webhook(axle.conn, "axle", PAYMENT.refund("100.00"))
    assert build(axle) == ReturnsReport(opened=0, cleared=0)
    assert axle.payments()[KEY]["posting_block"] == "not_collected"
