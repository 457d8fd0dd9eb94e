"""Settlements that are done and taken back: asked for, approved by another person, undone the last step first, verified.

The settlement of these tests: 137,500 owed, 96,000 paid, 37,500 waived, 4000 credited or written off.
"""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.posting.payments import block_payment, processed
from tests.resolutions.conftest import (
    ASHA,
    LOAN,
    MEERA,
    ROBOT,
    TODAY,
    Told,
    accepted,
    pay,
    standing,
    steps,
    told,
)
from turno_lms.approvals.approvals import ApprovalError
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState
from turno_lms.fineract.client import FORMATS, FineractClient
from turno_lms.posting.proof import prove
from turno_lms.resolutions import books, settlements, undoing
from turno_lms.resolutions.books import SETTLEMENTS
from turno_lms.resolutions.journal import events_of
from turno_lms.resolutions.quotes import ResolutionError
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import Row, WarehouseConnection

UNTOUCHED = Told(300, Decimal(137500), Decimal(0), Decimal(0))
SETTLED = Told(600, Decimal(0), Decimal(37500), Decimal(0))
PAID_ON = date(2026, 6, 9)


def done(walk: Walk, ledger: WarehouseConnection) -> tuple[str, str]:
    """A settlement that is done, and the posting key of its money."""
    ref = accepted(walk)
    key = pay(ledger, "96000.00", PAID_ON)
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "done", row["last_error"]
    return ref, key


def asked(walk: Walk, ref: str, reason: str = "the letter was forged", run_id: str = "run 7") -> Row:
    run = RunContext("undo_resolution", run_id, "ask", actor="asha")
    return undoing.request(walk.conn, walk.client, ref, reason, run)


def approved(walk: Walk, ref: str) -> None:
    approval = asked(walk, ref)["undo_approval_id"]
    undoing.decide(walk.conn, ref, approval, MEERA, approved=True)


def questions(conn: WarehouseConnection) -> list[tuple[str, str, str]]:
    rows = conn.execute(
        "select kind, state, detail ->> 'reason' as reason from core.core_recon_exception order by exception_id"
    ).fetchall()
    return [(row["kind"], row["state"], row["reason"]) for row in rows]


def add_penalty(client: FineractClient, amount: int) -> None:
    body = {"chargeId": 2, "amount": amount, "dueDate": TODAY, **FORMATS}
    path = f"/loans/external-id/{LOAN}/charges"
    assert client.send("POST", path, body, purpose="t", subject="c", idempotency_key=None).ok


