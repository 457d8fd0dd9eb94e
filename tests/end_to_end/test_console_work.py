"""The console at work in a real browser over the demo's data: exceptions, posting, links, settlements, by several people.

What one person asked for and another one decided is looked up in the warehouse. TURNO_SCREENSHOTS keeps the pictures.
"""

import json
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from local_stack.gateways.client import send_payments
from local_stack.gateways.payments import Gateway, Payment
from local_stack.gateways.webhooks import Webhook, signed_headers
from tests.end_to_end.browser import Visitor
from tests.end_to_end.conftest import LogIn, Stack
from turno_lms.domain.dates import IST
from turno_lms.domain.money import indian_rupees
from turno_lms.warehouse.connection import connect

pytestmark = [pytest.mark.end_to_end, pytest.mark.long, pytest.mark.timeout(2400)]

HOSTILE = "<img src=x onerror=alert(1)>'\"; drop table core.core_loan_master; --"
_SECONDS = 900
expect.set_options(timeout=60_000)  # a page of Airflow on a busy machine


@pytest.fixture
def ask(stack: Stack) -> Callable[..., Any]:
    """The first row of a query on the warehouse."""

    def first(query: str, *values: Any) -> Any:
        with connect(stack.variables["TURNO_WAREHOUSE_URL"], autocommit=True) as conn:
            return conn.execute(query, values).fetchone()

    return first


def press(page: Page, button: str, *, has_fields: bool = True) -> None:
    """Open the form of a button: over the list, on the row's page, or the icon in a row."""
    text = page.get_by_role("button", name=button).or_(page.locator(f"a:has-text('{button}'):visible"))
    text.or_(page.locator(f"a[aria-label='{button}']")).first.click()
    # it has opened, and stands in its first field
    expect(page.locator("#modal-form :focus" if has_fields else "#modal-form form")).to_be_visible()


def submit(page: Page) -> None:
    """Send the open form; the next page is the run's, unless the form was refused."""
    page.locator("#actionSubmit").click()
    page.wait_for_url(re.compile(r"/turno/run\?"), timeout=60_000)


def ended(page: Page, *words: str) -> str:
    """Wait on a run's page until its state is one of these words; which one."""
    badge = page.locator("p[role=status] .badge")  # the page looks again by itself
    expect(badge).to_have_text(re.compile(f"^({'|'.join(words)})$"), timeout=_SECONDS * 1000)
    return badge.inner_text()


def test_exceptions_are_assigned_in_bulk_and_a_note_stays_text(
    log_in: LogIn, ask: Callable[..., Any]
) -> None:
    operator = log_in("operator")
    page = operator.open("exceptions/list?filter=kind__is%3Dumrn_unknown")
    for box in page.locator("[data-sa-hook=row-checkbox]").all()[:2]:
        box.check()
    page.get_by_role("button", name="With selected").click()
    page.locator("a.action-item:has-text('Work on them')").click()
    told = page.locator("[data-turno-radius]")
    expect(told).to_contain_text("This touches 2 rows, ₹ ")
    page.fill("#reason", HOSTILE)
    operator.screenshot("console-exceptions-bulk")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    operator.screenshot("console-run")
    row = ask(
        "select count(*) as n, min(owner) as owner, min(note) as note, min(exception_id) as id"
        " from core.core_recon_exception where progress = 'assigned'"
    )
    assert (row["n"], row["owner"], row["note"]) == (2, "operator", HOSTILE)
    operator.open(f"exceptions/detail?pk={row['id']}")
    assert HOSTILE in page.locator("table").first.inner_text()
    operator.screenshot("console-exception")
    assert operator.complaints == []


_NOT_REPORTED = """
select question.exception_id, question.loan_id, question.amount, payment.business_date, file_row.umrn
from core.core_recon_exception as question
inner join core.core_transaction_data as payment on question.subject = payment.posting_key
inner join core.core_payment_identity as identity on payment.posting_key = identity.posting_key
inner join base.base_payment_file as file_row on identity.native_reference = file_row.native_reference
where question.kind = 'missing_in_gateway' and question.lender = 'gb' and question.state = 'open'
order by question.exception_id
limit 1
"""


