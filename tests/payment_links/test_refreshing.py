"""The life of a link that is out: webhooks and polling come to one end, changed dues to a new link, money is never lost."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from local_stack.gateways.link_webhooks import link_webhook
from local_stack.gateways.links import Link
from local_stack.gateways.payments import Gateway, Payment
from tests.dbt.landing import put_loan
from tests.gateways.standin import Standin
from tests.payment_links.desk import DUE, RUN, Desk
from turno_lms.domain.states import LinkPurpose, LinkSkip
from turno_lms.payment_links.cancel import CancelError, request_cancel
from turno_lms.payment_links.links import LinkPayment
from turno_lms.payment_links.questions import raise_questions
from turno_lms.payment_links.razorpay_links import RazorpayLinks
from turno_lms.payment_links.statements import STATEMENTS
from turno_lms.payment_links.webhooks import link_of_cashfree, read_webhooks
from turno_lms.warehouse.connection import Row

GATEWAYS = ("razorpay", "cashfree")


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(desk: Desk, loan_id: str, rupees: str = "1000.00", **policy: Any) -> str:
    """A link that the borrower can pay; returns its reference."""
    desk.policy_fields = policy
    desk.book.owes(loan_id, rupees)
    desk.plan(loan_id)
    desk.send()
    row = desk.link(loan_id)
    assert row["state"] == "open"
    return str(row["reference"])


def land(desk: Desk, gateway: str, body: dict[str, Any]) -> None:
    """A webhook that the receiver has stored."""
    text = json.dumps(body)
    desk.conn.execute(
        f"insert into raw.raw_{gateway}_api (lender, event_key, body_sha256, event_type, body, payload, headers, verdict)"  # noqa: S608
        " values ('axle', md5(%(body)s), md5(%(body)s), %(type)s, %(bytes)s, %(body)s::jsonb, '{}', 'verified_current')",
        {"body": text, "bytes": text.encode(), "type": body.get("event") or body.get("type")},
    )


def told(desk: Desk, gateway: str, reference: str, ended: str | None = None, *payments: Payment) -> None:
    """The webhook of a link as the stand-in would write it."""
    row = desk.conn.execute(
        "select * from core.core_payment_link where reference = %s", (reference,)
    ).fetchone()
    assert row is not None
    link = Link(
        Gateway(gateway), "axle", reference, int(row["amount"] * 100), True, 0, row["expires_at"],
        {"customer": {"contact": "9000000001"}},
    )  # fmt: skip
    link.payments.extend(payments)
    if ended:
        getattr(link, ended)()
    land(desk, gateway, json.loads(link_webhook(link, payments[-1] if payments else None).body))


def payment(gateway: str, payment_id: str, rupees: str, **fields: Any) -> Payment:
    base = {
        "gateway": gateway,
        "lender": "axle",
        "payment_id": payment_id,
        "amount": rupees,
        "receipt": "CFPay_1",
    }
    return Payment.model_validate({**base, "paid_at": "2026-01-06T10:00:00+05:30", **fields})


def poll(desk: Desk) -> None:
    """Ask about every link, however lately it was heard of."""
    desk.conn.execute(
        "update core.core_payment_link set polled_at = null, sent_at = now() - interval '1 day'"
    )
    desk.refresh()


def end_state(desk: Desk, loan_id: str) -> tuple[Any, ...]:
    """What a link has come to, without how it was learnt."""
    row = desk.link(loan_id)
    money = desk.conn.execute(
        "select gateway_payment_reference, amount, payer_differs from core.core_payment_link_payment"
        " where link_id = %s order by 1",
        (row["link_id"],),
    ).fetchall()
    told_of = [
        (each["gateway_payment_reference"][-1], str(each["amount"]), each["payer_differs"]) for each in money
    ]
    return row["state"], str(row["amount_paid"]), told_of


Event = Callable[[Desk, Standin, str, str], None]


def _id(reference: str, nth: int) -> str:
    """A payment id that follows from the link's: digits alone, as Cashfree's are."""
    return f"{reference[3:9]}{nth}"


def _paid(desk: Desk, standin: Standin, gateway: str, reference: str) -> None:
    standin.pay_link(reference, _id(reference, 1), gateway=gateway)
    told(desk, gateway, reference, None, payment(gateway, _id(reference, 1), "1000.00", contact="9000000001"))


def _partly_paid(desk: Desk, standin: Standin, gateway: str, reference: str) -> None:
    standin.pay_link(reference, _id(reference, 2), gateway=gateway, amount="400.00")
    told(desk, gateway, reference, None, payment(gateway, _id(reference, 2), "400.00", contact="9000000001"))


def _paid_in_parts(desk: Desk, standin: Standin, gateway: str, reference: str) -> None:
    _partly_paid(desk, standin, gateway, reference)
    standin.pay_link(reference, _id(reference, 3), gateway=gateway)
    first = payment(gateway, _id(reference, 2), "400.00")
    told(
        desk,
        gateway,
        reference,
        None,
        first,
        payment(gateway, _id(reference, 3), "600.00", contact="9000000001"),
    )


def _expired(desk: Desk, standin: Standin, gateway: str, reference: str) -> None:
    standin.expire_link(reference, gateway)
    told(desk, gateway, reference, "expire")


def _cancelled(desk: Desk, standin: Standin, gateway: str, reference: str) -> None:
    with desk.account.tools(lambda _: None) as tools:
        tools.gateway.cancel(reference, desk.link(reference.split("_", maxsplit=1)[0])["gateway_link_id"])
    told(desk, gateway, reference, "cancel")


@pytest.mark.parametrize(
    ("happens", "state", "paid"),
    [
        (_paid, "paid", "1000.00"),
        (_partly_paid, "partly_paid", "400.00"),
        (_paid_in_parts, "paid", "1000.00"),
        (_expired, "expired", "0.00"),
        (_cancelled, "cancelled", "0.00"),
    ],
)
def test_webhooks_and_polling_come_to_the_same_end(
    desk: Desk, standin: Standin, gateway: str, happens: Event, state: str, paid: str
) -> None:
    desk.gateway = gateway
    number = 330000 + 100 * GATEWAYS.index(gateway) + sum(map(ord, happens.__name__)) % 97
    by_webhook, by_poll = f"AXL{number}", f"AXL{number + 1000}"
    ends = {}
    for loan_id in (by_webhook, by_poll):
        reference = opened(desk, loan_id, partial_payment={"first_at_least": "1.00"})
        happens(desk, standin, gateway, reference)
        if loan_id == by_webhook:
            assert read_webhooks(desk.app, RUN)
        else:
            desk.conn.execute("truncate raw.raw_razorpay_api, raw.raw_cashfree_api")
            poll(desk)
        ends[loan_id] = end_state(desk, loan_id)
        # said again, by the other one too, it changes nothing
        read_webhooks(desk.app, RUN)
        poll(desk)
        assert end_state(desk, loan_id) == ends[loan_id]
    assert ends[by_webhook][:2] == (state, paid)
    assert ends[by_webhook] == ends[by_poll]


def test_events_are_read_once_and_none_that_commits_late_is_skipped(desk: Desk, standin: Standin) -> None:
    reference = opened(desk, "AXL340001")
    with desk.conn.transaction():  # open while the reading goes on: its commit comes later
        _paid(desk, standin, "razorpay", reference)
        assert read_webhooks(desk.app, RUN) == {}
    assert read_webhooks(desk.app, RUN) == {"paid": 1}
    desk.conn.execute("select pg_current_xact_id()")
    assert read_webhooks(desk.app, RUN) in ({}, {"paid": 1})


def test_an_event_that_is_not_ours_or_cannot_be_read_holds_nothing_up(desk: Desk) -> None:
    reference = opened(desk, "AXL340011")
    told(desk, "razorpay", reference, None, payment("razorpay", "pay_340011", "1000.00"))
    land(desk, "razorpay", {"event": "payment_link.paid", "payload": {"payment_link": {"entity": {"id": 1}}}})
    body = {"id": "plink_x", "reference_id": "other", "status": "created", "amount": 1, "amount_paid": 0}
    land(desk, "razorpay", {"event": "payment_link.paid", "payload": {"payment_link": {"entity": body}}})
    assert read_webhooks(desk.app, RUN) == {"paid": 1, "unreadable": 1, "not_ours": 1}


def test_cashfrees_two_layouts_of_a_link_event_say_the_same() -> None:
    """The documentation shows it flat with texts, the vendor's own examples nested with numbers."""
    order = {
        "order_amount": "22.00",
        "order_id": "CFPay_1",
        "transaction_id": 1021,
        "transaction_status": "SUCCESS",
    }
    flat = {
        "cf_link_id": 1576977, "link_id": "AXL340091_E260105_1", "link_status": "PARTIALLY_PAID",
        "link_amount": "200.12", "link_amount_paid": "55.00", "order": order,
    }  # fmt: skip
    nested = flat | {"link_amount": Decimal("200.12"), "link_amount_paid": 55}
    seen = link_of_cashfree({"type": "PAYMENT_LINK_EVENT", "data": flat})
    assert seen == link_of_cashfree({"type": "PAYMENT_LINK_EVENT", "data": {"link": nested}})
    # this payment is the order's 22.00; 55.00 is the sum so far
    assert (seen.amount_paid, seen.payments) == (
        Decimal("55.00"),
        (LinkPayment("cashfree:1021", Decimal("22.00")),),
    )


