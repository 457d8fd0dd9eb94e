"""Settlements against the stand-in: quoted, decided, paid, executed, verified; and every way in which they end."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from local_stack.folder import ROOT
from tests.posting.payments import block_payment, pending, processed
from tests.resolutions.conftest import (
    ASHA,
    FORM,
    LOAN,
    MEERA,
    ROBOT,
    TODAY,
    Told,
    accepted,
    pay,
    requested,
    standing,
    steps,
    told,
)
from turno_lms.approvals.approvals import ApprovalError
from turno_lms.domain.money import canonical_amount
from turno_lms.domain.resolutions import ResolutionFiguresError
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState
from turno_lms.fineract import leases
from turno_lms.fineract.client import FineractClient
from turno_lms.posting.claim import claim
from turno_lms.posting.proof import prove
from turno_lms.resolutions import books, execution, settlements
from turno_lms.resolutions.books import SETTLEMENTS
from turno_lms.resolutions.forms import read_settlement
from turno_lms.resolutions.journal import events_of
from turno_lms.resolutions.quotes import ResolutionError
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import Row, WarehouseConnection

UNTOUCHED = Told(300, Decimal(137500), Decimal(0), Decimal(0))
HEAD = RunContext("settle_loan", "run 1", "decide", actor="finance_deputy")


def row_of(walk: Walk, ref: str) -> Row:
    return books.read(walk.conn, SETTLEMENTS, ref)


def test_the_quote_is_fineracts_own_and_the_split_is_the_one_worked_by_hand(walk: Walk) -> None:
    """137,500 less 96,000 are 41,500: 1000 of penalties, 500 of fees, 36,000 of interest, 4000 of principal: 30.18 %."""
    row = row_of(walk, requested(walk))
    assert (row["dues_principal"], row["dues_interest"]) == (100000, 36000)
    assert (row["dues_fees"], row["dues_penalties"], row["dues_total"]) == (500, 1000, 137500)
    assert (row["waived"], row["remainder"], row["ending"]) == (37500, 4000, "goodwill_credit")
    assert row["band"] == "finance"  # 30.18 % is beyond the team lead's 20
    # six installments are due by 5 June: 9000 of interest; 5 of 30 days of the seventh, of 1500: 250
    assert (row["payoff"], row["payoff_by"]) == (100000 + 9250 + 1500, "foreclosure")
    text = settlements.preview(walk.conn, row)
    for shown in (
        "1,37,500.00",
        "96,000.00",
        "41,500.00 rupees (30.18 %)",
        "**finance**",
        "2026-06-17",
        "asha",
    ):
        assert shown in text, text


def test_a_settlement_is_executed_in_order_verified_and_recorded(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = accepted(walk)
    assert settlements.advance(walk, ref, TODAY)["state"] == "accepted"  # no money yet: Fineract is untouched
    assert told(fineract) == UNTOUCHED
    payable = "select settlement_ref, due_on, amount from core.core_settlement_payable"
    assert walk.conn.execute(payable).fetchall() == [
        {"settlement_ref": ref, "due_on": date(2026, 6, 17), "amount": Decimal(96000)}
    ]
    key = pay(ledger, "96000.00", date(2026, 6, 9))
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "done", row["last_error"]
    assert walk.conn.execute(payable).fetchall() == []
    assert told(fineract) == Told(600, Decimal(0), Decimal(37500), Decimal(0))
    # waivers of 590, 410 and 500, then interest, money, and the goodwill for what remains
    assert sorted(standing(fineract)) == sorted(
        [(9, Decimal(590)), (9, Decimal(410)), (9, Decimal(500)), (4, Decimal(36000)), (2, Decimal(96000)),
         (23, Decimal(4000))]
    )  # fmt: skip
    repayment = fineract.find_transaction(LOAN, key)
    assert repayment is not None
    assert Decimal(repayment["principalPortion"]) == 96000  # nothing of it was eaten by penalties or interest
    assert repayment["date"] == [2026, 6, 10]  # on the day of the settlement, not on its own
    assert (row["executed_paid"], row["executed_waived"], row["executed_remainder"]) == (96000, 37500, 4000)
    assert (row["fineract_status"], row["fineract_outstanding"]) == (600, 0)
    assert {state for _, state in steps(walk.conn, ref)} == {"done"}
    assert prove(walk.conn, fineract, [LOAN], ROBOT).differences == []
    assert settlements.advance(walk, ref, TODAY) == row  # run twice: nothing


def test_the_page_that_works_a_settlement_by_hand_says_what_fineract_shows(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    assert settlements.advance(walk, ref, TODAY)["state"] == "done"
    page = (ROOT / "docs" / "a-settlement-worked-by-hand.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    steps_told = [row for row in cells if len(row) == 8 and row[0].isdecimal()]
    portions = ("principalPortion", "interestPortion", "feeChargesPortion", "penaltyChargesPortion")
    shown = [
        (each["type"]["value"], *(canonical_amount(Decimal(each[name])) for name in ("amount", *portions)))
        for each in sorted(fineract.loan_transactions(LOAN), key=lambda each: each["id"])
        if each["type"]["id"] != 1
    ]
    assert [tuple(row[2:]) for row in steps_told] == shown
    loan = fineract.find_loan(LOAN)
    assert loan is not None
    told_of_loan = {row[2]: (row[1], row[3]) for row in cells if len(row) == 4 and row[2].startswith("total")}
    for name, figures in told_of_loan.items():
        assert set(figures) == {canonical_amount(Decimal(loan["summary"][name]))}, name
    assert len(told_of_loan) == 4


def test_the_record_names_every_step_person_figure_and_fineract_id(
    walk: Walk, ledger: WarehouseConnection
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    settlements.advance(walk, ref, TODAY)
    events = events_of(walk.conn, ref)
    told_by = [(event["event"], event["actor"]) for event in events]
    assert told_by[:3] == [
        ("settlement requested", "asha"),
        ("settlement approved", "finance_head"),
        ("settlement accepted", "airflow"),
    ]
    assert told_by[-1] == ("settlement done", "airflow")
    assert events[0]["detail"]["dues_total"] == "137500.00"
    done = [event["detail"] for event in events if event["event"] == "step done"]
    assert [each["kind"] for each in done] == [
        "waive_charge", "waive_charge", "waive_charge", "waive_interest", "post_money", "goodwill_credit",
    ]  # fmt: skip
    assert all("fineract_transaction_id" in each for each in done if each["kind"] != "post_money")


@pytest.mark.usefixtures("write_off_at_the_end")
def test_by_policy_what_remains_is_written_off_and_later_money_is_a_recovery(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    assert settlements.advance(walk, ref, TODAY)["state"] == "done"
    assert told(fineract) == Told(601, Decimal(0), Decimal(37500), Decimal(4000))
    key = pay(ledger, "1500.00")
    walk.desk.post(LOAN)
    ended = processed(ledger, key)
    assert ended is not None
    assert (ended["outcome"], ended["kind"]) == ("posted", "recovery")
    assert (8, Decimal(1500)) in standing(fineract)


def test_the_requester_cannot_approve_and_only_the_band_can(walk: Walk) -> None:
    ref = requested(walk)
    with pytest.raises(
        ResolutionError, match="asha may not approve in band finance: finance_head, finance_deputy"
    ):
        settlements.decide(walk.conn, ref, ASHA, approved=True)
    walk.conn.execute("update core.core_approval set requested_by = 'finance_head'")
    with pytest.raises(ApprovalError, match="finance_head asked for it"):
        settlements.decide(walk.conn, ref, MEERA, approved=True)
    assert settlements.decide(walk.conn, ref, HEAD, approved=True) is ApprovalState.APPROVED


def test_nothing_goes_on_without_an_approval(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    """What marking or clearing tasks would amount to: the executor is called and the approval is not there."""
    ref = requested(walk)
    pay(ledger, "96000.00")
    with pytest.raises(ApprovalError, match="requested, not approved"):
        settlements.accept(walk.conn, ref, ROBOT)
    assert settlements.advance(walk, ref, TODAY)["state"] == "requested"
    walk.conn.execute(
        "update core.core_settlement set state = 'accepted', accepted_at = now(), holds_money = true"
    )
    assert settlements.advance(walk, ref, TODAY)["state"] == "stopped"
    assert "does not cover" in row_of(walk, ref)["last_error"]
    assert told(fineract) == UNTOUCHED


def test_figures_that_are_not_the_approved_ones_are_not_executed(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = accepted(walk)
    walk.conn.execute(
        "update core.core_settlement set amount = 90000, remainder = 10000 where settlement_ref = %s", (ref,)
    )
    pay(ledger, "96000.00")
    assert settlements.advance(walk, ref, TODAY)["state"] == "stopped"
    assert told(fineract) == UNTOUCHED


def test_a_rejection_ends_it(walk: Walk, ledger: WarehouseConnection, fineract: FineractClient) -> None:
    ref = requested(walk)
    assert settlements.decide(walk.conn, ref, MEERA, approved=False) is ApprovalState.REJECTED
    key = pay(ledger, "5667.00")
    assert settlements.advance(walk, ref, TODAY)["state"] == "rejected"
    walk.desk.post(LOAN)
    assert processed(ledger, key) is not None  # no hold: ordinary money


def test_what_nobody_decides_expires(walk: Walk) -> None:
    ref = requested(walk)
    walk.conn.execute("update core.core_approval set expires_at = now() - interval '1 second'")
    with pytest.raises(ApprovalError, match="expired"):
        settlements.decide(walk.conn, ref, MEERA, approved=True)
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "expired"
    assert row["last_error"].startswith("nobody answered by 20")


def test_money_is_held_from_the_approval_on_and_released_with_its_own_dates_when_it_lapses(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = accepted(walk)
    key = pay(ledger, "5000.00", date(2026, 6, 8))
    assert claim(walk.conn, ROBOT).claimed == 0
    assert (
        settlements.advance(walk, ref, TODAY + timedelta(days=7))["state"] == "accepted"
    )  # the last day counts
    row = settlements.advance(walk, ref, TODAY + timedelta(days=8))
    assert (row["state"], told(fineract)) == ("lapsed", UNTOUCHED)
    assert "5000.00 rupees came in all" in row["last_error"]
    walk.desk.post(LOAN)
    ended = processed(ledger, key)
    assert ended is not None
    assert (ended["outcome"], ended["business_date"]) == ("posted", date(2026, 6, 8))


def test_a_repayment_that_was_queued_before_the_approval_is_withdrawn_and_counts_for_the_settlement(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = requested(walk)
    key = pay(ledger, "96000.00", date(2026, 6, 9))
    assert claim(walk.conn, ROBOT).claimed == 1
    settlements.decide(walk.conn, ref, MEERA, approved=True)
    settlements.accept(walk.conn, ref, ROBOT)
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "accepted"  # it is on its way for all we know
    walk.desk.post(LOAN)  # the second look before sending withdraws it
    ended = processed(ledger, key)
    assert ended is not None
    assert (ended["outcome"], ended["error_code"]) == ("withdrawn", "held_for_resolution")
    assert settlements.advance(walk, ref, TODAY)["state"] == "done"
    assert told(fineract).status == 600


def test_several_payments_pay_for_it_and_what_came_too_much_waits(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    """40,000 and 56,000 reach 96,000; 700 more are ordinary money of a closed loan, which is a question of its own."""
    ref = accepted(walk)
    keys = [pay(ledger, amount, date(2026, 6, day)) for amount, day in (("40000.00", 8), ("56000.00", 9))]
    late = pay(ledger, "700.00")
    assert settlements.advance(walk, ref, TODAY)["state"] == "done"
    for key in keys:
        ended = processed(ledger, key)
        assert ended is not None
        assert (ended["outcome"], ended["business_date"]) == ("posted", TODAY)
    assert processed(ledger, late) is None
    assert told(fineract).status == 600


def test_a_little_more_money_means_a_little_less_forgiven(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    """96,050 paid: 41,450 are forgiven, 3950 of them as goodwill."""
    ref = accepted(walk)
    pay(ledger, "96050.00")
    row = settlements.advance(walk, ref, TODAY)
    assert (row["state"], row["executed_remainder"]) == ("done", 3950)
    assert (23, Decimal(3950)) in standing(fineract)


@pytest.mark.parametrize(("extra", "state"), [(100, "done"), ("100.01", "stopped")])
def test_dues_that_moved_are_taken_within_the_tolerance_and_stop_it_beyond(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, extra: Any, state: str
) -> None:
    """GB tolerates 100 rupees; a penalty is added between quote and execution."""
    ref = accepted(walk)
    body = {
        "chargeId": 2,
        "amount": Decimal(extra),
        "dueDate": TODAY,
        "dateFormat": "yyyy-MM-dd",
        "locale": "en",
    }
    path = f"/loans/external-id/{LOAN}/charges"
    assert fineract.send("POST", path, body, purpose="t", subject="c", idempotency_key=None).ok
    key = pay(ledger, "96000.00")
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == state, row["last_error"]
    if state == "stopped":
        assert "100.01 is beyond the tolerance of 100.00" in row["last_error"]
        assert told(fineract).waived == 0
        walk.desk.post(LOAN)
        assert processed(ledger, key) is not None  # released: an ordinary repayment


def test_a_plan_is_posted_as_it_comes_and_settled_with_its_last_promise(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    """30,000, 30,000 and 36,000: the first two are ordinary repayments, the last one is held and settles."""
    plan = "2026-06-20 30000.00\n2026-07-20 30000.00\n2026-08-20, 36000.00"
    ref = accepted(walk, instalments=plan)
    for day, number in ((date(2026, 6, 12), 1), (date(2026, 7, 15), 2)):
        fineract.set_business_date(day)
        key = pay(ledger, "30000.00", day)
        assert settlements.advance(walk, ref, day)["state"] == "accepted"
        walk.desk.post(LOAN)
        ended = processed(ledger, key)
        held = number == 2  # by then one promise is open: its money is held, with what is not posted yet
        assert (ended is None) == held
    assert row_of(walk, ref)["holds_money"]
    last = date(2026, 8, 20)
    fineract.set_business_date(last)
    pay(ledger, "36000.00", last)
    row = settlements.advance(walk, ref, last)
    assert row["state"] == "done", row["last_error"]
    # 30,000 went to the oldest dues; of the rest 66,000 are paid now and 41,500 forgiven in all
    assert row["executed_waived"] + row["executed_remainder"] == 41500
    assert told(fineract).status == 600
    states = walk.conn.execute("select state from core.core_settlement_promise order by number").fetchall()
    assert [each["state"] for each in states] == ["met", "met", "met"]


def test_a_missed_promise_lapses_the_plan_and_its_money_stays_posted(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = accepted(walk, instalments="2026-06-20 46000.00\n2026-07-20 50000.00")
    key = pay(ledger, "45999.99", date(2026, 6, 20))
    fineract.set_business_date(date(2026, 6, 20))
    walk.desk.post(LOAN)
    assert settlements.advance(walk, ref, date(2026, 6, 20))["state"] == "accepted"
    row = settlements.advance(walk, ref, date(2026, 6, 21))
    assert row["state"] == "lapsed"
    assert "promise 1 was not paid in time" in row["last_error"]
    ended = processed(ledger, key)
    assert ended is not None
    assert ended["outcome"] == "posted"
    assert told(fineract).waived == 0


# ---------------------------------------------------------------- guards


def refused(walk: Walk, match: str, **changes: Any) -> None:
    with pytest.raises((ResolutionError, ResolutionFiguresError), match=match):
        requested(walk, **changes)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"amount": "137500.01"}, "not between 0 and the dues of 137500.00"),
        ({"amount": "137500.00"}, "all that is owed"),
        ({"amount": "50000.00"}, "beyond every approval band"),  # 87,500 are 63.6 %, finance reaches 60
        ({"amount": "0"}, "amount: 0 is not above zero"),
        ({"amount": "96,000"}, "amount: "),
        ({"loan_id": "GB999999"}, "Fineract has no loan GB999999"),
        ({"lender": "thar"}, "thar allows no settlements"),
        ({"evidence": " "}, "evidence is empty"),
        ({"waive": ["principal"]}, "principal cannot be waived"),
        ({"instalments": "2026-06-20 1000.00"}, "add up to 1000.00, not 96000.00"),
        ({"instalments": "2026-06-09 96000.00"}, "2026-06-09 is past"),
        ({"instalments": "tomorrow 96000.00"}, "instalments, line 1"),
    ],
)
def test_a_wish_that_breaks_a_rule_is_refused_with_the_rule(
    walk: Walk, changes: dict[str, Any], match: str
) -> None:
    refused(walk, match, **changes)
    assert walk.conn.execute("select count(*) as n from core.core_settlement").fetchone() == {"n": 0}


def test_a_loan_with_postings_in_flight_is_not_quoted(walk: Walk, ledger: WarehouseConnection) -> None:
    pay(ledger, "5667.00")
    claim(walk.conn, ROBOT)
    refused(walk, "repayments are on their way")
    walk.desk.post(LOAN)
    assert requested(walk)


def test_open_questions_need_a_reason_to_be_passed_over(walk: Walk, ledger: WarehouseConnection) -> None:
    ledger.execute(
        "insert into core.core_recon_exception (kind, subject, loan_id, opened_by_run) values ('overpaid', 'k', %s, 'r')",
        (LOAN,),
    )
    refused(walk, r"there are open questions about it \(overpaid\)")
    ref = requested(walk, override_reason="the excess was refunded by cheque 12")
    assert row_of(walk, ref)["override_reason"] == "the excess was refunded by cheque 12"


def test_one_resolution_of_a_loan_at_a_time(walk: Walk) -> None:
    ref = accepted(walk)
    refused(walk, f"settlement {ref} \\(accepted\\) is under way", run_id="another run")
    execution.stop(walk.conn, SETTLEMENTS, ref, "the customer changed his mind", ASHA)
    assert requested(walk, run_id="another run")


def test_a_run_asks_once(walk: Walk) -> None:
    assert requested(walk) == requested(walk)


def test_a_question_that_comes_up_after_the_approval_is_waited_for(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    ledger.execute(
        "insert into core.core_recon_exception (kind, subject, loan_id, opened_by_run)"
        " values ('possible_duplicate', 'k', %s, 'r')",
        (LOAN,),
    )
    row = settlements.advance(walk, ref, TODAY)
    assert (row["state"], told(fineract)) == ("accepted", UNTOUCHED)
    assert "possible_duplicate" in row["last_error"]
    ledger.execute("update core.core_recon_exception set state = 'resolved'")
    assert settlements.advance(walk, ref, TODAY)["state"] == "done"


# ---------------------------------------------------------------- Fineract says no, or nothing


def rule(standin: str, name: str, fault: str, times: int = 1) -> None:
    requests.post(
        f"{standin}/rules", json={"requests": name, "fault": fault, "next": times}, timeout=5
    ).raise_for_status()


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("waive_charge", "drop_after"),
        ("waive_charge", "conflict"),
        ("waive_interest", "drop_before"),
        ("waive_interest", "error_after"),
        ("repayment", "drop_after"),
        ("goodwill_credit", "drop_after"),
        ("goodwill_credit", "bad_gateway"),
        ("goodwill_credit", "unavailable"),
    ],
)
def test_an_unclear_answer_is_read_back_and_the_step_happens_once(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, standin: str, command: str, fault: str
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    rule(standin, command, fault)
    row = settlements.advance(walk, ref, TODAY)
    for _ in range(3):
        if row["state"] == "done":
            break
        assert row["state"] == "executing", row["last_error"]
        row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "done"
    assert told(fineract) == Told(600, Decimal(0), Decimal(37500), Decimal(0))
    assert len(standing(fineract)) == 6


def test_a_definitive_failure_is_compensated_in_reverse_and_the_money_becomes_ordinary(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, standin: str
) -> None:
    """The goodwill is refused for good: repayment, interest and three charges are taken back, the last first."""
    ref = accepted(walk)
    key = pay(ledger, "96000.00", date(2026, 6, 9))
    rule(standin, "goodwill_credit", "refused_503")
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "compensated", row["last_error"]
    assert told(fineract) == UNTOUCHED
    assert [state for _, state in steps(walk.conn, ref)] == ["undone"] * 5 + ["refused"]
    undone = [
        event["detail"]["position"] for event in events_of(walk.conn, ref) if event["event"] == "step undone"
    ]
    assert undone == [5, 4, 3, 2, 1]
    walk.desk.post(LOAN)  # the same money, under a key of its own, on its own day
    corrected = processed(ledger, f"{key}-r1")
    assert corrected is not None
    assert (corrected["outcome"], corrected["business_date"]) == ("posted", date(2026, 6, 9))
    assert prove(walk.conn, fineract, [LOAN], ROBOT).differences == []
    questions = walk.conn.execute("select kind, state from core.core_recon_exception").fetchall()
    assert questions == [{"kind": "resolution_stuck", "state": "cleared"}]


def test_a_refused_first_step_leaves_fineract_as_it_was(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, standin: str
) -> None:
    ref = accepted(walk)
    key = pay(ledger, "96000.00", date(2026, 6, 9))
    rule(standin, "waive_charge", "refused_503")
    assert settlements.advance(walk, ref, TODAY)["state"] == "compensated"
    assert told(fineract) == UNTOUCHED
    assert {state for _, state in steps(walk.conn, ref)} == {"refused", "dropped"}
    walk.desk.post(LOAN)
    ended = processed(ledger, key)
    assert ended is not None
    assert ended["business_date"] == date(2026, 6, 9)


def test_compensation_that_is_interrupted_goes_on(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, standin: str
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    rule(standin, "goodwill_credit", "refused_503")
    rule(standin, "adjust_transaction", "drop_before", 2)
    rule(standin, "undo_charge_waiver", "drop_after")
    states = [settlements.advance(walk, ref, TODAY)["state"] for _ in range(5)]
    assert states[0] == "compensating"
    assert states[-1] == "compensated"
    assert told(fineract) == UNTOUCHED


def test_a_200_without_effect_stops_it_for_a_person_who_sends_it_again(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, standin: str
) -> None:
    """Maker-checker takes the waiver in: nothing happened, and nothing is sent again by itself."""
    ref = accepted(walk)
    pay(ledger, "96000.00")
    rule(standin, "waive_interest", "maker_checker")
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "stuck"
    assert settlements.advance(walk, ref, TODAY)["state"] == "stuck"
    question = walk.conn.execute("select subject, state from core.core_recon_exception").fetchone()
    assert question == {"subject": ref, "state": "open"}
    with pytest.raises(ResolutionError, match="needs its reason"):
        execution.decide_stuck(walk.conn, SETTLEMENTS, ref, " ", ASHA, go_on=True)
    execution.decide_stuck(walk.conn, SETTLEMENTS, ref, "the checker rejected it", ASHA, go_on=True)
    assert settlements.advance(walk, ref, TODAY)["state"] == "done"
    question = walk.conn.execute("select state from core.core_recon_exception").fetchone()
    assert question == {"state": "cleared"}


def test_what_is_stuck_can_be_taken_back(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, standin: str
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    rule(standin, "waive_interest", "maker_checker")
    settlements.advance(walk, ref, TODAY)
    execution.decide_stuck(walk.conn, SETTLEMENTS, ref, "the customer withdrew", ASHA, go_on=False)
    assert settlements.advance(walk, ref, TODAY)["state"] == "compensated"
    assert told(fineract) == UNTOUCHED


def test_a_payment_that_is_refunded_meanwhile_takes_the_settlement_back(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repayment never reached Fineract when the money went back: no rupee of it may be posted, then or later."""
    ref = accepted(walk)
    key = pay(ledger, "96000.00")
    with monkeypatch.context() as busy:
        busy.setattr(walk.desk, "_post_loan", lambda _: None)  # queued, and nobody has come to send it
        row = settlements.advance(walk, ref, TODAY)
    assert (row["state"], told(fineract).waived) == ("executing", 37500)
    assert pending(ledger, key) is not None
    assert fineract.find_transaction(LOAN, key) is None
    block_payment(ledger, key, "not_collected")
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "compensated", row["last_error"]
    assert f"payment {key} is not_collected" in row["last_error"]
    assert (told(fineract), standing(fineract)) == (UNTOUCHED, [])
    assert steps(walk.conn, ref) == [
        ("waive_charge", "undone"), ("waive_charge", "undone"), ("waive_charge", "undone"),
        ("waive_interest", "undone"), ("post_money", "refused"), ("goodwill_credit", "dropped"),
    ]  # fmt: skip
    walk.desk.post(LOAN)
    ended = processed(ledger, key)
    assert ended is not None
    assert (ended["outcome"], ended["error_code"]) == ("withdrawn", "not_collected")
    assert fineract.find_transaction(LOAN, key) is None
    assert prove(walk.conn, fineract, [LOAN], ROBOT).differences == []


def test_a_loan_that_somebody_else_writes_to_is_waited_for(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    [lease] = leases.acquire(walk.conn, [LOAN], "LOS", 60)
    row = settlements.advance(walk, ref, TODAY)
    assert (row["state"], told(fineract)) == ("executing", UNTOUCHED)
    assert "somebody else" in row["last_error"]
    leases.release(walk.conn, lease)
    assert settlements.advance(walk, ref, TODAY)["state"] == "done"


def test_an_end_that_is_not_as_planned_is_a_question_and_not_done(
    walk: Walk, ledger: WarehouseConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if somebody had added a charge in Fineract in the last second."""
    ref = accepted(walk)
    pay(ledger, "96000.00")
    monkeypatch.setattr(settlements, "CLOSED", 601)
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "stuck"
    assert "Fineract shows status 600 with 0.00 rupees outstanding; planned were 601" in row["last_error"]


def test_a_reference_is_no_form(walk: Walk) -> None:
    with pytest.raises(ResolutionError, match="they begin with stl, wof, fcl"):
        books.book_of("settlement 1")
    assert read_settlement(FORM).loan_id == LOAN