def test_an_exception_is_worked_on_until_the_gateways_late_word_closes_it(
    log_in: LogIn, ask: Callable[..., Any], stack: Stack
) -> None:
    asked = ask(_NOT_REPORTED)
    operator = log_in("operator")
    page = operator.open(f"exceptions/detail?pk={asked['exception_id']}")
    press(page, "Assign, note, resolve …")
    page.fill("#reason", "the gateway was asked")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    operator.open(f"exceptions/detail?pk={asked['exception_id']}")
    operator.screenshot("console-exception-assigned")

    late = Payment(
        gateway=Gateway.RAZORPAY, lender="gb", payment_id=f"pay_late{asked['exception_id']}", amount=asked["amount"],
        paid_at=datetime.combine(asked["business_date"], datetime.min.time(), IST) + timedelta(hours=11),
        method="nach", notes={"umrn": asked["umrn"]},
    )  # fmt: skip
    send_payments(stack.variables["TURNO_GATEWAYS_URL"], [late])
    arrived = "select count(*) as n from core.core_payment_identity where native_reference = %s"
    until(ask, {"n": 1}, arrived, f"razorpay:{late.payment_id}")
    page = operator.open("payments/list")
    operator.click("text=Reconcile now")
    operator.press()
    assert ended(page, "done", "failed") == "done"

    page = operator.open(f"exceptions/detail?pk={asked['exception_id']}")
    operator.screenshot("console-exception-closed")
    state = "select state from core.core_recon_exception where exception_id = %s"
    assert ask(state, asked["exception_id"]) == {"state": "cleared"}
    expect(page.locator(".page-body")).to_contain_text("the gateway was asked")
    expect(page.locator(".page-body")).to_contain_text("the other side arrived")
    assert operator.complaints == []


def test_a_form_that_is_not_filled_in_is_not_sent(log_in: LogIn) -> None:
    operator = log_in("operator")
    page = operator.open("switches/list")
    press(page, "Stop, drain or open")
    page.locator("#actionSubmit").click()
    expect(page.locator("#modal-action")).to_be_visible()
    assert "/switches/list" in page.url


def test_a_kill_switch_is_set_with_a_reason_and_opened_again(log_in: LogIn, ask: Callable[..., Any]) -> None:
    operator = log_in("operator")
    for state in ("stopped", "open"):
        page = operator.open("switches/list")
        press(page, "Stop, drain or open")
        page.select_option("#state", state)
        page.select_option("#lender", "gb")
        page.fill("#reason", "bank statement in doubt")
        page.check("[name=sure]")
        operator.screenshot(f"console-switch-{state}")
        submit(page)
        assert ended(page, "done", "failed") == "done"
        newest = "select state, set_by from core.core_posting_switch order by switch_id desc limit 1"
        assert ask(newest) == {"state": state, "set_by": "operator"}
    assert operator.complaints == []


def test_a_manual_repayment_is_shown_first_and_then_posted(log_in: LogIn, ask: Callable[..., Any]) -> None:
    loan = ask(
        "select loan_id, lender from core.core_loan_master where total_outstanding > 1000 order by 1 limit 1"
    )
    operator = log_in("operator")
    page = operator.open("queue/list")
    press(page, "Post money by hand")
    page.fill("#lender", loan["lender"])
    page.fill("#loan_id", loan["loan_id"])
    page.fill("#amount", "123.00")
    page.fill("#date", time.strftime("%Y-%m-%d"))
    page.fill("#note", HOSTILE)
    operator.screenshot("console-manual-repayment")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    landed = "select count(*) as n from raw.raw_manual_repayment where amount = '123.00'"
    assert ask(landed) == {"n": 0}
    operator.screenshot("console-manual-preview")
    shown = page.url
    page.get_by_role("button", name="Post this money").click()
    page.wait_for_url(lambda address: address != shown)
    assert ended(page, "done", "failed") == "done"
    assert ask(landed) == {"n": 1}
    assert operator.complaints == []


