"""Write-offs, manual repayments, settlements and matches in the real Airflow, asked for by one logged-in user and decided by
another, over the API and at the console: what the first one may not do. TURNO_SCREENSHOTS keeps the pictures.

The loans owe 81,600 rupees (60,000 flat at 18 % over 24 months): the band in which anybody but the requester approves.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from local_stack.processes import free_port
from tests.end_to_end.browser import Visitor
from tests.end_to_end.people import SECONDS, Person, wait_for
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import create_transaction_table
from turno_lms.domain.dates import ist_date
from turno_lms.warehouse.connection import WarehouseConnection, connect

pytestmark = [pytest.mark.end_to_end, pytest.mark.long, pytest.mark.timeout(900)]

LOAN = "GB100151"
DAG = "write_off_loan"
FORM = {"lender": "gb", "loan_id": LOAN, "reason": "vehicle stolen"}
OTHER_LOAN = "GB100152"
SETTLE, ADVANCE, WORK = "settle_loan", "advance_resolutions", "work_recon_exceptions"
UNDO = "undo_resolution"
WAITS = "waits for an answer under Required Actions"
FILE_ROW, PAYMENT = "file:gb:nach:N1", "razorpay:pay_1"
MANUAL = "post_manual_repayment"
REPAYMENT = {
    "lender": "gb", "loan_id": OTHER_LOAN, "amount": "30000.00", "mode": "neft", "reference": "SBINN52026061012",
}  # fmt: skip
_PORTS = ("postgres", "fineract", "airflow", "airflow-task-logs", "airflow-trigger-logs")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """PostgreSQL, Fineract and Airflow of their own, as `turno stack up` prints them, and Airflow's passwords by user.

    To write such tests against a stack that is up, name its state folder: TURNO_TEST_STACK=FOLDER.
    """
    standing = os.environ.get("TURNO_TEST_STACK")
    state = Path(standing) if standing else tmp_path_factory.mktemp("two-people")
    if not standing:
        ports = {name: free_port() for name in _PORTS}
        (state / "ports.json").write_text(json.dumps(ports), encoding="utf-8")
    foreign = ("TURNO_", "AIRFLOW")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment["TURNO_STATE"] = str(state)
    command = [sys.executable, "-m", "turno_lms.cli", "stack"]
    up = subprocess.run(
        [*command, "up", "--only", "postgres,fineract,airflow"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        assert up.returncode == 0, up.stderr
        printed = dict(word.split("=", 1) for line in up.stdout.splitlines() for word in shlex.split(line))
        yield printed | json.loads((state / "airflow" / "passwords.json").read_text(encoding="utf-8"))
    finally:
        if not standing:
            subprocess.run([*command, "down"], env=environment, capture_output=True, check=False)


@pytest.fixture(scope="module")
def people(stack: dict[str, str]) -> tuple[Person, Person]:
    """Who asks, and who may answer; the DAGs of this file run, and no others."""
    asha, meera = (Person(stack["TURNO_AIRFLOW_URL"], user, stack[user]) for user in ("operator", "admin"))
    meera.unpause(DAG, MANUAL, SETTLE, ADVANCE, WORK, UNDO, "decide_resolution")
    return asha, meera


@pytest.fixture(scope="module")
def browsers(stack: dict[str, str], browser: Browser, screenshots: Path) -> Iterator[tuple[Visitor, Visitor]]:
    """The same two, each at a browser."""
    expect.set_options(timeout=60_000)  # a page of Airflow's on a busy machine
    both = tuple(Visitor(browser, stack["TURNO_AIRFLOW_URL"], screenshots) for _ in range(2))
    for visitor, user in zip(both, ("operator", "admin"), strict=True):
        visitor.log_in(user, stack[user])
    yield both[0], both[1]
    for visitor in both:
        visitor.close()


def rows(stack: dict[str, str], query: str, *values: Any) -> list[dict[str, Any]]:
    with connect(stack["TURNO_WAREHOUSE_URL"], autocommit=True) as conn:
        return conn.execute(query, values).fetchall()


def owner(stack: dict[str, str]) -> WarehouseConnection:
    """A connection that may change what no person may: for what a test plants, and the time that it makes pass."""
    return connect(stack["TURNO_POSTGRES_URL"].rpartition("/")[0] + "/warehouse", autocommit=True)


def test_only_another_logged_in_person_s_approval_writes_a_loan_off(
    stack: dict[str, str], people: tuple[Person, Person]
) -> None:
    fineract = standin_client(stack["TURNO_FINERACT_URL"])
    make_loans(fineract, [LOAN], Decimal(60000))
    asha, meera = people

    def status() -> int:
        loan = fineract.find_loan(LOAN)
        assert loan is not None
        return int(loan["status"]["id"])

    # who asked answers the question herself
    first = asha.trigger(DAG, **FORM)
    asha.until(DAG, first, "approve", "awaiting_input", "deferred")
    asha.answer(DAG, first, "Approve")
    assert asha.until(DAG, first, "record_decision", "failed", "success", "skipped") == "failed"
    asha.until(DAG, first, "write_off", "upstream_failed")
    # the refusing task is marked as success, and the writing one cleared
    run = f"/dags/{DAG}/dagRuns/{first}"
    meera.call("PATCH", f"{run}/taskInstances/record_decision", new_state="success")
    meera.call(
        "POST", f"/dags/{DAG}/clearTaskInstances", dry_run=False, dag_run_id=first, task_ids=["write_off"],
        only_failed=False, reset_dag_runs=True,
    )  # fmt: skip
    asha.until(DAG, first, "write_off", "failed")
    assert status() == 300

    (row,) = rows(stack, "select write_off_ref, state, requested_by from core.core_write_off")
    assert (row["state"], row["requested_by"]) == ("requested", "operator")
    asha.trigger("decide_resolution", ref=row["write_off_ref"], action="give up", reason="asked wrongly")
    given_up = "select 1 from core.core_write_off where state = 'stopped'"
    wait_for(lambda: bool(rows(stack, given_up)), "it was not given up")

    # another person approves
    second = asha.trigger(DAG, **FORM)
    asha.until(DAG, second, "approve", "awaiting_input", "deferred")
    meera.answer(DAG, second, "Approve")
    assert asha.until(DAG, second, "write_off", "success", "failed", "upstream_failed") == "success"
    assert status() == 601
    used = "select requested_by, decided_by, state from core.core_approval where state = 'used'"
    assert rows(stack, used) == [{"requested_by": "operator", "decided_by": "admin", "state": "used"}]


def test_a_manual_repayment_above_the_limit_is_landed_by_another_person_s_approval_alone(
    stack: dict[str, str], people: tuple[Person, Person]
) -> None:
    """30,000 rupees, of which one person may enter 25,000: her own approval lands nothing, nor does a rejection."""
    make_loans(standin_client(stack["TURNO_FINERACT_URL"]), [OTHER_LOAN], Decimal(60000))
    with owner(stack) as conn:
        create_transaction_table(conn)  # what build_warehouse would have made, without its minutes
        conn.execute(
            "grant select on core.core_transaction_data, core.core_payment_sighting to turno_console"
        )
    asha, meera = people
    approvals = (
        "select state, requested_by, decided_by from core.core_approval where purpose = 'manual_repayment'"
        " order by approval_id"
    )
    landed = "select loan_id, amount from raw.raw_manual_repayment"

    def asked() -> str:
        run_id = asha.trigger(MANUAL, **REPAYMENT, date=f"{ist_date(datetime.now(UTC))}")
        asha.until(MANUAL, run_id, "approve", "awaiting_input", "deferred")
        return run_id

    own = asked()
    asha.answer(MANUAL, own, "Approve")
    assert asha.until(MANUAL, own, "record_decision", "failed", "success", "skipped") == "failed"
    assert asha.until(MANUAL, own, "land_entries", "upstream_failed", "success") == "upstream_failed"
    assert rows(stack, landed) == []
    assert rows(stack, approvals) == [{"state": "requested", "requested_by": "operator", "decided_by": None}]

    rejected = asked()
    meera.answer(MANUAL, rejected, "Reject")
    assert asha.until(MANUAL, rejected, "land_entries", "skipped", "success", "failed") == "skipped"
    assert rows(stack, landed) == []
    assert rows(stack, approvals)[1] == {
        "state": "rejected", "requested_by": "operator", "decided_by": "admin",
    }  # fmt: skip

    approved = asked()
    meera.answer(MANUAL, approved, "Approve")
    assert asha.until(MANUAL, approved, "land_entries", "success", "failed", "upstream_failed") == "success"
    assert rows(stack, landed) == [{"loan_id": OTHER_LOAN, "amount": "30000.00"}]
    assert rows(stack, approvals)[2] == {
        "state": "used", "requested_by": "operator", "decided_by": "admin",
    }  # fmt: skip


# ---------------------------------------------------------------- settlements at the console


def open_form(page: Page, button: str) -> None:
    page.get_by_role("button", name=button).or_(page.locator(f"a:has-text('{button}'):visible")).first.click()
    expect(page.locator("#modal-form :focus")).to_be_visible()  # it has opened, and stands in its first field


def run_of(visitor: Visitor) -> str:
    """The id of the run whose page is open."""
    return parse_qs(urlsplit(visitor.page.url).query)["run"][0]


def ask_and_wait(visitor: Visitor) -> str:
    """Send the open form and wait until another person is asked; returns the run's id."""
    visitor.press()
    expect(visitor.page.get_by_text(WAITS).first).to_be_visible(timeout=SECONDS * 1000)
    return run_of(visitor)


