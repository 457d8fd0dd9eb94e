"""Settlements and matches by hand over the demo's data, each by two people with browsers of their own: asked for, approved,
rejected, never answered, never paid, matched and taken apart. TURNO_SCREENSHOTS keeps the pictures.

Days do not pass in a test: what would run out in a day or a week is made to have run out yesterday.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.browser import Visitor
from tests.end_to_end.conftest import LogIn, Stack
from tests.end_to_end.people import Person, wait_for
from turno_lms.warehouse.connection import connect

pytestmark = [pytest.mark.end_to_end, pytest.mark.long, pytest.mark.timeout(2400)]

WAITS = "waits for an answer under Required Actions"
_SECONDS = 600
_LOANS = """
select loan_id, total_outstanding
from core.core_loan_master
where lender = 'gb' and status = 'Active' and total_outstanding > 5000
    and loan_id not in (select loan_id from core.core_settlement)
order by loan_id limit 1
"""
_NEWEST = "select settlement_ref, state, loan_id from core.core_settlement order by requested_at desc limit 1"
_QUESTION_WITH_MATCH = """
select question.exception_id, matched.match_group, question.lender, question.loan_id
from core.core_recon_exception as question
inner join core.core_payment_identity as identity on question.loan_id = identity.loan_id
inner join core.core_recon_match as matched on identity.native_reference = matched.native_reference
inner join core.core_recon_match as other on matched.match_group = other.match_group
where question.state = 'open'
group by question.exception_id, matched.match_group, question.lender, question.loan_id
having count(distinct other.side) = 2 and count(distinct other.native_reference) = 2
order by question.exception_id, matched.match_group limit 1
"""
_OPENED = """
select question.exception_id
from core.core_recon_exception as question
inner join core.core_payment_identity as identity on question.subject = identity.posting_key
where identity.native_reference = any(%s) and question.state = 'open'
    and question.kind in ('missing_in_file', 'missing_in_gateway')
order by question.exception_id limit 1
"""

Ask = Callable[..., Any]


@pytest.fixture
def ask(stack: Stack) -> Ask:
    """The first row of a statement on the warehouse."""

    def first(query: str, *values: Any) -> Any:
        with connect(stack.variables["TURNO_WAREHOUSE_URL"], autocommit=True) as conn:
            answer = conn.execute(query, values)
            return answer.fetchone() if answer.description else None

    return first


@pytest.fixture
def robot(stack: Stack) -> Person:
    """Starts at once what its schedule would start in a while."""
    admin = Person(stack.variables["TURNO_AIRFLOW_URL"], "admin", stack.passwords["admin"])
    for dag_id in ("settle_loan", "advance_resolutions", "work_recon_exceptions", "reconcile_transactions"):
        admin.call("PATCH", f"/dags/{dag_id}", is_paused=False)
    return admin


def open_form(page: Page, button: str) -> None:
    page.get_by_role("button", name=button).or_(page.locator(f"a:has-text('{button}'):visible")).first.click()
    expect(page.locator("#modal-form :focus")).to_be_visible()  # it has opened, and stands in its first field


def ask_to_settle(operator: Visitor, ask: Ask) -> str:
    """Offer nine tenths of a loan's dues at the console; returns the reference once another person is asked."""
    loan = ask(_LOANS)
    page = operator.open("resolutions/list")
    open_form(page, "Settle a loan")
    page.fill("#lender", "gb")
    page.fill("#loan_id", loan["loan_id"])
    page.fill("#amount", f"{loan['total_outstanding'] * 9 / 10:.2f}")
    page.fill("#reason", "illness")
    page.fill("#evidence", "letter of 3 June")
    page.fill("#override_reason", "seen in the demo")
    operator.press()
    expect(page.get_by_text(WAITS).first).to_be_visible(timeout=_SECONDS * 1000)
    newest = ask(_NEWEST)
    assert (newest["loan_id"], newest["state"]) == (loan["loan_id"], "requested")
    return str(newest["settlement_ref"])


def answer(admin: Visitor, option: str, picture: str) -> None:
    """Answer the newest question of the approvals page, in Airflow's own form."""
    page = admin.open("approvals/list")
    page.get_by_role("link", name="Approve or reject").first.click()
    page.get_by_role("link", name="approve", exact=True).first.click()
    button = page.get_by_role("button", name=option, exact=True)
    expect(button).to_be_visible()
    admin.screenshot(picture)
    button.click()


def becomes(ask: Ask, ref: str, state: str) -> None:
    query = "select 1 from core.core_settlement where settlement_ref = %s and state = %s"
    wait_for(
        lambda: ask(query, ref, state) is not None, f"{ref} never became {state}: {ask(_NEWEST)}", _SECONDS
    )


def show(visitor: Visitor, ref: str, state: str, picture: str) -> None:
    """The settlement's own page says so to whoever looks at it."""
    page = visitor.open(f"resolutions/detail?pk={ref}")
    expect(page.locator(".page-body")).to_contain_text(re.compile(state, re.IGNORECASE))
    visitor.screenshot(picture)


