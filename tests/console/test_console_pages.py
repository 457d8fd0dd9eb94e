"""Work in the console over HTTP: what a choice comes to, one exception's page, approvals of others, previews done for good."""

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from tests.dbt.project import DbtProject
from turno_lms.console.pages.resolutions import ledger_of

if TYPE_CHECKING:
    from tests.console.conftest import SignIn

HOME = "/turno/"
_QUESTIONS = """
insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
values
    ('missing_in_gateway', md5('payment3'), 'gb', 'GB000003', 5499.00,
     '{"business_date": "2026-01-05", "sightings": ["file:1:3"], "candidates": [{"native_reference": "razorpay:pay_3"}]}', 'r1'),
    ('umrn_unknown', 'umrn:1', 'ugro', null, 1000.50, '{}', 'r1'),
    ('unparsed_reference', 'note:<b>1</b>', 'axle', null, null, '{}', 'r1');
insert into core.core_payment_identity (
    native_reference, posting_key, source_key, occurrence, lender, loan_id, business_date, amount, stream, channel,
    matched_by, is_posting_channel
)
values ('razorpay:pay_3', md5('pay3'), md5('pay3'), 1, 'gb', 'GB000009', '2026-01-06', 5499.00, 'nach_debits', 'razorpay',
    'first_sight', false);
insert into core.core_approval (purpose, request_key, figures, figures_hash, state, requested_by, requested_by_run, expires_at)
values ('manual_repayment', 'k', '[{"loan_id": "GB1", "amount": "30000.00"}]', 'h', 'requested', 'op-person',
    'post_manual_repayment/manual__1', now() + interval '1 hour');
"""
_WRITE_OFF = """
insert into core.core_write_off (
    write_off_ref, lender, loan_id, state, request_key, dues_principal, dues_interest, dues_fees, dues_penalties,
    dues_total, days_past_due, charges_off, band, reason, requested_by, requested_by_run
)
values ('W1', 'gb', 'GB000009', 'accepted', 'k', 100, 0, 0, 0, 100, 400, false, 'small', 'gone', 'asha', 'r')
"""


@pytest.fixture
def questions(rows: None, project: DbtProject) -> None:
    project.conn.execute(_QUESTIONS)


def ask(browser: TestClient, path: str, **form: str) -> tuple[int, str]:
    """Press a button; the status, and what the person reads."""
    browser.get(f"{HOME}exceptions/list")
    form["csrftoken"] = browser.cookies["starlette_admin_csrftoken"]
    answer = browser.post(HOME + path, data=form)
    told = answer.json()
    return answer.status_code, str(told.get("msg") or told.get("redirect"))


def last_run(dag_id: str) -> tuple[str, dict[str, object]]:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        run = session.scalars(
            select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc())
        ).first()
        assert run is not None, dag_id
        return str(run.run_id), dict(run.conf or {})


@pytest.mark.usefixtures("questions")
def test_a_bulk_action_is_held_to_the_rows_and_rupees_that_were_shown(
    sign_in: "SignIn", project: DbtProject
) -> None:
    operator = sign_in("op")
    told = operator.get(f"{HOME}_api/exceptions/radius?all=1").json()
    # 5499.00 and 1000.50; the third has no rupees
    assert told == {
        "items": 3,
        "rupees": "6499.50",
        "told": "This touches 3 rows, ₹ 6,499.50 of axle, gb, ugro.",
    }
    work = "_api/exceptions/action?name=work&all=1"
    shown = {"told_items": "3", "told_rupees": "6499.50"}
    note = {"action": "note", "reason": "seen", "owner": ""}

    status, message = ask(operator, work, **note)
    assert (status, "no longer what was shown" in message) == (400, True)
    project.conn.execute("update core.core_recon_exception set amount = 2000.50 where lender = 'ugro'")
    status, message = ask(operator, work, **note, **shown)
    assert (status, "₹ 7,499.50" in message) == (400, True)
    project.conn.execute("update core.core_recon_exception set amount = 1000.50 where lender = 'ugro'")

    status, address = ask(operator, work, **note, **shown)
    assert status == 200
    run_id, conf = last_run("work_recon_exceptions")
    assert sorted(map(str, conf["exception_ids"])) == ["1", "2", "3"]  # type: ignore[call-overload]
    page = operator.get(address).text
    assert "work_recon_exceptions" in page
    assert run_id in page


