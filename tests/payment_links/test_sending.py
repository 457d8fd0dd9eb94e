"""Planned, stored, sent: one live link for a loan, due and purpose, whatever the gateway does meanwhile."""

from datetime import date

import psycopg.errors
import pytest

from tests.gateways.standin import Standin
from tests.payment_links.desk import DUE, RUN, Desk
from turno_lms.domain.states import LinkPurpose, LinkSkip
from turno_lms.payment_links.links import LinkAccountError
from turno_lms.payment_links.razorpay_links import RazorpayLinks
from turno_lms.payment_links.send import AccountBusyError, account_lock, send_links


def test_a_preview_stores_nothing_and_says_what_a_run_would_do(desk: Desk) -> None:
    desk.book.owes("AXL310001", "5499.00")
    shown = desk.plan("AXL310001", "AXL310009", dry_run=True)
    assert desk.links() == []
    assert shown.to_dict() == {
        "lender": "axle", "purpose": "emi", "asked": 2, "links": 1, "rupees": "5499.00", "skipped": {"unknown_loan": 1},
    }  # fmt: skip
    assert "5,499.00  due 2026-01-05  AXL310001_E260105_1" in shown.text()
    assert [each.reference for each in desk.plan("AXL310001").links] == ["AXL310001_E260105_1"]


def test_a_planned_link_is_made_open_and_its_row_holds_no_personal_data(desk: Desk) -> None:
    desk.book.owes("AXL310011", "5499.00")
    desk.plan("AXL310011")
    assert desk.link("AXL310011")["state"] == "planned"
    assert desk.send().to_dict() == {"opened": 1, "waiting": 0, "failures": []}
    row = desk.link("AXL310011")
    assert (row["state"], row["reference"], row["purpose"]) == ("open", "AXL310011_E260105_1", "emi")
    assert row["short_url"]
    assert row["created_by"] == "asha"
    (call,) = desk.calls(row["reference"])
    assert (call["method"], call["status_code"], call["outcome"]) == ("POST", 200, "ok")
    assert call["request"]["customer"] == {"name": "***", "contact": "***", "email": "***"} or (
        call["request"]["customer"] == "***"
    )
    everything = f"{row}{call}"
    assert "9000000001" not in everything
    assert "asha@example.in" not in everything


def test_what_the_policy_says_reaches_the_gateway(desk: Desk) -> None:
    desk.policy_fields = {
        "reminders": True,
        "partial_payment": {"first_at_least": "500.00"},
        "notify": ["sms"],
    }
    desk.book.owes("AXL310021", "5499.00")
    desk.book.owes("AXL310022", "400.00")  # less than the least first part: whole or not at all
    desk.plan("AXL310021", "AXL310022")
    desk.send()
    (sent,) = (call["request"] for call in desk.calls("AXL310021_E260105_1"))
    assert (sent["accept_partial"], sent["first_min_partial_amount"], sent["reminder_enable"]) == (
        True,
        50000,
        True,
    )
    assert (sent["amount"], sent["notify"], sent["notes"]) == (
        549900,
        {"sms": True, "email": False},
        {"loan_id": "AXL310021"},
    )
    assert desk.link("AXL310022")["accept_partial"] is False
    assert desk.link("AXL310021")["accept_partial"] is True


def test_a_loan_has_one_live_link_whatever_is_asked_for(desk: Desk) -> None:
    desk.book.owes("AXL310031", "5499.00")
    desk.plan("AXL310031")
    assert [each.skip for each in desk.plan("AXL310031").proposals] == [LinkSkip.ALREADY_LIVE]
    overdue = desk.plan("AXL310031", purpose=LinkPurpose.OVERDUE)
    assert [each.skip for each in overdue.proposals] == [LinkSkip.OTHER_LINK_LIVE]
    desk.send()
    assert [each.skip for each in desk.plan("AXL310031").proposals] == [LinkSkip.ALREADY_LIVE]
    assert len(desk.at_gateway("AXL310031")) == 1


