"""Manual repayments: checked against Fineract's loan, approved by another person, landed once, claimed with approval."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import add_payment, post_by_stream
from turno_lms.approvals import approvals
from turno_lms.approvals.approvals import ApprovalError
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState
from turno_lms.fineract.client import FineractClient
from turno_lms.posting import manual
from turno_lms.posting.claim import claim
from turno_lms.posting.manual_entries import ManualEntry, Mode
from turno_lms.warehouse.connection import WarehouseConnection

LOAN = "GB100001"
ASHA = RunContext("post_manual_repayment", "manual__1", "land_entries", actor="asha")
SMALL = ManualEntry("gb", LOAN, Decimal("5499.00"), date(2026, 1, 5), Mode.NEFT, "UTR1", None)
LARGE = replace(SMALL, amount=Decimal("25000.01"))  # one paisa above the limit


@pytest.fixture(autouse=True)
def lender(ledger: WarehouseConnection) -> None:
    post_by_stream(ledger, "gb", "file:nach_response")


@pytest.fixture
def fineract(fineract_url: str) -> FineractClient:
    client = standin_client(fineract_url)
    make_loans(client, [LOAN])
    return client


def preview(
    conn: WarehouseConnection,
    client: FineractClient,
    *entries: ManualEntry,
    duplicates: bool = False,
    excess: bool = False,
) -> manual.Preview:
    return manual.preview(conn, client, entries, duplicates_confirmed=duplicates, excess_confirmed=excess)


def landed(conn: WarehouseConnection) -> int:
    row = conn.execute("select count(*) as n from raw.raw_manual_repayment").fetchone()
    return row["n"] if row else 0


def test_the_preview_shows_the_effect_of_all_lines_of_a_loan_together(
    ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    # 100 000 over 24 months at 18 % flat: interest 36 000, so 136 000 are owed
    first, second = SMALL, replace(SMALL, amount=Decimal("501.00"), business_date=date(2026, 1, 20))
    shown = preview(ledger, fineract, first, second)
    assert shown.faults == []
    assert [(each.outstanding, each.outstanding_after) for each in shown.effects] == [
        (Decimal(136_000), Decimal(130_501)),
        (Decimal(130_501), Decimal(130_000)),
    ]
    assert (
        "| gb GB100001 | 5,499.00 | 2026-01-05 | neft | UTR1 | 1,36,000.00 | 1,30,501.00 | 0.00 |  |"
        in shown.markdown()
    )
    assert "Total 6,000.00 rupees." in shown.markdown()


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (replace(SMALL, lender="ugro"), "lender ugro is not known"),
        (replace(SMALL, loan_id="GB9"), "Fineract has no loan of this id"),
        (replace(SMALL, business_date=date(2025, 12, 4)), "before its disbursal on 2025-12-05"),
        (replace(SMALL, business_date=date(2025, 11, 30)), "before 2025-12-01, from when this system posts"),
        (replace(SMALL, amount=Decimal("136000.50")), "0.50 more than the outstanding 136000.00"),
    ],
)
def test_what_must_not_be_posted_is_named_with_its_line(
    ledger: WarehouseConnection, fineract: FineractClient, entry: ManualEntry, fault: str
) -> None:
    [found] = preview(ledger, fineract, entry).faults
    assert found.startswith("line 1, loan ")
    assert fault in found


def test_a_confirmed_excess_is_shown_and_allowed(
    ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    shown = preview(ledger, fineract, replace(SMALL, amount=Decimal("136000.50")), excess=True)
    assert (shown.faults, shown.effects[0].excess) == ([], Decimal("0.50"))


@pytest.mark.parametrize(("day", "is_duplicate"), [(2, True), (8, True), (1, False), (9, False)])
def test_the_same_loan_and_amount_within_three_days_need_a_confirmation(
    ledger: WarehouseConnection, fineract: FineractClient, day: int, is_duplicate: bool
) -> None:
    key = add_payment(ledger, LOAN, business_date=date(2026, 1, day))
    faults = preview(ledger, fineract, SMALL).faults
    assert bool(faults) is is_duplicate
    if is_duplicate:
        assert (
            f"probable duplicate of payment of 2026-01-0{day} seen in file:nach_response ({key})" in faults[0]
        )
        assert preview(ledger, fineract, SMALL, duplicates=True).faults == []


def test_nothing_is_entered_before_duplicates_can_be_told(
    ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ledger.execute("drop table core.core_transaction_data")
    with pytest.raises(manual.ManualRepaymentError, match="trigger build_warehouse first"):
        preview(ledger, fineract, SMALL)


def test_two_lines_of_the_same_money_need_a_confirmation(
    ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    [fault] = preview(ledger, fineract, SMALL, replace(SMALL, reference="UTR2")).faults
    assert fault.startswith("line 2, loan GB100001: probable duplicate of line 1")


def test_a_small_request_lands_once_without_a_second_person(ledger: WarehouseConnection) -> None:
    request = manual.ask(ledger, [SMALL], ASHA)
    assert (request.state, request.requested_by) == (ApprovalState.NOT_NEEDED, "asha")
    assert manual.land(ledger, request.approval_id, [SMALL], ASHA) == 1
    assert manual.land(ledger, request.approval_id, [SMALL], ASHA) == 0  # a cleared task
    assert landed(ledger) == 1


def test_a_large_request_lands_only_after_another_person_approved_and_both_are_recorded(
    ledger: WarehouseConnection,
) -> None:
    request = manual.ask(ledger, [LARGE], ASHA)
    with pytest.raises(
        ApprovalError, match="is requested, not approved: a task marked as success approves nothing"
    ):
        manual.land(ledger, request.approval_id, [LARGE], ASHA)
    for requester in ("asha", " Asha "):
        with pytest.raises(ApprovalError, match="another person must approve"):
            approvals.decide(ledger, request.approval_id, requester, approved=True)
    with pytest.raises(ApprovalError, match="does not say who answered"):
        approvals.decide(ledger, request.approval_id, "", approved=True)
    approvals.decide(ledger, request.approval_id, "meera", approved=True)
    assert manual.land(ledger, request.approval_id, [LARGE], ASHA) == 1
    row = ledger.execute("select requested_by, decided_by, state from core.core_approval").fetchone()
    assert row == {"requested_by": "asha", "decided_by": "meera", "state": "used"}


def test_a_rejected_or_expired_approval_lands_nothing(ledger: WarehouseConnection) -> None:
    request = manual.ask(ledger, [LARGE], ASHA)
    approvals.decide(ledger, request.approval_id, "meera", approved=False)
    with pytest.raises(ApprovalError, match="is rejected"):
        manual.land(ledger, request.approval_id, [LARGE], ASHA)
    late = manual.ask(ledger, [LARGE], replace(ASHA, run_id="manual__2"))
    approvals.decide(ledger, late.approval_id, "meera", approved=True)
    ledger.execute("update core.core_approval set expires_at = now() - interval '1 second'")
    with pytest.raises(ApprovalError, match="expired at"):
        manual.land(ledger, late.approval_id, [LARGE], ASHA)
    assert landed(ledger) == 0


def test_other_figures_than_the_approved_ones_land_nothing(ledger: WarehouseConnection) -> None:
    request = manual.ask(ledger, [LARGE], ASHA)
    approvals.decide(ledger, request.approval_id, "meera", approved=True)
    with pytest.raises(ApprovalError, match="is of other figures"):
        manual.land(ledger, request.approval_id, [replace(LARGE, loan_id="GB100002")], ASHA)
    with pytest.raises(ApprovalError, match="was asked for with other figures"):
        manual.ask(ledger, [SMALL], ASHA)
    assert landed(ledger) == 0


def test_a_request_that_was_recorded_as_small_but_is_large_needs_the_second_person(
    ledger: WarehouseConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(manual.LIMIT_VARIABLE, "50000")
    request = manual.ask(ledger, [LARGE], ASHA)
    monkeypatch.delenv(manual.LIMIT_VARIABLE)
    with pytest.raises(ApprovalError, match="is not_needed, not approved"):
        manual.land(ledger, request.approval_id, [LARGE], ASHA)


def manual_payment(conn: WarehouseConnection, entry: ManualEntry) -> str:
    """What dbt and the identity step make of a landed entry."""
    key = add_payment(conn, entry.loan_id, f"{entry.amount:.2f}", entry.business_date)
    conn.execute(
        "update core.core_transaction_data set channels_seen = array['manual'] where posting_key = %s", (key,)
    )
    conn.execute(
        "insert into core.core_payment_identity (native_reference, posting_key, source_key, occurrence, lender, loan_id,"
        " business_date, amount, stream, channel, is_posting_channel, matched_by)"
        " select 'manual:' || manual_id, %s, %s, 1, 'gb', loan_id, date::date, amount::numeric, 'manual_repayments',"
        " 'manual', true, 'first_sight' from raw.raw_manual_repayment",
        (key, key),
    )
    return key


def test_the_claim_reads_the_approval_again_before_it_makes_an_intent(
    ledger: WarehouseConnection, run: RunContext
) -> None:
    request = manual.ask(ledger, [LARGE], ASHA)
    approvals.decide(ledger, request.approval_id, "meera", approved=True)
    manual.land(ledger, request.approval_id, [LARGE], ASHA)
    manual_payment(ledger, LARGE)
    ledger.execute("update raw.raw_manual_repayment set amount = '99000.00'")  # changed past the approval
    assert claim(ledger, run).claimed == 0
    ledger.execute("update raw.raw_manual_repayment set amount = '25000.01'")
    ledger.execute("update core.core_approval set state = 'requested', decided_by = null")
    assert claim(ledger, run).claimed == 0
    ledger.execute("update core.core_approval set state = 'used', decided_by = 'meera'")
    assert claim(ledger, run).claimed == 1