def test_everything_is_undone_the_last_step_first_and_its_money_becomes_ordinary(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref, key = done(walk, ledger)
    approved(walk, ref)
    row = undoing.undo(walk, ref)
    assert row["state"] == "undone", row["last_error"]
    assert (row["fineract_status"], row["fineract_outstanding"]) == (300, 137500)
    assert row["last_error"] == "the letter was forged"
    assert (told(fineract), standing(fineract)) == (UNTOUCHED, [])
    assert {state for _, state in steps(walk.conn, ref)} == {"undone"}
    newest = "select status_id from raw.raw_fineract_loan_snapshot order by snapshot_id desc limit 1"
    assert walk.conn.execute(newest).fetchone() == {"status_id": 300}  # what the loan master is made of
    events = events_of(walk.conn, ref)
    assert [each["detail"]["position"] for each in events if each["event"] == "step undone"] == [
        6,
        5,
        4,
        3,
        2,
        1,
    ]
    said = [(each["event"], each["actor"]) for each in events if "undo" in each["event"].split()[0]]
    assert said == [("undo requested", "asha"), ("undo approved", "finance_head")]
    walk.desk.post(LOAN)
    corrected = processed(ledger, f"{key}-r1")
    assert corrected is not None
    assert (corrected["outcome"], corrected["business_date"]) == ("posted", PAID_ON)
    assert told(fineract).outstanding == 137500 - 96000
    assert prove(walk.conn, fineract, [LOAN], ROBOT).differences == []
    assert undoing.undo(walk, ref) == row  # run twice: nothing
    assert settlements.advance(walk, ref, TODAY) == row


def test_its_loan_can_be_settled_anew(walk: Walk, ledger: WarehouseConnection) -> None:
    ref, _ = done(walk, ledger)
    approved(walk, ref)
    undoing.undo(walk, ref)
    walk.desk.post(LOAN)
    # 96,000 are posted: 41,500 are owed, of which 20,000 are paid now
    again = accepted(walk, run_id="run 8", amount="20000.00")
    assert books.read(walk.conn, SETTLEMENTS, again)["dues_total"] == 41500


@pytest.mark.usefixtures("write_off_at_the_end")
def test_a_write_off_at_its_end_is_taken_back_first_and_a_recovery_stays_what_it_is(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref, _ = done(walk, ledger)
    later = pay(ledger, "1500.00")
    walk.desk.post(LOAN)
    recovered = processed(ledger, later)
    assert recovered is not None
    assert recovered["kind"] == "recovery"
    approved(walk, ref)
    row = undoing.undo(walk, ref)
    assert row["state"] == "undone", row["last_error"]
    assert (told(fineract).status, told(fineract).written_off) == (300, 0)
    assert standing(fineract) == [(8, Decimal(1500))]


def test_it_takes_another_person_of_its_own_band(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref, _ = done(walk, ledger)
    approval = asked(walk, ref)["undo_approval_id"]
    with pytest.raises(ResolutionError, match="asha may not approve in band finance: finance_head"):
        undoing.decide(walk.conn, ref, approval, ASHA, approved=True)
    with pytest.raises(ApprovalError, match="requested, not approved"):
        undoing.undo(walk, ref)  # what marking the tasks as success would amount to
    assert undoing.decide(walk.conn, ref, approval, MEERA, approved=False) is ApprovalState.REJECTED
    with pytest.raises(ApprovalError, match="rejected, not approved"):
        undoing.undo(walk, ref)
    assert (books.read(walk.conn, SETTLEMENTS, ref)["state"], told(fineract)) == ("done", SETTLED)


def test_who_asks_anew_replaces_the_question_before(walk: Walk, ledger: WarehouseConnection) -> None:
    """The approver of the first question was shown another reason."""
    ref, _ = done(walk, ledger)
    first = asked(walk, ref)["undo_approval_id"]
    second = asked(walk, ref, "paid by somebody else", "run 8")["undo_approval_id"]
    with pytest.raises(ResolutionError, match="asked about anew meanwhile"):
        undoing.decide(walk.conn, ref, first, MEERA, approved=True)
    undoing.decide(walk.conn, ref, second, MEERA, approved=True)
    assert undoing.undo(walk, ref)["state"] == "undone"


def test_the_approver_sees_what_is_undone_in_which_order(walk: Walk, ledger: WarehouseConnection) -> None:
    ref, _ = done(walk, ledger)
    text = undoing.preview(walk.conn, asked(walk, ref), ref, "asha")
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [line.split("|")[1].strip() for line in rows] == [
        "goodwill credit", "post money", "waive interest", "waive charge", "waive charge", "waive charge",
    ]  # fmt: skip
    for shown in ("1,37,500.00 rupees were owed", "96,000.00", "the letter was forged", "asha"):
        assert shown in text


def test_money_that_went_back_is_not_posted_anew(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    """The cheque of a done settlement bounces: its reversal is prepared, and the whole settlement is taken back."""
    ref, key = done(walk, ledger)
    ledger.execute(
        "insert into core.core_reversal (posting_key, lender, loan_id, business_date, amount, reason, state, requested_by)"
        " select posting_key, lender, loan_id, business_date, amount, 'returned unpaid', 'prepared', 'run'"
        " from core.core_transaction_data_processed where posting_key = %s",
        (key,),
    )
    ledger.execute(
        "insert into core.core_recon_exception (kind, subject, loan_id, opened_by_run)"
        " values ('bounced_after_posting', %s, %s, 'r')",
        (key, LOAN),
    )
    approved(walk, ref)
    assert undoing.undo(walk, ref)["state"] == "undone"
    walk.desk.post(LOAN)
    assert (told(fineract), standing(fineract)) == (UNTOUCHED, [])
    assert processed(ledger, f"{key}-r1") is None
    assert [(kind, state) for kind, state, _ in questions(walk.conn)] == [
        ("bounced_after_posting", "resolved")
    ]
    assert prove(walk.conn, fineract, [LOAN], ROBOT).differences == []


def test_what_is_on_its_way_to_the_loan_ends_first(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """700 more came after the settlement: the loan is overpaid by them, and owes them less afterwards."""
    ref, _ = done(walk, ledger)
    approved(walk, ref)
    late = pay(ledger, "700.00")
    with monkeypatch.context() as busy:
        busy.setattr(walk.desk, "_post_loan", lambda _: None)
        with pytest.raises(ResolutionError, match="repayments are on their way"):
            undoing.undo(walk, ref)
    assert told(fineract) == SETTLED
    assert undoing.undo(walk, ref)["state"] == "undone"
    assert processed(ledger, late) is not None
    assert told(fineract).outstanding == 137500 - 700


def test_what_was_paid_back_or_changed_by_hand_is_refused_with_the_reason(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, _ = done(walk, ledger)
    find = FineractClient.find_loan
    changes: dict[str, Any] = {}

    def found(client: FineractClient, external_id: str, associations: tuple[str, ...] = ()) -> Any:
        loan = find(client, external_id, associations)
        assert loan is not None
        shown = [*loan.get("transactions", []), *changes.get("later", [])]
        return {**loan, "transactions": changes.get("all", shown), **changes.get("loan", {})}

    monkeypatch.setattr(FineractClient, "find_loan", found)
    refund = {"id": 99, "type": {"id": 20}, "amount": 700, "date": [2026, 6, 10], "manuallyReversed": False}
    ordinary = refund | {"type": {"id": 2}}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"later": [refund]}, "a refund of the excess of 700 rupees on 2026-06-10 came after it"),
        ({"all": []}, "Fineract has no transaction of step 1 waive_charge"),
        ({"loan": {"subStatus": {"id": 100}}}, "the loan is foreclosed since"),
        (
            {"loan": {"chargedOff": True, "timeline": {"chargedOffOnDate": [2026, 6, 10]}}},
            "is dated before the charge-off of 2026-06-10",
        ),
        (
            {"loan": {"isInterestRecalculationEnabled": True}, "later": [ordinary]},
            "recalculates interest, and 1 later transactions stand",
        ),
    ]
    for change, match in cases:
        changes.clear()
        changes.update(change)
        with pytest.raises(ResolutionError, match=match):
            asked(walk, ref)
    assert walk.conn.execute("select count(*) as n from core.core_approval").fetchone() == {"n": 1}
    with pytest.raises(ResolutionError, match="Fineract does not reopen a foreclosed loan"):
        asked(walk, "fcl-0123456789abcdef")


def test_only_what_is_done_is_taken_back_and_with_a_reason(walk: Walk, ledger: WarehouseConnection) -> None:
    waiting = accepted(walk)
    with pytest.raises(
        ResolutionError, match="is accepted: only a settlement that is done can be taken back"
    ):
        asked(walk, waiting)
    pay(ledger, "96000.00", PAID_ON)
    settlements.advance(walk, waiting, TODAY)
    with pytest.raises(ResolutionError, match="needs its reason"):
        asked(walk, waiting, " ")


def test_a_refusal_of_fineract_on_the_way_is_a_question_and_the_next_run_goes_on(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, standin: str
) -> None:
    ref, _ = done(walk, ledger)
    approved(walk, ref)
    rule = {"requests": "undo_charge_waiver", "fault": "refused_503", "next": 1}
    requests.post(f"{standin}/rules", json=rule, timeout=5).raise_for_status()
    assert undoing.undo(walk, ref)["state"] == "undoing"
    ((kind, state, reason),) = questions(walk.conn)
    assert (kind, state) == ("resolution_stuck", "open")
    assert "it cannot be taken back: step 3 waive_charge is not undone" in reason
    late = pay(ledger, "100.00")
    walk.desk.post(LOAN)
    assert processed(ledger, late) is None  # the loan's money is held meanwhile
    assert settlements.advance(walk, ref, TODAY)["state"] == "undone"
    assert told(fineract) == UNTOUCHED
    assert [state for _, state, _ in questions(walk.conn)] == ["cleared"]


def test_a_loan_that_owes_something_else_afterwards_is_a_question(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    """A penalty of 100 was put on the closed loan meanwhile, which opened it again."""
    ref, _ = done(walk, ledger)
    add_penalty(fineract, 100)
    approved(walk, ref)
    row = undoing.undo(walk, ref)
    assert (row["state"], row["fineract_outstanding"]) == ("undone", 137600)
    ((_, state, reason),) = questions(walk.conn)
    assert state == "open"
    assert "137600.00 rupees outstanding; 137500.00 were owed before" in reason


def test_a_refund_that_is_known_of_the_money_holds_its_correction(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref, key = done(walk, ledger)
    block_payment(ledger, key, "not_collected")
    approved(walk, ref)
    assert undoing.undo(walk, ref)["state"] == "undone"
    walk.desk.post(LOAN)
    assert processed(ledger, f"{key}-r1") is None
    assert told(fineract) == UNTOUCHED