@pytest.mark.usefixtures("questions")
def test_filters_of_the_list_narrow_what_all_means(sign_in: "SignIn") -> None:
    told = sign_in("viewer").get(
        f"{HOME}_api/exceptions/radius",
        params={"all": "1", "_list_query": "?filter=kind__is%3Dumrn_unknown"},
    )
    assert told.json()["told"] == "This touches 1 row, ₹ 1,000.50 of ugro."


@pytest.mark.usefixtures("questions")
def test_one_exceptions_page_has_its_history_and_what_it_may_be_matched_with(sign_in: "SignIn") -> None:
    page = sign_in("op").get(f"{HOME}exceptions/detail?pk=1").text
    assert "opened" in page
    for role, record in (("its own", "file:1:3"), ("candidate", "razorpay:pay_3")):
        assert re.search(rf"<td>{role}</td>.*?{record}", page, re.DOTALL), role
    assert "&lt;b&gt;1&lt;/b&gt;" in sign_in("op").get(f"{HOME}exceptions/detail?pk=3").text


@pytest.mark.usefixtures("questions")
def test_a_match_is_asked_for_by_its_records(sign_in: "SignIn") -> None:
    operator = sign_in("op")
    operator.get(f"{HOME}exceptions/list")
    token = operator.cookies["starlette_admin_csrftoken"]
    form = {"records": ["file:1:3", "razorpay:pay_3"], "reason": "the bank's letter", "csrftoken": token}
    answer = operator.post(f"{HOME}_api/exceptions/row-action?name=match&pk=1", data=form)
    assert answer.status_code == 200, answer.text
    _run_id, conf = last_run("work_recon_exceptions")
    assert conf == {
        "action": "match",
        "records": ["file:1:3", "razorpay:pay_3"],
        "reason": "the bank's letter",
    }


@pytest.mark.usefixtures("questions")
def test_the_requester_of_an_approval_is_not_led_to_its_answer(sign_in: "SignIn") -> None:
    asked = sign_in("op").get(f"{HOME}approvals/list").text
    other = sign_in("admin").get(f"{HOME}approvals/list").text
    assert "another person than you" in asked
    assert "required_actions" not in asked
    assert "/dags/post_manual_repayment/runs/manual__1/required_actions" in other
    assert "30,000.00" in other


def test_a_preview_is_done_for_good_by_who_may(sign_in: "SignIn") -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import update

    operator = sign_in("op")
    status, _address = ask(
        operator, "_api/queue/action?name=by_hand", lender="gb", loan_id="GB1", amount="10.00", mode="upi"
    )
    assert status == 200
    run_id, conf = last_run("post_manual_repayment")
    assert conf["dry_run"] is True
    where = {"dag": "post_manual_repayment", "run": run_id}
    assert "Post this money" not in operator.get(f"{HOME}run", params=where).text, "it has not ended"
    with create_session() as session:
        session.execute(update(DagRun).where(DagRun.run_id == run_id).values(state="success"))

    assert "Post this money" in operator.get(f"{HOME}run", params=where).text
    viewer = sign_in("viewer")
    assert "Post this money" not in viewer.get(f"{HOME}run", params=where).text
    for browser, status in ((viewer, 403), (operator, 303)):
        token = {"csrftoken": browser.cookies["starlette_admin_csrftoken"]}
        answer = browser.post(f"{HOME}run/for-good", params=where, data=token, follow_redirects=False)
        assert answer.status_code == status
    later, conf = last_run("post_manual_repayment")
    assert later != run_id
    assert (conf["dry_run"], conf["amount"]) == (False, "10.00")


def test_what_people_did_is_told_with_the_run(sign_in: "SignIn") -> None:
    ask(sign_in("op"), "_api/queue/action?name=post_now")
    run_id, _conf = last_run("post_repayments")
    page = sign_in("viewer").get(f"{HOME}operator-actions/list?q=op-person").text
    assert "console trigger" in page
    assert run_id.replace("+", "%2B").replace(":", "%3A") in page or run_id in page