def test_a_settlement_is_approved_or_rejected_by_another_person(
    log_in: LogIn, ask: Callable[..., Any]
) -> None:
    operator, admin = log_in("operator"), log_in("admin")
    loans = ask(
        "select array_agg(loan_id order by loan_id) as ids from (select loan_id from core.core_loan_master"
        " where lender = 'gb' and total_outstanding > 5000 and status = 'Active'"
        " and loan_id not in (select loan_id from core.core_settlement) order by loan_id limit 2) as chosen"
    )["ids"]
    for loan_id, option in zip(loans, ("Approve", "Reject"), strict=True):
        dues = ask("select total_outstanding from core.core_loan_master where loan_id = %s", loan_id)
        page = operator.open("resolutions/list")
        press(page, "Settle a loan")
        page.fill("#lender", "gb")
        page.fill("#loan_id", loan_id)
        page.fill("#amount", f"{dues['total_outstanding'] * 9 / 10:.2f}")
        page.fill("#reason", "illness")
        page.fill("#evidence", "letter of 3 June")
        page.fill("#override_reason", "seen in the demo")
        operator.screenshot("console-settle")
        submit(page)
        expect(page.get_by_text("waits for an answer under Required Actions").first).to_be_visible(
            timeout=_SECONDS * 1000
        )
        operator.open("approvals/list")
        expect(page.get_by_text("another person than you").first).to_be_visible()
        theirs = admin.open("approvals/list")
        admin.screenshot("console-approvals")
        theirs.get_by_role("link", name="Approve or reject").first.click()
        theirs.get_by_role("link", name="approve", exact=True).first.click()
        expect(theirs.get_by_role("button", name=option, exact=True)).to_be_visible()
        admin.screenshot(f"settlement-{option.lower()}-asked")
        theirs.get_by_role("button", name=option, exact=True).click()
        wanted = "rejected" if option == "Reject" else "used"
        deadline = time.monotonic() + _SECONDS
        query = "select state, decided_by from core.core_approval order by approval_id desc limit 1"
        while ask(query) != {"state": wanted, "decided_by": "admin"}:
            assert time.monotonic() < deadline, ask(query)
            time.sleep(3)
        operator.open(f"resolutions/list?q={loan_id}")
        operator.screenshot(f"settlement-{option.lower()}")


def answer(admin: Visitor, option: str) -> None:
    """Another person opens what waits for approval longest unanswered, newest first, and answers it in Airflow."""
    page = admin.open("approvals/list")
    page.get_by_role("link", name="Approve or reject").first.click()
    page.get_by_role("link", name="approve", exact=True).first.click()
    page.get_by_role("button", name=option, exact=True).click()


def until(ask: Callable[..., Any], wanted: Any, query: str, *values: Any) -> None:
    """Wait until a query's first row is this."""
    deadline = time.monotonic() + _SECONDS
    while (found := ask(query, *values)) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(3)


def test_a_link_is_shown_first_then_made_refreshed_and_cancelled(
    log_in: LogIn, ask: Callable[..., Any]
) -> None:
    loan = ask(
        "select loan_id from core.core_loan_master where lender = 'axle' and total_overdue > 0"
        " and loan_id not in (select loan_id from core.core_payment_link) order by loan_id limit 1"
    )
    newest = (
        "select state, amount from core.core_payment_link where loan_id = %s order by link_id desc limit 1"
    )
    operator = log_in("operator")
    page = operator.open("payment-links/list")
    press(page, "Make links")
    page.fill("#lender", "axle")
    page.fill("#loans", loan["loan_id"])
    operator.screenshot("console-make-links")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    preview = page.inner_text(".page-body")
    assert ask(newest, loan["loan_id"]) is None
    operator.screenshot("console-links-preview")
    shown = page.url
    page.get_by_role("button", name="Make these links").click()
    page.wait_for_url(lambda address: address != shown)
    assert ended(page, "done", "failed") == "done"
    made = ask(newest, loan["loan_id"])
    assert made["state"] == "open"
    assert re.search(rf"{loan['loan_id']}\s+{re.escape(indian_rupees(made['amount']))}  due ", preview)

    page = operator.open("payment-links/list")
    press(page, "Ask the gateways now", has_fields=False)
    submit(page)
    assert ended(page, "done", "failed") == "done"
    polled = "select polled_at is not null as asked, state from core.core_payment_link where loan_id = %s"
    assert ask(polled, loan["loan_id"]) == {"asked": True, "state": "open"}

    page = operator.open(f"payment-links/list?q={loan['loan_id']}")
    assert page.locator("tbody tr.row-clickable").count() == 1
    page.locator("tbody tr.row-clickable a").first.click()
    expect(page.get_by_text("asked the gateway").first).to_be_visible()
    operator.screenshot("console-link")
    press(page, "Cancel, or make anew")
    page.fill("#reason", "the borrower pays by NACH")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    until(
        ask, made | {"state": "cancelled"}, newest, loan["loan_id"]
    )  # a refresh, started by it, does so at the gateway
    assert operator.complaints == []