def test_an_approved_settlement_that_is_not_paid_in_time_lapses_with_fineract_untouched(
    log_in: LogIn, ask: Ask, robot: Person
) -> None:
    operator, admin = log_in("operator"), log_in("admin")
    ref = ask_to_settle(operator, ask)
    answer(admin, "Approve", "settlement-approve-asked")
    becomes(ask, ref, "accepted")
    show(operator, ref, "accepted", "settlement-approve")
    ask("update core.core_settlement_promise set due_on = current_date - 2 where settlement_ref = %s", ref)
    robot.trigger("advance_resolutions")
    becomes(ask, ref, "lapsed")
    show(operator, ref, "promise 1 was not paid in time: 0.00 rupees came in all", "settlement-lapsed")
    assert "Fineract is untouched." in operator.page.inner_text(".page-body")
    assert ask("select 1 from core.core_open_resolution where resolution_ref = %s", ref) is None


def test_a_rejected_settlement_ends_and_says_who_rejected_it(log_in: LogIn, ask: Ask) -> None:
    operator, admin = log_in("operator"), log_in("admin")
    ref = ask_to_settle(operator, ask)
    page = operator.open("approvals/list")
    expect(page.get_by_text("another person than you").first).to_be_visible()
    answer(admin, "Reject", "settlement-reject-asked")
    becomes(ask, ref, "rejected")
    show(operator, ref, "rejected", "settlement-reject")
    assert "admin" in operator.page.inner_text(".page-body")


def test_a_settlement_that_nobody_answers_in_time_expires_and_a_late_approval_is_none(
    log_in: LogIn, ask: Ask, robot: Person
) -> None:
    operator = log_in("operator")
    ref = ask_to_settle(operator, ask)
    ask(
        "update core.core_approval set expires_at = now() - interval '1 minute' where approval_id ="
        " (select approval_id from core.core_settlement where settlement_ref = %s)",
        ref,
    )
    robot.trigger("advance_resolutions")
    becomes(ask, ref, "expired")
    show(operator, ref, "expired", "settlement-expired")
    run = ask("select requested_by_run from core.core_settlement where settlement_ref = %s", ref)
    run_id = str(run["requested_by_run"]).partition("/")[2]
    robot.answer("settle_loan", run_id, "Approve")
    assert robot.until("settle_loan", run_id, "record_decision", "failed", "success", "skipped") == "failed"
    becomes(ask, ref, "expired")


def test_a_match_is_taken_apart_and_made_again_by_two_people_and_its_exception_is_closed(
    log_in: LogIn, ask: Ask, robot: Person
) -> None:
    operator, admin = log_in("operator"), log_in("admin")
    found = ask(_QUESTION_WITH_MATCH)
    assert found is not None, "the demo leaves no open exception about a loan with a match"
    group = found["match_group"]

    def of_group(table: str) -> Callable[[], bool]:
        return lambda: ask(f"select 1 from core.{table} where match_group = %s", group) is not None  # noqa: S608

    page = operator.open(f"exceptions/detail?pk={found['exception_id']}")
    open_form(page, "Take a match apart")
    page.check(f"[name=records][value='{group}']")
    page.fill("#reason", "the bank says that these are two payments")
    operator.screenshot("exception-unmatch")
    operator.press()
    expect(page.get_by_text(WAITS).first).to_be_visible(timeout=_SECONDS * 1000)
    assert of_group("core_recon_match")()  # asked for, and nothing else
    answer(admin, "Approve", "exception-unmatch-asked")
    wait_for(of_group("core_recon_match_undone"), "the match was not taken apart", _SECONDS)
    members = ask(
        "select array_agg(native_reference order by native_reference) as all"
        " from core.core_recon_match_undone where match_group = %s",
        group,
    )["all"]

    robot.trigger("reconcile_transactions")
    wait_for(lambda: ask(_OPENED, members) is not None, "no exception was opened about them", _SECONDS)
    exception_id = ask(_OPENED, members)["exception_id"]
    page = operator.open(f"exceptions/detail?pk={exception_id}")
    operator.screenshot("exception-open")
    open_form(page, "Match by hand")
    for reference in members:
        page.check(f"[name=records][value='{reference}']")
    page.fill("#reason", "the bank was wrong: letter of 12 June")
    operator.screenshot("exception-match")
    operator.press()
    expect(page.get_by_text(WAITS).first).to_be_visible(timeout=_SECONDS * 1000)
    answer(admin, "Approve", "exception-match-asked")
    by_hand = (
        "select count(*) as n from core.core_recon_match where native_reference = any(%s) and rule = 'manual'"
    )
    wait_for(lambda: ask(by_hand, members) == {"n": len(members)}, "they were not matched", _SECONDS)
    robot.trigger("reconcile_transactions")
    closed = "select 1 from core.core_recon_exception where exception_id = %s and state <> 'open'"
    wait_for(lambda: ask(closed, exception_id) is not None, "the exception stays open", _SECONDS)
    operator.open(f"exceptions/detail?pk={exception_id}")
    operator.screenshot("exception-closed")
    decided = ask(
        "select requested_by, decided_by, state from core.core_approval where purpose = 'recon_match'"
        " order by approval_id desc limit 1"
    )
    assert decided == {"requested_by": "operator", "decided_by": "admin", "state": "used"}
