"""Write-offs: who is eligible, who approves, one and many, taken back, and the money that comes afterwards."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.fineract.loan_book import make_loans
from tests.posting.payments import add_payment, processed
from tests.resolutions.conftest import LOAN, MEERA, ROBOT, TODAY, pay, standing, steps, told
from turno_lms.approvals.approvals import ApprovalError
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FineractClient
from turno_lms.lenders.registry import mappings_directory
from turno_lms.posting.proof import prove
from turno_lms.resolutions import books, undoing, write_offs
from turno_lms.resolutions.books import WRITE_OFFS
from turno_lms.resolutions.forms import read_write_offs
from turno_lms.resolutions.quotes import ResolutionError
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import Row, WarehouseConnection

# the first installment fell due on 5 January 2026: on 10 June it is 156 days past due, on 10 July 186
LATE = date(2026, 7, 10)
FORM = {"lender": "gb", "loan_id": LOAN, "reason": "vehicle stolen, insurer refused"}
ASHA = RunContext("write_off_loan", "run 1", "check", actor="asha")


@pytest.fixture(autouse=True)
def late(fineract: FineractClient) -> None:
    fineract.set_business_date(LATE)


@pytest.fixture
def charged_off_first(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """GB's policy, but loans are charged off before they are written off."""
    text = (mappings_directory() / "gb.yml").read_text(encoding="utf-8")
    changed = text.replace(
        "max_rupees: 500000\n",
        "max_rupees: 500000\n    charge_off_first: true\n    charge_off_reason_id: 1\n",
    )
    assert changed != text
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "gb.yml").write_text(changed, encoding="utf-8")
    monkeypatch.setenv("TURNO_LENDER_MAPPINGS", str(tmp_path / "mappings"))


def ask(walk: Walk, run: RunContext = ASHA, today: date = LATE, **form: Any) -> str:
    """Ask for write-offs; returns the key of the request."""
    lines = read_write_offs(FORM | form)
    asked = write_offs.request(walk.conn, walk.client, lines, run, today)
    return str(asked.rows[0]["request_key"])


def accepted(walk: Walk, **form: Any) -> list[str]:
    key = ask(walk, **form)
    write_offs.decide(walk.conn, key, MEERA, approved=True)
    return write_offs.accept(walk.conn, key, ROBOT)


def done(walk: Walk, **form: Any) -> Row:
    (ref,) = accepted(walk, **form)
    row = write_offs.advance(walk, ref, LATE)
    assert row["state"] == "done", row["last_error"]
    return row


def test_an_eligible_loan_is_written_off_with_everything_it_owes(
    walk: Walk, fineract: FineractClient
) -> None:
    row = done(walk)
    assert (row["dues_total"], row["days_past_due"], row["band"]) == (137500, 186, "credit_committee")
    assert told(fineract).status == 601
    assert told(fineract).written_off == 137500
    assert standing(fineract) == [(6, Decimal(137500))]
    assert write_offs.advance(walk, row["write_off_ref"], LATE) == row  # run twice: nothing


