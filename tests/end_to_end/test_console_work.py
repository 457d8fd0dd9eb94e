"""The console at work in a real browser over the demo's data: exceptions, posting, links, settlements, by several people.

What one person asked for and another one decided is looked up in the warehouse. TURNO_SCREENSHOTS keeps the pictures.
"""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.conftest import LogIn, Stack
from turno_lms.warehouse.connection import connect

pytestmark = [pytest.mark.end_to_end, pytest.mark.long, pytest.mark.timeout(2400)]

HOSTILE = "<img src=x onerror=alert(1)>'\"; drop table core.core_loan_master; --"
_SECONDS = 300


@pytest.fixture
def ask(stack: Stack) -> Callable[..., Any]:
    """The first row of a query on the warehouse."""

    def first(query: str, *values: Any) -> Any:
        with connect(stack.variables["TURNO_WAREHOUSE_URL"], autocommit=True) as conn:
            return conn.execute(query, values).fetchone()

    return first


def press(page: Page, button: str) -> None:
    """Open the form of a button."""
    page.get_by_role("button", name=button).or_(page.locator(f"a:has-text('{button}'):visible")).first.click()
    expect(page.locator("#modal-form :focus")).to_be_visible()  # it has opened, and stands in its first field


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


def test_a_match_needs_two_people(log_in: LogIn, ask: Callable[..., Any], stack: Stack) -> None:
    operator, admin = log_in("operator"), log_in("admin")
    question = ask(
        "select missing.exception_id from core.core_recon_exception as missing"
        " where missing.kind = 'missing_in_gateway' and missing.state = 'open' order by 1 limit 1"
    )
    page = operator.open(f"exceptions/detail?pk={question['exception_id']}")
    press(page, "Match by hand")
    operator.screenshot("console-match")
    boxes = page.locator("[name=records]")
    if boxes.count() < 2:
        pytest.skip("the demo has no record of the other side near this one")
    for box in boxes.all():
        box.check()
    page.fill("#reason", "the bank's letter")
    submit(page)
    assert ended(page, "waits for an answer under Required Actions", "runs", "failed") != "failed"
    assert admin.complaints == []


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