def test_the_database_itself_refuses_a_second_live_link(desk: Desk) -> None:
    desk.book.owes("AXL310041", "5499.00")
    desk.plan("AXL310041")
    columns = "lender, loan_id, gateway, purpose, client_id, due_on, amount, state, accept_partial, created_by, created_by_run, changed_by_run"
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_live"):
        desk.conn.execute(
            f"insert into core.core_payment_link (reference, attempt, {columns})"  # noqa: S608
            f" select 'other', 2, {columns} from core.core_payment_link where loan_id = 'AXL310041'"
        )


def test_loans_that_get_no_link_say_why(desk: Desk) -> None:
    desk.policy_fields = {"minimum_amount": "100.00"}
    desk.book.owes("AXL310051", "99.99")
    desk.book.owes("AXL310052", "500.00")
    desk.book.owed["AXL310053"] = LinkSkip.NOT_ACTIVE
    desk.book.owes("AXL/310054", "500.00")
    desk.book.owes("AXL310055", "500.00")
    desk.conn.execute(
        "insert into core.core_fineract_pending_transactions (posting_key, lender, loan_id, business_date, amount,"
        " payment_type_id, state, created_by_run) values ('k', 'axle', 'AXL310055', '2026-01-05', 1, 1, 'queued', 'r')"
    )
    plan = desk.plan("AXL310051", "AXL310052", "AXL310053", "AXL/310054", "AXL310055", "AXL310052")
    assert {each.loan_id: str(each.skip or each.reference) for each in plan.proposals} == {
        "AXL310051": "below_minimum",
        "AXL310052": "AXL310052_E260105_1",
        "AXL310053": "not_active",
        "AXL/310054": "bad_reference",
        "AXL310055": "payment_under_way",
    }


def test_a_borrower_without_a_phone_number_is_a_failure_of_that_row_alone(desk: Desk) -> None:
    desk.book.owes("AXL310061", "500.00")
    desk.book.owes("AXL310062", "500.00")
    desk.book.phones[310061] = ""
    desk.plan("AXL310061", "AXL310062")
    report = desk.send()
    assert report.failures == ["AXL310061_E260105_1: no_contact"]
    assert report.failed_percent == 50
    assert (desk.states("AXL310061"), desk.states("AXL310062")) == (["failed"], ["open"])


def test_a_refused_link_makes_room_for_another_attempt_under_another_reference(desk: Desk) -> None:
    desk.book.owes("AXL310071", "0.50")  # Razorpay takes no less than a rupee
    desk.policy_fields = {"minimum_amount": "0.10"}
    desk.plan("AXL310071")
    assert "atleast INR 1.00" in desk.send().failures[0]
    desk.book.owes("AXL310071", "1.50")
    desk.plan("AXL310071")
    desk.send()
    assert [(row["reference"], row["state"]) for row in desk.links("AXL310071")] == [
        ("AXL310071_E260105_1", "failed"),
        ("AXL310071_E260105_2", "open"),
    ]


def test_what_is_sent_is_what_fineract_says_then(desk: Desk) -> None:
    for loan_id in ("AXL310081", "AXL310082", "AXL310083"):
        desk.book.owes(loan_id, "5499.00")
    desk.plan("AXL310081", "AXL310082", "AXL310083")
    desk.book.owes("AXL310081", "4499.00")  # a part was paid since it was planned
    desk.book.owes("AXL310082", "5499.00", date(2026, 2, 5))  # paid: another instalment is next
    desk.book.owed["AXL310083"] = LinkSkip.NOTHING_DUE
    desk.send()
    assert [link["paise"] for link in desk.at_gateway("AXL310081")] == [449900]
    assert str(desk.link("AXL310081")["amount"]) == "4499.00"
    ended = {loan_id: desk.link(loan_id) for loan_id in ("AXL310082", "AXL310083")}
    assert {row["state"] for row in ended.values()} == {"withdrawn"}
    assert [row["end_reason"] for row in ended.values()] == ["dues_changed", "nothing_due"]
    assert desk.at_gateway("AXL310082") == []


FAULTS = ["hang_before", "hang_after", "late", "error_before", "error_after", "bad_gateway", "rate_limited"]