def ask_to_settle(stack: dict[str, str], operator: Visitor, loan_id: str, picture: str | None = None) -> str:
    """Offer 75,000 of the 81,600 that a new loan owes; returns the settlement's reference."""
    make_loans(standin_client(stack["TURNO_FINERACT_URL"]), [loan_id], Decimal(60000))
    page = operator.open("resolutions/list")
    open_form(page, "Settle a loan")
    values = {
        "lender": "gb", "loan_id": loan_id, "amount": "75000.00", "reason": "illness", "evidence": "letter of 3 June",
    }  # fmt: skip
    for name, value in values.items():
        page.fill(f"#{name}", value)
    if picture:
        operator.screenshot(picture)
    ask_and_wait(operator)
    asked = "select settlement_ref, state from core.core_settlement where loan_id = %s"
    wait_for(lambda: bool(rows(stack, asked, loan_id)), f"nobody was asked about {loan_id}")
    (row,) = rows(stack, asked, loan_id)
    assert row["state"] == "requested"
    return str(row["settlement_ref"])


def answer_at_the_console(visitor: Visitor, option: str, picture: str) -> None:
    """Answer the newest question of the approvals page, in Airflow's own form."""
    page = visitor.open("approvals/list")
    page.get_by_role("link", name="Approve or reject").first.click()
    page.get_by_role("link", name="approve", exact=True).first.click()
    button = page.get_by_role("button", name=option, exact=True)
    expect(button).to_be_visible()
    visitor.screenshot(picture)
    button.click()