def test_los_rows_are_handed_in_and_each_has_its_result(log_in: LogIn, ask: Callable[..., Any]) -> None:
    """One client of two is good; the other's phone is none, and says so."""
    rows = "reference,client_id,fullname,activated_on,mobile_no\n" + "\n".join(
        [
            "walk-1,WALK-1,Asha Walker,2026-01-05,9812345678",
            "walk-2,WALK-2,Ravi Walker,2026-01-05,none",
        ]
    )
    operator = log_in("operator")
    page = operator.open("los/list")
    press(page, "Hand in rows")
    page.select_option("#operation", "create_client")
    page.fill("#content", rows)
    operator.screenshot("console-los-hand-in")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    operator.screenshot("console-los-run")

    assert ask("select state from core.core_los_processed where reference = 'walk-1'") == {"state": "done"}
    operator.open("los/list?q=walk-1")
    assert page.locator("tbody tr.row-clickable").inner_text().count("done") == 1
    page.locator("tbody tr.row-clickable a").first.click()
    expect(page.locator(".page-body")).to_contain_text("fineract_client_id")
    operator.screenshot("console-los-result")

    refused = ask("select field, problem from raw.raw_los_refused_row where reference = 'walk-2'")
    assert refused["field"] == "mobile_no"
    operator.open("los-refused/list?q=walk-2")
    row = page.locator("tbody tr.row-clickable").inner_text()
    assert "mobile_no" in row
    assert refused["problem"] in row
    assert "none" not in row  # what was given is a person's, and stays out
    operator.screenshot("console-los-refused")
    assert ask("select count(*) as n from core.core_los_processed where reference = 'walk-2'") == {"n": 0}
    assert operator.complaints == []


def test_a_dead_letter_is_tried_again(log_in: LogIn, ask: Callable[..., Any], stack: Stack) -> None:
    """The signature is right, and the note holds a character that PostgreSQL has no text for."""
    body = rb'{"event": "payment.walked", "payload": {}, "created_at": 1, "note": "a\u0000b"}'
    secret = json.loads((stack.state / "secrets.json").read_text())["TURNO_WEBHOOK_SECRET_RAZORPAY_AXLE"]
    event = Webhook(Gateway.RAZORPAY, "axle", "pay_walk", "payment.walked", "evt_walk", body)
    answered = requests.post(
        f"{stack.variables['TURNO_RECEIVER_URL']}/webhooks/razorpay/axle",
        data=body, headers=signed_headers(event, secret, 0), timeout=60,
    )  # fmt: skip
    assert answered.ok, answered.text
    letter = "select fate, fate_by, fate_reason from raw.raw_webhook_dead_letter where event_key = 'evt_walk'"
    assert ask(letter)["fate"] == "open"
    operator = log_in("operator")
    page = operator.open("dead-letters/list?q=evt_walk")
    operator.screenshot("console-dead-letter")
    press(page, "Try again")
    page.fill("#reason", "the reader puts a mark in its place now")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    assert ask(letter) == {
        "fate": "replayed",
        "fate_by": "operator",
        "fate_reason": "the reader puts a mark in its place now",
    }
    page = operator.open("webhooks/list?q=evt_walk")
    assert "payment.walked" in page.locator("tbody tr.row-clickable").inner_text()
    operator.open("replays/list")
    assert "the reader puts a mark in its place now" in page.inner_text("tbody")
    assert operator.complaints == []


