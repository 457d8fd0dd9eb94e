"""Transaction reconciliation: what matches, what has no other side, and that neither hangs on order or repetition."""

from datetime import date
from typing import Any

import pytest

from tests.dbt.landing import (
    AXLE,
    GB,
    UGRO,
    FileRow,
    RazorpayPayment,
    put_file,
    put_lender,
    put_loan,
    put_mandate,
    put_webhook,
)
from tests.dbt.project import RUN, DbtProject
from turno_lms.domain import keys
from turno_lms.reconciliation.matches import PAYMENT_KINDS, ReconReport, record_matches
from turno_lms.warehouse.connection import Role

DAY = date(2026, 1, 5)
GB_KEY = keys.source_key("gb", "GB100001", DAY, "5499.00")


@pytest.fixture
def lenders(project: DbtProject) -> DbtProject:
    for lender in (GB, AXLE, UGRO):
        put_lender(project.conn, lender)
    for loan, product in (("GB100001", 1), ("UGR200001", 2), ("AXL300001", 3)):
        put_loan(project.conn, loan, product)
    put_mandate(project.conn, "UMRN1", "GB100001")
    return project


def nach_file(project: DbtProject, rows: int = 1) -> None:
    put_file(project.conn, "gb", "nach_response", [FileRow("GB100001", "5499.00", umrn="UMRN1")] * rows)


def nach_webhook(project: DbtProject, payment_id: str, amount: str = "5499.00") -> None:
    put_webhook(project.conn, "gb", RazorpayPayment(payment_id, amount, notes={"umrn": "UMRN1"}).event())


def reconcile(project: DbtProject) -> ReconReport:
    """A day: build, reconcile, and build again so that the statuses arrive."""
    project.derive_warehouse()
    report = project.reconcile()
    project.build_warehouse()
    return report


def statuses(project: DbtProject) -> dict[str, str]:
    return {key: row["reconciliation_status"] for key, row in project.payments().items()}


def matches(project: DbtProject) -> list[dict[str, Any]]:
    columns = ("native_reference", "posting_key", "side", "rule")
    return [{name: row[name] for name in columns} for row in project.rows("core.core_recon_match")]


def exceptions(project: DbtProject) -> list[tuple[str, str, str]]:
    rows = project.rows("core.core_recon_exception")
    return [(row["kind"], row["subject"], row["state"]) for row in rows if row["kind"] in PAYMENT_KINDS]


def test_a_nach_row_matches_its_webhook_by_loan_date_and_amount(lenders: DbtProject) -> None:
    file_id = put_file(lenders.conn, "gb", "nach_response", [FileRow("GB100001", "5499.00", umrn="UMRN1")])
    nach_webhook(lenders, "pay_1")
    assert reconcile(lenders) == ReconReport(pairs_matched=1, exceptions_opened=0, exceptions_cleared=0)
    assert statuses(lenders) == {GB_KEY: "matched"}
    assert matches(lenders) == [
        {
            "native_reference": f"position:{file_id}:1",
            "posting_key": GB_KEY,
            "side": "file",
            "rule": "recon_match_key",
        },
        {
            "native_reference": "razorpay:pay_1",
            "posting_key": GB_KEY,
            "side": "gateway",
            "rule": "recon_match_key",
        },
    ]


def test_a_settlement_row_matches_by_the_gateway_payment_though_its_date_differs(lenders: DbtProject) -> None:
    put_file(
        lenders.conn, "axle", "settlement", [FileRow("AXL300001", payment_id="pay_1", date="2026-01-07")]
    )
    put_webhook(lenders.conn, "axle", RazorpayPayment("pay_1", notes={"loan_id": "AXL300001"}).event())
    assert reconcile(lenders).pairs_matched == 1
    assert {match["rule"] for match in matches(lenders)} == {"gateway_payment_reference"}


@pytest.mark.parametrize("file_first", [True, False])
def test_the_missing_side_is_an_exception_that_clears_when_it_arrives(
    lenders: DbtProject, file_first: bool
) -> None:
    kind = "missing_in_gateway" if file_first else "missing_in_file"
    sides = [nach_file, lambda project: nach_webhook(project, "pay_1")]
    first, second = sides if file_first else reversed(sides)
    first(lenders)
    assert reconcile(lenders).exceptions_opened == 1
    assert statuses(lenders) == {GB_KEY: kind}
    assert exceptions(lenders) == [(kind, GB_KEY, "open")]
    second(lenders)
    assert reconcile(lenders) == ReconReport(pairs_matched=1, exceptions_opened=0, exceptions_cleared=1)
    assert statuses(lenders) == {GB_KEY: "matched"}
    assert exceptions(lenders) == [(kind, GB_KEY, "cleared")]


def test_equal_instalments_match_one_to_one(lenders: DbtProject) -> None:
    """Three rows and two webhooks of one loan, day and amount: two matches, and one row more than the gateway knows."""
    nach_file(lenders, rows=3)
    for number in (1, 2):
        nach_webhook(lenders, f"pay_{number}")
    assert reconcile(lenders) == ReconReport(pairs_matched=2, exceptions_opened=1, exceptions_cleared=0)
    assert sorted(statuses(lenders).values()) == ["duplicate", "matched", "matched"]


def test_what_agrees_by_reference_but_not_in_amount_is_no_match(lenders: DbtProject) -> None:
    put_file(lenders.conn, "axle", "settlement", [FileRow("AXL300001", "90.00", payment_id="pay_1")])
    put_webhook(lenders.conn, "axle", RazorpayPayment("pay_1", notes={"loan_id": "AXL300001"}).event())
    assert reconcile(lenders) == ReconReport(pairs_matched=0, exceptions_opened=0, exceptions_cleared=0)
    assert set(statuses(lenders).values()) == {"conflict"}
    assert {row["kind"] for row in lenders.rows("core.core_recon_exception")} == {"identity_conflict"}


def test_a_stream_with_one_side_and_money_before_the_cut_over_are_not_compared(lenders: DbtProject) -> None:
    put_file(lenders.conn, "ugro", "statement", [FileRow("UGR200001")])
    put_file(lenders.conn, "gb", "nach_response", [FileRow("GB100001", umrn="UMRN1", date="2025-12-31")])
    assert reconcile(lenders) == ReconReport(0, 0, 0)
    assert set(statuses(lenders).values()) == {"not_applicable"}


def test_recording_twice_or_from_an_old_build_changes_nothing(lenders: DbtProject) -> None:
    nach_file(lenders)
    nach_webhook(lenders, "pay_1")
    nach_webhook(lenders, "pay_2", amount="100.00")
    lenders.build_warehouse()
    lenders.reconcile()
    before = [
        lenders.rows(f"core.core_{table}") for table in ("recon_match", "recon_exception", "change_log")
    ]
    assert record_matches(lenders.session(Role.RECONCILER), RUN) == ReconReport(0, 0, 0)
    assert lenders.reconcile() == ReconReport(0, 0, 0)
    assert [
        lenders.rows(f"core.core_{table}") for table in ("recon_match", "recon_exception", "change_log")
    ] == before


def test_a_match_stays_when_more_of_the_same_arrives(lenders: DbtProject) -> None:
    nach_file(lenders)
    nach_webhook(lenders, "pay_2")
    reconcile(lenders)
    before = matches(lenders)
    nach_webhook(lenders, "pay_1")
    assert reconcile(lenders).pairs_matched == 0
    assert matches(lenders) == before
    assert statuses(lenders)[GB_KEY] == "matched"