def becomes(stack: dict[str, str], ref: str, state: str) -> None:
    query = "select state from core.core_settlement where settlement_ref = %s"
    wait_for(lambda: rows(stack, query, ref) == [{"state": state}], f"{ref} never became {state}")


def show(visitor: Visitor, ref: str, said: str, picture: str) -> None:
    """The settlement's own page says so."""
    page = visitor.open(f"resolutions/detail?pk={ref}")
    expect(page.locator(".page-body")).to_contain_text(said)
    visitor.screenshot(picture)


def test_an_approved_settlement_that_is_not_paid_in_time_lapses_with_fineract_untouched(
    stack: dict[str, str], people: tuple[Person, Person], browsers: tuple[Visitor, Visitor]
) -> None:
    """A week does not pass in a test: the promise is made to have been due two days ago."""
    (operator, admin), (asha, _) = browsers, people
    ref = ask_to_settle(stack, operator, "GB100161", picture="settlement-form")
    answer_at_the_console(admin, "Approve", "settlement-approve-asked")
    becomes(stack, ref, "accepted")
    show(operator, ref, "settlement accepted", "settlement-approve")
    late = "update core.core_settlement_promise set due_on = current_date - 2 where settlement_ref = %s"
    with owner(stack) as conn:
        conn.execute(late, (ref,))
    asha.trigger(ADVANCE)
    becomes(stack, ref, "lapsed")
    show(operator, ref, "promise 1 was not paid in time: 0.00 rupees came in all", "settlement-lapsed")
    assert "Fineract is untouched." in operator.page.inner_text(".page-body")
    assert rows(stack, "select 1 from core.core_open_resolution where resolution_ref = %s", ref) == []