def test_a_manual_repayment_has_the_link_cancelled_and_quoted_anew(desk: Desk, gateway: str) -> None:
    desk.gateway = gateway
    loan_id = f"AXL34010{GATEWAYS.index(gateway)}"
    opened(desk, loan_id)
    assert desk.refresh() == {}, "nothing has changed on the loan"
    desk.book.owes(loan_id, "600.00")  # Fineract, after 400 were paid at the counter
    desk.post(loan_id, f"manual_{loan_id}", "400.00")
    done = desk.refresh()
    assert done == {"cancelled": 1, "dues_changed": 1, "requoted": 1}
    desk.send()
    first, second = desk.links(loan_id)
    assert (first["state"], first["end_reason"]) == ("cancelled", "dues_changed")
    assert (second["state"], str(second["amount"]), second["replaces"]) == (
        "open",
        "600.00",
        first["link_id"],
    )
    assert [(link["status"], link["paise"]) for link in desk.at_gateway(loan_id)] == [
        ("cancelled", 100000),
        ("active", 60000),
    ]
    assert desk.refresh() == {}, "what is due is what is asked for"


def test_a_charge_or_another_snapshot_has_the_dues_looked_at(desk: Desk) -> None:
    opened(desk, "AXL340021")
    put_loan(desk.conn, "AXL340021", 3)
    assert desk.refresh() == {"still_due": 1}
    assert desk.refresh() == {}
    desk.book.owes("AXL340021", "1250.00")
    put_loan(desk.conn, "AXL340021", 3)
    assert desk.refresh()["requoted"] == 1
    assert [str(row["amount"]) for row in desk.links("AXL340021")] == ["1000.00", "1250.00"]