def test_a_held_payment_is_released_and_another_linked(log_in: LogIn, ask: Callable[..., Any]) -> None:
    held = (
        "select posting_key, loan_id from core.core_transaction_data where posting_block = 'possible_duplicate'"
        " and lender = %s order by posting_key limit 1"
    )
    decision = "select decision, linked_posting_key, decided_by from core.core_payment_decision where posting_key = %s"
    operator = log_in("operator")
    for lender, is_own in (("ugro", True), ("gb", False)):
        payment = ask(held, lender)
        original = payment["posting_key"].partition("-")[0]
        page = operator.open(f"held/list?q={payment['posting_key']}")
        page.locator("tbody tr.row-clickable a").first.click()
        page.wait_for_url("**/held/detail**")
        press(page, "Other money, or the same")
        operator.screenshot(f"console-held-{lender}")
        page.locator("#own" if is_own else f"[name=same_money_as][value='{original}']").check()
        page.fill("#reason", "the borrower's bank statement")
        submit(page)
        assert ended(page, "done", "failed") == "done"
        assert ask(decision, payment["posting_key"]) == {
            "decision": "release" if is_own else "link",
            "linked_posting_key": None if is_own else original,
            "decided_by": "operator",
        }
        still = "select posting_block from core.core_transaction_data where posting_key = %s"
        until(ask, {"posting_block": None} if is_own else None, still, payment["posting_key"])
    assert operator.complaints == []


def test_mandates_that_contradict_the_history_are_told_with_the_reason(
    log_in: LogIn, ask: Callable[..., Any], tmp_path: Path
) -> None:
    known = ask("select umrn, valid_from from raw.raw_umrn_master where lender = 'gb' order by umrn limit 1")
    master = tmp_path / "walked-mandates.csv"
    master.write_text(
        "umrn,loan_id,lender,valid_from,valid_to\n"
        f"{known['umrn']},GB100270,gb,{known['valid_from']},\n"
        "WALK7000100270000009,GB100270,gb,2026-01-01,\n"
    )
    operator = log_in("operator")
    page = operator.open("umrn/list")
    press(page, "Upload mandates")
    page.set_input_files("#file", master)
    submit(page)
    assert ended(page, "done", "failed") == "done"
    operator.screenshot("console-mandates-run")
    assert ask("select loan_id from raw.raw_umrn_master where umrn = 'WALK7000100270000009'") == {
        "loan_id": "GB100270"
    }
    page.get_by_role("link", name="Its rows that were not taken").click()
    reject = ask("select reason_code, message from raw.raw_rejected_records order by reject_id desc limit 1")
    assert reject["message"] in page.locator("tbody").inner_text()
    operator.screenshot("console-mandates-refused")
    unchanged = "select count(*) as n from raw.raw_umrn_master where umrn = %s and loan_id = 'GB100270'"
    assert ask(unchanged, known["umrn"]) == {"n": 0}
    operator.open(f"umrn/list?q={known['umrn']}")
    assert page.locator("tbody tr.row-clickable").count() == 1
    assert operator.complaints == []


_A_MATCHED_LOAN = """
select
    question.exception_id,
    min(match.match_group) as match_group
from core.core_recon_exception as question
inner join core.core_payment_identity as identity on question.loan_id = identity.loan_id
inner join core.core_recon_match as match on identity.native_reference = match.native_reference
where question.state = 'open' and question.loan_id is not null
group by question.exception_id
order by question.exception_id
limit 1
"""


def test_a_match_is_taken_apart_by_two_people(log_in: LogIn, ask: Callable[..., Any]) -> None:
    operator, admin = log_in("operator"), log_in("admin")
    question = ask(_A_MATCHED_LOAN)
    page = operator.open(f"exceptions/detail?pk={question['exception_id']}")
    press(page, "Take a match apart")
    operator.screenshot("console-unmatch")
    page.locator(f"[name=records][value='{question['match_group']}']").check()
    page.fill("#reason", "two different debits")
    submit(page)
    expect(page.get_by_text("waits for an answer under Required Actions").first).to_be_visible(
        timeout=_SECONDS * 1000
    )
    still = "select count(*) > 0 as is_matched from core.core_recon_match where match_group = %s"
    assert ask(still, question["match_group"]) == {"is_matched": True}
    answer(admin, "Approve")
    until(ask, {"is_matched": False}, still, question["match_group"])
    approval = (
        "select requested_by, decided_by, state from core.core_approval order by approval_id desc limit 1"
    )
    assert ask(approval) == {"requested_by": "operator", "decided_by": "admin", "state": "used"}