def test_a_rejected_settlement_ends_and_says_who_rejected_it(
    stack: dict[str, str], people: tuple[Person, Person], browsers: tuple[Visitor, Visitor]
) -> None:
    assert people
    operator, admin = browsers
    ref = ask_to_settle(stack, operator, "GB100162")
    page = operator.open("approvals/list")
    expect(page.get_by_text("another person than you").first).to_be_visible()
    answer_at_the_console(admin, "Reject", "settlement-reject-asked")
    becomes(stack, ref, "rejected")
    show(operator, ref, "settlement rejected", "settlement-reject")
    assert "admin" in operator.page.inner_text(".page-body")


def test_a_settlement_that_nobody_answers_in_time_expires_and_a_late_approval_is_none(
    stack: dict[str, str], people: tuple[Person, Person], browsers: tuple[Visitor, Visitor]
) -> None:
    """A day does not pass in a test: the approval is made to have run out a minute ago."""
    (operator, _), (asha, meera) = browsers, people
    ref = ask_to_settle(stack, operator, "GB100163")
    run_id = run_of(operator)
    late = (
        "update core.core_approval set expires_at = now() - interval '1 minute'"
        " where approval_id = (select approval_id from core.core_settlement where settlement_ref = %s)"
    )
    with owner(stack) as conn:
        conn.execute(late, (ref,))
    asha.trigger(ADVANCE)
    becomes(stack, ref, "expired")
    show(operator, ref, "settlement expired", "settlement-expired")
    meera.answer(SETTLE, run_id, "Approve")
    assert meera.until(SETTLE, run_id, "record_decision", "failed", "success", "skipped") == "failed"
    becomes(stack, ref, "expired")


def test_what_is_done_is_taken_back_from_its_own_page_by_another_person_s_approval(
    stack: dict[str, str], people: tuple[Person, Person], browsers: tuple[Visitor, Visitor]
) -> None:
    (operator, admin), (asha, meera) = browsers, people
    loan_id = "GB100164"
    fineract = standin_client(stack["TURNO_FINERACT_URL"])
    make_loans(fineract, [loan_id], Decimal(60000))
    written_off = asha.trigger(DAG, **FORM | {"loan_id": loan_id})
    asha.until(DAG, written_off, "approve", "awaiting_input", "deferred")
    meera.answer(DAG, written_off, "Approve")
    asha.until(DAG, written_off, "write_off", "success")
    query = "select write_off_ref, state from core.core_write_off where loan_id = %s"
    (row,) = rows(stack, query, loan_id)
    assert row["state"] == "done"

    page = operator.open(f"resolutions/detail?pk={row['write_off_ref']}")
    open_form(page, "Take it back")
    page.fill("#reason", "the vehicle was found")
    operator.screenshot("undo-form")
    ask_and_wait(operator)
    assert rows(stack, query, loan_id) == [row]  # asking changes nothing
    answer_at_the_console(admin, "Approve", "undo-approve-asked")
    wait_for(lambda: rows(stack, query, loan_id)[0]["state"] == "undone", "it was not taken back")
    show(operator, row["write_off_ref"], "undone", "undone")
    loan = fineract.find_loan(loan_id)
    assert loan is not None
    assert (loan["status"]["id"], loan["summary"]["totalOutstanding"]) == (300, 81600)


# ---------------------------------------------------------------- matches by hand at the console