def test_a_due_that_was_met_otherwise_is_not_followed_by_the_next_months(desk: Desk) -> None:
    opened(desk, "AXL340031")
    desk.book.owes("AXL340031", "1000.00", date(2026, 2, 5))
    desk.post("AXL340031", "k340031")
    assert desk.refresh() == {"cancelled": 1, "dues_changed": 1, "not_requoted_nothing_due": 1}
    assert desk.states("AXL340031") == ["cancelled"]
    assert desk.refresh() == {}


def test_overdue_money_is_quoted_anew_for_the_later_due(desk: Desk) -> None:
    desk.book.owes("AXL340041", "1000.00")
    desk.plan("AXL340041", purpose=LinkPurpose.OVERDUE)
    desk.send()
    desk.book.owes("AXL340041", "2000.00", date(2026, 2, 5))
    put_loan(desk.conn, "AXL340041", 3)
    assert desk.refresh()["requoted"] == 1
    assert [row["reference"] for row in desk.links("AXL340041")] == [
        "AXL340041_D260105_1",
        "AXL340041_D260205_1",
    ]


def test_a_link_waits_for_its_own_money_to_reach_fineract_before_it_is_compared(
    desk: Desk, standin: Standin
) -> None:
    reference = opened(desk, "AXL340051", partial_payment={"first_at_least": "1.00"})
    standin.pay_link(reference, "pay_340051", amount="400.00")
    poll(desk)
    put_loan(desk.conn, "AXL340051", 3)
    assert desk.refresh(check_every_link=True) == {}, "collected, and Fineract still asks for all"
    desk.identify("razorpay:pay_340051", "AXL340051", "k340051", "400.00")
    desk.post("AXL340051", "k340051", "400.00")
    desk.book.owes("AXL340051", "600.00")
    assert desk.refresh() == {"still_due": 1}, "1,000 less the 400 that it brought itself"
    assert desk.states("AXL340051") == ["partly_paid"]