_A_LOAN_TO_END = """
select loan_id, total_outstanding
from core.core_loan_master
where
    lender = 'ugro' and status = 'Active' and total_outstanding between 5000 and 290000 and days_past_due > 180
    and payments_waiting = 0 and payments_blocked = 0
    and loan_id not in (select loan_id from core.core_recon_exception where state = 'open' and loan_id is not null)
    and loan_id not in (select loan_id from core.core_settlement)
    and loan_id not in (select loan_id from core.core_write_off)
    and loan_id not in (select loan_id from core.core_fineract_pending_transactions)
order by loan_id desc
limit 1
"""


def test_a_loan_is_written_off_once_another_person_approves(log_in: LogIn, ask: Callable[..., Any]) -> None:
    operator, admin = log_in("operator"), log_in("admin")
    loan_id = ask(_A_LOAN_TO_END)["loan_id"]
    page = operator.open("resolutions/list")
    press(page, "Write loans off")
    page.fill("#lender", "ugro")
    page.fill("#loan_id", loan_id)
    page.fill("#reason", "vehicle stolen")
    operator.screenshot("console-write-off")
    submit(page)
    expect(page.get_by_text("waits for an answer under Required Actions").first).to_be_visible(
        timeout=_SECONDS * 1000
    )
    state = "select state, requested_by from core.core_write_off where loan_id = %s"
    assert ask(state, loan_id) == {"state": "requested", "requested_by": "operator"}
    answer(admin, "Approve")
    until(ask, {"state": "done", "requested_by": "operator"}, state, loan_id)
    page = operator.open(f"resolutions/list?q={loan_id}")
    page.locator("tbody tr.row-clickable a").first.click()
    expect(page.get_by_role("heading", name="Steps in Fineract")).to_be_visible()
    expect(page.locator(".page-body")).to_contain_text("write off")
    operator.screenshot("console-written-off")
    assert operator.complaints == []


def test_a_foreclosure_is_quoted_and_given_up(log_in: LogIn, ask: Callable[..., Any]) -> None:
    operator = log_in("operator")
    loan_id = ask(_A_LOAN_TO_END)["loan_id"]
    page = operator.open("resolutions/list")
    press(page, "Foreclose a loan")
    page.fill("#lender", "ugro")
    page.fill("#loan_id", loan_id)
    page.fill("#reason", "the borrower's letter")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    operator.screenshot("console-foreclosure-run")
    asked = "select state, requested_by, quoted_total from core.core_foreclosure where loan_id = %s"
    quoted = ask(asked, loan_id)
    assert (quoted["state"], quoted["requested_by"]) == ("accepted", "operator")
    assert quoted["quoted_total"] > Decimal(5000)
    page = operator.open(f"resolutions/list?q={loan_id}")
    operator.screenshot("console-foreclosure")
    press(page, "Decide")
    page.select_option("#action", "give up")
    page.fill("#reason", "the money does not come today")
    submit(page)
    assert ended(page, "done", "failed") == "done"
    assert ask(asked, loan_id)["state"] == "stopped"
    assert operator.complaints == []


def test_airflows_pages_of_a_dag_and_of_a_run_have_a_tab_of_the_console(log_in: LogIn) -> None:
    operator = log_in("operator")
    page = operator.page
    page.goto("/dags/ingest__gb")
    page.get_by_role("link", name="Turno LMS").click()
    inside = page.frame_locator("iframe")
    expect(inside.get_by_role("heading", name="Files")).to_be_visible()
    expect(inside.locator("tbody tr.row-clickable").first).to_contain_text("gb")
    page.goto("/dags/post_repayments/runs")
    page.locator("a[href*='/dags/post_repayments/runs/']").first.click()
    page.locator("a[href$='/plugin/turno-run']").click()  # the run's tab, not the DAG's that is still there
    expect(inside.get_by_role("heading", name="post_repayments")).to_be_visible()
    inside.get_by_role("link", name="The run in Airflow").click()
    page.wait_for_url(
        re.compile(r"/dags/post_repayments/runs/[^/]+/?$")
    )  # the window itself, not the frame in it