def test_later_money_is_a_recovery_of_the_ledger(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    done(walk)
    key = pay(ledger, "2500.00", LATE)
    walk.desk.post(LOAN)
    ended = processed(ledger, key)
    assert ended is not None
    assert (ended["outcome"], ended["kind"]) == ("posted", "recovery")
    loan = fineract.find_loan(LOAN)
    assert loan is not None
    assert Decimal(loan["summary"]["totalRecovered"]) == 2500
    assert prove(walk.conn, fineract, [LOAN], ROBOT).differences == []


@pytest.mark.parametrize(
    ("today", "changes", "match"),
    [
        (TODAY, {}, "it is 156 days past due, 180 are asked for"),
        (LATE, {"lender": "thar"}, "thar allows no write-offs"),
        (LATE, {"loan_id": "GB999999"}, "Fineract has no loan"),
        (LATE, {"reason": ""}, "reason is empty"),
    ],
)
def test_what_the_policy_forbids_is_refused_with_the_rule(
    walk: Walk, fineract: FineractClient, today: date, changes: dict[str, Any], match: str
) -> None:
    fineract.set_business_date(today)
    with pytest.raises(ResolutionError, match=match):
        ask(walk, today=today, **changes)
    assert walk.conn.execute("select count(*) as n from core.core_write_off").fetchone() == {"n": 0}


def test_more_rupees_than_the_policy_allows_are_refused(walk: Walk, fineract: FineractClient) -> None:
    """400,000 flat at 18 % over two years owe 544,000, more than 500,000."""
    make_loans(fineract, ["GB100002"], Decimal(400000))
    with pytest.raises(ResolutionError, match="it owes 544000.00 rupees, more than the 500000"):
        ask(walk, loan_id="GB100002")


def test_who_asked_or_is_not_of_the_band_cannot_approve(walk: Walk) -> None:
    key = ask(walk)
    with pytest.raises(ResolutionError, match="asha may not approve in band credit_committee: finance_head"):
        write_offs.decide(walk.conn, key, ASHA, approved=True)
    with pytest.raises(ApprovalError, match="requested, not approved"):
        write_offs.accept(walk.conn, key, ROBOT)


def test_a_rejected_request_ends_for_all_of_its_loans(walk: Walk, fineract: FineractClient) -> None:
    make_loans(fineract, ["GB100002"])
    key = ask(walk, loan_id="", csv=f"lender,loan_id,reason\ngb,{LOAN},fraud\ngb,GB100002,fraud")
    write_offs.decide(walk.conn, key, MEERA, approved=False)
    states = walk.conn.execute("select state from core.core_write_off").fetchall()
    assert [row["state"] for row in states] == ["rejected", "rejected"]


def test_many_loans_are_one_request_and_all_or_none(walk: Walk, fineract: FineractClient) -> None:
    """137,500 and 136,000 are 273,500: one approval covers both; a third loan that is not eligible stops all three."""
    make_loans(fineract, ["GB100002"])
    csv = f"lender,loan_id,reason\ngb,{LOAN},fraud\ngb,GB100002,fraud"
    with pytest.raises(write_offs.BulkError) as caught:
        ask(walk, loan_id="", csv=f"{csv}\ngb,GB999999,fraud")
    assert caught.value.faults == ["loan GB999999: Fineract has no loan GB999999"]
    refs = accepted(walk, loan_id="", csv=csv)
    assert {write_offs.advance(walk, ref, LATE)["state"] for ref in refs} == {"done"}
    assert told(fineract, "GB100002").written_off == 136000


@pytest.mark.parametrize(
    ("csv", "match"),
    [
        ("loan_id,reason\nGB1,x", "line 1: the heading must be lender,loan_id,reason"),
        ("lender,loan_id,reason\ngb,GB1", "line 2: it must have 3 cells"),
        ("lender,loan_id,reason\ngb,GB1,x\ngb,gb1,y", "loan GB1 stands twice"),
        ("lender,loan_id,reason\ngb,,x", "line 2: loan_id is empty"),
        ("lender,loan_id,reason", "1 to 500 lines"),
    ],
)
def test_a_csv_that_cannot_be_meant_is_refused_with_its_line(csv: str, match: str) -> None:
    with pytest.raises(ResolutionError, match=match):
        read_write_offs({"csv": csv})


def test_dues_that_changed_after_the_approval_stop_it(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    key = ask(walk)
    payment = pay(ledger, "1.00", LATE)
    walk.desk.post(LOAN)  # not held: nobody has approved anything
    assert processed(ledger, payment) is not None
    write_offs.decide(walk.conn, key, MEERA, approved=True)
    (ref,) = write_offs.accept(walk.conn, key, ROBOT)
    row = write_offs.advance(walk, ref, LATE)
    assert row["state"] == "stopped"
    assert "it owes 137499.00 rupees now, 137500.00 were approved" in row["last_error"]
    assert told(fineract).status == 300


@pytest.mark.usefixtures("charged_off_first")
def test_where_configured_the_loan_is_charged_off_first_and_both_are_taken_back(
    walk: Walk, fineract: FineractClient
) -> None:
    row = done(walk)
    assert steps(walk.conn, row["write_off_ref"]) == [("charge_off", "done"), ("write_off", "done")]
    loan = fineract.find_loan(LOAN)
    assert loan is not None
    assert (loan["chargedOff"], loan["status"]["id"]) == (True, 601)
    undone(walk, row["write_off_ref"])
    loan = fineract.find_loan(LOAN)
    assert loan is not None
    assert (loan["chargedOff"], loan["status"]["id"]) == (False, 300)
    assert told(fineract).outstanding == 137500


@pytest.mark.usefixtures("charged_off_first")
def test_a_write_off_that_is_refused_takes_the_charge_off_back(
    walk: Walk, fineract: FineractClient, standin: str
) -> None:
    (ref,) = accepted(walk)
    rule = {"requests": "write_off", "fault": "refused_503", "next": 1}
    requests.post(f"{standin}/rules", json=rule, timeout=5).raise_for_status()
    assert write_offs.advance(walk, ref, LATE)["state"] == "compensated"
    loan = fineract.find_loan(LOAN)
    assert loan is not None
    assert (loan["chargedOff"], loan["status"]["id"]) == (False, 300)


def undone(walk: Walk, ref: str) -> Row:
    run = RunContext("undo_resolution", "run 7", "ask", actor="asha")
    asked = undoing.request(walk.conn, walk.client, ref, "the vehicle was found", run)
    undoing.decide(walk.conn, ref, asked["undo_approval_id"], MEERA, approved=True)
    row = undoing.undo(walk, ref)
    assert row["state"] == "undone", row["last_error"]
    return row


def test_a_write_off_is_taken_back_with_an_approval_of_its_own(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    ref = done(walk)["write_off_ref"]
    with pytest.raises(ApprovalError):
        undoing.request(walk.conn, walk.client, ref, "found", ASHA)
        undoing.undo(walk, ref)
    assert told(fineract).status == 601
    undone(walk, ref)
    assert told(fineract).status == 300
    assert told(fineract).outstanding == 137500
    key = pay(ledger, "5667.00", LATE)
    walk.desk.post(LOAN)
    ended = processed(ledger, key)
    assert ended is not None
    assert ended["kind"] == "repayment"
    with pytest.raises(ResolutionError, match="is undone: only a write-off that is done"):
        undoing.request(walk.conn, walk.client, ref, "again", ASHA)


def test_what_has_come_before_the_loan_is_held_is_drained_first(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, standin: str
) -> None:
    """A repayment whose answer was lost stays in the queue: the write-off waits for it, and then the dues are others."""
    key = ask(walk)
    rule = {"requests": "repayment", "fault": "hang_after", "next": 1}
    requests.post(f"{standin}/rules", json=rule, timeout=5).raise_for_status()
    payment = add_payment(ledger, LOAN, "100.00", LATE)
    walk.desk.post(LOAN)
    write_offs.decide(walk.conn, key, MEERA, approved=True)
    (ref,) = write_offs.accept(walk.conn, key, ROBOT)
    states = [write_offs.advance(walk, ref, LATE)["state"] for _ in range(3)]
    assert states[-1] == "stopped"
    ended = processed(ledger, payment)
    assert ended is not None
    assert ended["outcome"] == "posted"
    assert told(fineract).status == 300


def test_the_approver_sees_every_loan_and_the_sum(walk: Walk) -> None:
    asked = write_offs.request(walk.conn, walk.client, read_write_offs(FORM), ASHA, LATE)
    text = write_offs.preview(asked)
    for shown in (f"gb {LOAN}", "186", "1,37,500.00", "vehicle stolen", "**credit_committee**", "asha"):
        assert shown in text
    assert books.read(walk.conn, WRITE_OFFS, asked.rows[0]["write_off_ref"])["requested_by"] == "asha"