def test_a_partly_paid_link_that_cannot_be_cancelled_is_a_question_for_a_person(
    desk: Desk, standin: Standin
) -> None:
    reference = opened(desk, "AXL340061", partial_payment={"first_at_least": "1.00"})
    standin.pay_link(reference, "pay_340061", amount="400.00")
    poll(desk)
    desk.identify("razorpay:pay_340061", "AXL340061", "k340061", "400.00")
    desk.post("AXL340061", "k340061", "400.00")
    desk.book.owes("AXL340061", "100.00")  # 500 more came by another way
    assert desk.refresh() == {"dues_changed": 1, "stale": 1}
    assert desk.states("AXL340061") == ["partly_paid"]
    assert questions(desk) == {("link_stale", reference): "600.00"}
    standin.expire_link(reference)
    poll(desk)
    assert questions(desk) == {}, "it has ended"


def questions(desk: Desk) -> dict[tuple[str, str], str]:
    """The open exceptions after another judgement: kind and subject, with rupees."""
    raise_questions(desk.app, RUN)
    raise_questions(desk.app, RUN)
    rows = desk.conn.execute(
        "select kind, subject, amount from core.core_recon_exception where state = 'open'"
    )
    return {(row["kind"], row["subject"]): str(row["amount"]) for row in rows}


def changed(desk: Desk, loan_id: str) -> None:
    """Make a link one whose dues have changed."""
    desk.book.owes(loan_id, "700.00")
    put_loan(desk.conn, loan_id, 3)