@pytest.mark.parametrize("gateway", ["razorpay", "cashfree"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_answer_never_makes_a_second_link(
    desk: Desk, standin: Standin, gateway: str, fault: str
) -> None:
    loan_id = f"AXL32{gateway == 'cashfree':d}{FAULTS.index(fault):03d}"
    desk.gateway = gateway
    desk.book.owes(loan_id, "5499.00")
    desk.plan(loan_id)
    standin.fault("create", fault, next=1)
    report = desk.send()
    assert desk.states(loan_id) == ["open"]
    assert [link["reference"] for link in desk.at_gateway(loan_id)] == [f"{loan_id}_E260105_1"]
    assert report.outcomes["opened"] + report.outcomes["adopted"] == 1
    if fault in {"hang_after", "error_after"}:
        assert report.outcomes["adopted"] == 1, "what was made unheard of is found, not made again"
    if fault != "rate_limited":
        methods = [call["method"] for call in desk.calls(f"{loan_id}_E260105_1")]
        assert methods[:2] == ["POST", "GET"], "after a lost answer the next call is a look-up"


def test_a_look_up_that_lags_behind_is_waited_for(desk: Desk, standin: Standin) -> None:
    """Lists were seen to lag by minutes: the link was made, is not found, and is `already attempted` when made again."""
    desk.book.owes("AXL310091", "5499.00")
    desk.plan("AXL310091")
    desk.send()
    desk.conn.execute("update core.core_payment_link set state = 'sending', gateway_link_id = null")
    with pytest.MonkeyPatch.context() as patch:
        find, lagging = RazorpayLinks.find, iter([True, True])
        patch.setattr(
            RazorpayLinks, "find", lambda self, *given: None if next(lagging, False) else find(self, *given)
        )
        desk.send()
    assert desk.states("AXL310091") == ["open"]
    assert len(desk.at_gateway("AXL310091")) == 1


def test_an_account_that_refuses_us_stops_the_run_and_loses_nothing(desk: Desk) -> None:
    desk.book.owes("AXL310101", "5499.00")
    desk.plan("AXL310101")
    desk.secret = "wrong"
    with pytest.raises(LinkAccountError, match="401"):
        desk.send()
    assert desk.states("AXL310101") == ["planned"]
    desk.secret = "standin"
    desk.send()
    assert desk.states("AXL310101") == ["open"]


def test_an_outage_longer_than_a_runs_patience_is_left_to_the_next_run(desk: Desk, standin: Standin) -> None:
    desk.book.owes("AXL310111", "5499.00")
    desk.plan("AXL310111")
    standin.fault("any", "error_before")
    report = desk.send(patience_seconds=0.5)
    assert (report.waiting, desk.states("AXL310111")) == (1, ["sending"])
    assert "500" in desk.link("AXL310111")["last_error"]
    standin.calm()
    assert desk.send().waiting == 0
    assert desk.states("AXL310111") == ["open"]


def test_one_run_at_a_time_works_on_an_account(desk: Desk) -> None:
    with account_lock(desk.conn, desk.account), pytest.raises(AccountBusyError):
        send_links(desk.account, RUN)
    assert desk.send().waiting == 0


def test_the_due_is_part_of_the_rule(desk: Desk) -> None:
    """Another due is another link, once the first one has ended."""
    desk.book.owes("AXL310121", "5499.00", DUE)
    desk.plan("AXL310121")
    desk.send()
    desk.standin.pay_link("AXL310121_E260105_1", "pay_310121")
    desk.conn.execute(
        "update core.core_payment_link set polled_at = null, sent_at = now() - interval '1 day'"
    )
    desk.refresh()
    desk.book.owes("AXL310121", "5499.00", date(2026, 2, 5))
    assert [each.skip for each in desk.plan("AXL310121").proposals] == [LinkSkip.PAYMENT_UNDER_WAY]
    desk.identify("razorpay:pay_310121", "AXL310121", "key_310121")
    desk.post("AXL310121", "key_310121")
    assert [each.reference for each in desk.plan("AXL310121").links] == ["AXL310121_E260205_1"]