def plant_unmatched_pair(conn: WarehouseConnection) -> int:
    """A row of a file and a gateway's payment of another amount, and the question about the row; returns its number."""
    see = (
        "insert into core.core_payment_identity (native_reference, posting_key, source_key, occurrence, lender, loan_id,"
        " business_date, amount, stream, channel, matched_by, is_posting_channel)"
        " values (%s, %s, %s, 1, 'gb', 'GB100151', '2026-01-05', %s, 'nach_debits', %s, 'first_sight', %s)"
    )
    for reference, key, amount, channel, posts in (
        (FILE_ROW, "a" * 32, "5499.00", "file:nach_response", True),
        (PAYMENT, "b" * 32, "5480.00", "razorpay", False),
    ):
        conn.execute(see, (reference, key, key, amount, channel, posts))
    detail = json.dumps({"business_date": "2026-01-05"})
    row = conn.execute(
        "insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)"
        " values ('missing_in_gateway', %s, 'gb', 'GB100151', 5499.00, %s, 'reconcile_transactions/planted')"
        " returning exception_id",
        ("a" * 32, detail),
    ).fetchone()
    assert row is not None
    return int(row["exception_id"])


def ask_to_match(operator: Visitor, own_page: str, reason: str, picture: str | None = None) -> str:
    """Ask for a match of the planted pair on the exception's own page; returns the run's id."""
    page = operator.open(own_page)
    open_form(page, "Match by hand")
    for reference in (FILE_ROW, PAYMENT):
        page.check(f"[name=records][value='{reference}']")
    page.fill("#reason", reason)
    if picture:
        operator.screenshot(picture)
    return ask_and_wait(operator)


def test_a_match_by_hand_and_its_undoing_need_two_people_and_the_exception_shows_its_life(
    stack: dict[str, str], people: tuple[Person, Person], browsers: tuple[Visitor, Visitor]
) -> None:
    (operator, admin), (asha, meera) = browsers, people
    members = (
        "select match_group, rule, native_reference from core.core_recon_match order by native_reference"
    )
    decided = (
        "select requested_by, decided_by, state from core.core_approval where purpose = 'recon_match'"
        " order by approval_id"
    )
    by_two = {"requested_by": "operator", "decided_by": "admin", "state": "used"}
    with owner(stack) as conn:
        exception_id = plant_unmatched_pair(conn)
    own_page = f"exceptions/detail?pk={exception_id}"
    page = operator.open(own_page)
    operator.screenshot("exception-open")

    # who asks does not decide
    own = ask_to_match(operator, own_page, "the bank's letter of 12 January")
    asha.answer(WORK, own, "Approve")
    assert asha.until(WORK, own, "record_decision", "failed", "success", "skipped") == "failed"
    assert rows(stack, members) == []

    ask_to_match(operator, own_page, "the bank's letter of 12 January", "exception-match")
    answer_at_the_console(admin, "Approve", "exception-match-asked")
    wait_for(lambda: len(rows(stack, members)) == 2, "they were not matched")
    group = rows(stack, members)[0]["match_group"]
    assert {row["rule"] for row in rows(stack, members)} == {"manual"}
    operator.open(own_page)
    operator.screenshot("exception-matched")

    open_form(page, "Take a match apart")
    page.check(f"[name=records][value='{group}']")
    page.fill("#reason", "the letter was about another loan")
    operator.screenshot("exception-unmatch")
    ask_and_wait(operator)
    assert len(rows(stack, members)) == 2  # asked for, and nothing else
    answer_at_the_console(admin, "Approve", "exception-unmatch-asked")
    wait_for(lambda: rows(stack, members) == [], "the match was not taken apart")
    assert rows(stack, decided)[1:] == [by_two, by_two]

    # matched once more, and the question is closed by a person
    meera.answer(WORK, ask_to_match(operator, own_page, "the bank corrected its letter"), "Approve")
    wait_for(lambda: len(rows(stack, members)) == 2, "they were not matched again")
    operator.open(own_page)
    open_form(page, "Assign, note, resolve")
    page.select_option("#action", "resolve")
    page.fill("#reason", "matched by hand: the bank took 19 rupees of charges")
    operator.press()
    state = "select state, closed_by from core.core_recon_exception where exception_id = %s"
    closed = [{"state": "resolved", "closed_by": "operator"}]
    wait_for(lambda: rows(stack, state, exception_id) == closed, "the exception stays open")
    operator.open(own_page)
    operator.screenshot("exception-closed")
    history = page.inner_text(".page-body")
    assert "matched by hand: the bank took 19 rupees of charges" in history