def test_a_payment_that_beats_the_cancellation_makes_the_link_paid(
    desk: Desk, standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(desk, "AXL340071")
    changed(desk, "AXL340071")
    cancel = RazorpayLinks.cancel

    def pay_first(self: RazorpayLinks, reference: str, gateway_link_id: str) -> Any:
        assert standin.pay_link(reference, "pay_340071").ok
        return cancel(self, reference, gateway_link_id)

    monkeypatch.setattr(RazorpayLinks, "cancel", pay_first)
    assert desk.refresh() == {"dues_changed": 1, "paid": 1}
    assert end_state(desk, "AXL340071")[:2] == ("paid", "1000.00")
    assert desk.refresh() == {}, "what was paid is not quoted anew"


@pytest.mark.parametrize("told_by", ["webhook", "poll"])
def test_money_that_was_under_way_when_a_link_was_cancelled_is_recorded_and_asked_about(
    desk: Desk, standin: Standin, gateway: str, told_by: str
) -> None:
    desk.gateway = gateway
    loan_id = f"AXL3402{GATEWAYS.index(gateway)}{len(told_by)}"
    reference = opened(desk, loan_id)
    changed(desk, loan_id)
    desk.refresh()
    assert desk.states(loan_id) == ["cancelled", "planned"]
    assert standin.pay_link(reference, _id(reference, 1), gateway=gateway, was_under_way=True).ok
    if told_by == "webhook":
        paid = payment(gateway, _id(reference, 1), "1000.00", contact="9000000001")
        told(desk, gateway, reference, None, paid)
        read_webhooks(desk.app, RUN)
    else:
        assert desk.refresh() == {}, "asked about once more, an hour after its end"
        desk.conn.execute(
            "update core.core_payment_link set ended_at = now() - interval '2 hours', polled_at = now() - interval '2 hours'"
        )
        assert desk.refresh() == {"polled_paid": 1}
    assert desk.states(loan_id) == ["paid", "planned"]
    assert questions(desk) == {("link_paid_after_end", reference): "1000.00"}
    # and no link is planned for money that is there
    assert [each.skip for each in desk.plan(loan_id).proposals] == [LinkSkip.ALREADY_LIVE]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_cancellation_whose_answer_was_lost_is_looked_up(
    desk: Desk, standin: Standin, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    loan_id = f"AXL34030{len(when)}"
    opened(desk, loan_id)
    changed(desk, loan_id)
    standin.fault("cancel", f"error_{when}", next=1)
    assert desk.refresh()["left"] == 1
    assert desk.states(loan_id) == ["cancelling"]
    assert [each.skip for each in desk.plan(loan_id).proposals] == [LinkSkip.ALREADY_LIVE]
    assert desk.refresh() == {"cancelled": 1, "requoted": 1}
    assert desk.states(loan_id) == ["cancelled", "planned"]


def test_a_wrong_amount_and_another_payer_are_exceptions(desk: Desk, standin: Standin) -> None:
    reference = opened(desk, "AXL340401", partial_payment={"first_at_least": "1.00"})
    standin.pay_link(reference, "pay_340401", contact="9123456789")
    poll(desk)
    assert questions(desk) == {("link_payer_mismatch", "razorpay:pay_340401"): "1000.00"}
    # booked on another loan than the link is of
    other = opened(desk, "AXL340402")
    standin.pay_link(other, "pay_340402")
    poll(desk)
    desk.identify("razorpay:pay_340402", "AXL349999", "k340402", "1000.00")
    # a gateway that took more than was asked for
    third = opened(desk, "AXL340403")
    told(desk, "razorpay", third, None, payment("razorpay", "pay_340403", "1100.00", contact="9000000001"))
    read_webhooks(desk.app, RUN)
    assert questions(desk) == {
        ("link_payer_mismatch", "razorpay:pay_340401"): "1000.00",
        ("link_payer_mismatch", "razorpay:pay_340402"): "1000.00",
        ("link_amount_mismatch", third): "1100.00",
    }
    desk.conn.execute(
        "update core.core_recon_exception set state = 'resolved', closed_by = 'asha', close_reason = 'her brother paid'"
        " where subject = 'razorpay:pay_340401'"
    )
    assert ("link_payer_mismatch", "razorpay:pay_340401") not in questions(desk), (
        "what was answered is not asked again"
    )


def test_the_life_of_a_rupee_is_one_query(desk: Desk, standin: Standin) -> None:
    reference = opened(desk, "AXL340501", partial_payment={"first_at_least": "1.00"})
    standin.pay_link(reference, "pay_340501", amount="400.00")
    standin.pay_link(reference, "pay_340502")
    poll(desk)
    desk.identify("razorpay:pay_340501", "AXL340501", "k340501", "400.00")
    desk.post("AXL340501", "k340501", "400.00")
    for key in (reference, "AXL340501", "razorpay:pay_340501", "k340501"):
        rows: list[Row] = desk.app.execute(STATEMENTS["show_links"], {"key": key}).fetchall()
        posted = next(row for row in rows if row["posting_key"])
        assert (posted["link_state"], posted["posting_state"], posted["fineract_transaction_id"]) == (
            "paid",
            "posted",
            1,
        )
        assert (posted["payment_amount"], posted["business_date"]) == (Decimal("400.00"), DUE)
    rows = desk.app.execute(STATEMENTS["show_links"], {"key": reference}).fetchall()
    assert [(row["gateway_payment_reference"], row["posting_state"]) for row in rows] == [
        ("razorpay:pay_340501", "posted"),
        ("razorpay:pay_340502", None),
    ]


def test_a_gateway_that_does_not_answer_leaves_a_link_as_it_is(desk: Desk, standin: Standin) -> None:
    opened(desk, "AXL340601")
    standin.fault("find", "rate_limited", next=1)
    desk.conn.execute(
        "update core.core_payment_link set gateway_link_id = null, polled_at = null, sent_at = '2026-01-01'"
    )
    assert desk.refresh() == {"left": 1}
    assert desk.states("AXL340601") == ["open"]


def test_a_person_has_links_cancelled_and_made_anew(desk: Desk, gateway: str) -> None:
    desk.gateway = gateway
    reference = opened(desk, "AX000001")
    number = desk.link("AX000001")["link_id"]
    with pytest.raises(CancelError, match="say why"):
        request_cancel(desk.conn, [number], " ", RUN, requote=True)
    with pytest.raises(CancelError, match="no link 99"):
        request_cancel(desk.conn, [number, 99], "wrong customer", RUN, requote=True)
    assert desk.states("AX000001") == ["open"], "all of them, or none"

    desk.book.owes("AX000001", "1500.00")
    assert request_cancel(desk.conn, [number], "wrong amount", RUN, requote=True) == 1
    desk.refresh()

    assert desk.states("AX000001") == ["cancelled", "planned"]
    cancelled = next(row for row in desk.links("AX000001") if row["reference"] == reference)
    assert cancelled["end_reason"] == f"cancelled by {RUN.actor}: wrong amount"
    assert [row["amount"] for row in desk.links("AX000001")] == [Decimal("1000.00"), Decimal("1500.00")]
    with pytest.raises(CancelError, match="is cancelled: it cannot be"):
        request_cancel(desk.conn, [number], "again", RUN, requote=False)


def test_a_link_that_was_not_sent_is_withdrawn(desk: Desk) -> None:
    desk.book.owes("AX000001", "1000.00")
    desk.plan("AX000001")
    request_cancel(desk.conn, [desk.link("AX000001")["link_id"]], "not wanted", RUN, requote=False)
    assert desk.states("AX000001") == ["withdrawn"]