_INSTALMENTS = """
with detail as (
    insert into raw.raw_fineract_loan_detail (
        fineract_loan_id, external_id, status_id, summary, transactions, schedule, payload_md5, taken_by_run
    )
    select
        fineract_loan_id, loan_id, 300, '{}', '[]',
        jsonb_build_array(
            told.instalment || jsonb_build_object('number', 1, 'due_on', '2025-01-05', 'paid', 3400, 'outstanding', 0,
                'met_on', '2025-01-09'),
            told.instalment || jsonb_build_object('number', 2, 'due_on', told.today - 3, 'paid', 1000, 'outstanding', 2400),
            told.instalment || jsonb_build_object('number', 3, 'due_on', told.today + 27, 'paid', 0, 'outstanding', 3400)
        ),
        '', 'reconcile_loans/1'
    from core.core_loan_master
    cross join (
        select
            '{"principal": 2500, "interest": 900, "fees": 0, "forgiven": 0}'::jsonb as instalment,
            (now() at time zone 'Asia/Kolkata')::date as today
    ) as told
    where loan_id = 'GB000005'
    returning fineract_loan_id
)
insert into core.core_loan_look (fineract_loan_id, snapshot_id, looked_at, looked_by_run)
select fineract_loan_id, 1, timestamptz '2026-01-06 05:00+05:30', 'reconcile_loans/1' from detail;
insert into core.core_transaction_data_processed (
    posting_key, outcome, lender, loan_id, business_date, amount, attempts, processed_by_run
)
values (md5('payment5'), 'posted', 'gb', 'GB000005', '2026-01-05', 5499.00, 1, 'post_repayments/1')
"""


@pytest.mark.usefixtures("rows")
def test_a_loans_instalments_say_what_is_paid_what_is_late_and_as_of_when(
    sign_in: "SignIn", project: DbtProject
) -> None:
    viewer = sign_in("viewer")
    untold = viewer.get(f"{HOME}loans/detail?pk=GB000005").text
    assert "Its instalments have not been read from Fineract yet" in untold
    project.conn.execute(_INSTALMENTS)
    text = viewer.get(f"{HOME}loans/detail?pk=GB000005").text
    schedule = text[text.index('id="schedule"') :]
    assert "as Fineract told it at 06 Jan 2026, 05:00:00 IST" in schedule
    assert "1 repayment of ₹ 5,499.00 posted since then is not in these figures yet" in schedule
    assert schedule.index("paid late") < schedule.index("late by 3 days") < schedule.index("not due yet")
    assert "5,800.00" in schedule[schedule.index("Together") :]  # 0 + 2,400 + 3,400 outstanding


def test_payments_that_the_next_run_queues_are_found_by_their_filter(sign_in: "SignIn") -> None:
    """Of 120 payments 2 are held and 1 is in the queue already."""
    text = sign_in("viewer").get(f"{HOME}payments/list?filter=posting__ready").text
    assert re.search(r"117\b", text)
    assert "GB000003" not in text


@pytest.mark.usefixtures("questions")
def test_every_line_of_today_leads_to_as_many_rows_as_it_counts(
    sign_in: "SignIn", project: DbtProject
) -> None:
    viewer = sign_in("viewer")
    project.conn.execute(_WRITE_OFF)  # of one loan with one of the payments that are ready
    line = re.compile(
        r'<td><a href="([^"]+)">([^<]+)</a></td>\s*<td>[^<]*</td>\s*<td class="text-end">([0-9,]+)</td>'
    )
    lines = line.findall(viewer.get(HOME).text)
    assert len(lines) >= 7
    assert ("payments held while their loan is settled or written off", "1") in {
        (what, items) for _, what, items in lines
    }
    for address, what, items in lines:
        answer = viewer.get(unescape(address))
        assert answer.status_code == 200, what
        assert re.search(rf"of\s+(<[^>]+>)?{items}\b", answer.text), (what, items)


@pytest.mark.usefixtures("rows")
def test_rupees_in_a_resolutions_history_are_grouped_and_its_moments_are_indian(project: DbtProject) -> None:
    project.conn.execute(
        "insert into core.core_resolution_event (resolution_ref, loan_id, event, actor, run, detail, happened_at) values"
        " ('S1', 'GB1', 'quoted', 'asha', 'r1', '{\"total\": \"137500.00\", \"until\": \"2026-06-10\", \"lines\": 3}',"
        " '2026-06-09 20:00+00')"
    )
    (event,) = ledger_of("S1").events
    assert event["detail"] == {"total": "1,37,500.00", "until": "2026-06-10", "lines": 3}
    assert event["at"] == "10 Jun 2026, 01:30:00"
