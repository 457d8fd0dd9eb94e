"""Payments whose webhook never came are found at the gateway, land once, and are one payment with their webhook."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET
from tests.dbt.landing import (
    AXLE,
    AXLE_WEBHOOKS,
    GB,
    Channel,
    RazorpayPayment,
    put_lender,
    put_loan,
    put_mandate,
    put_webhook,
)
from tests.dbt.project import RUN, DbtProject
from tests.gateways.standin import PAID_AT, Standin
from turno_lms.domain.keys import source_key
from turno_lms.gateways.api import GatewayError, ListedPayment, ListedRefund, RazorpayApi
from turno_lms.gateways.sweep import GRACE, OVERLAP, WIDE, SweepReport, is_warehouse_built, sweep
from turno_lms.warehouse.connection import Role, WarehouseConnection

NOW = PAID_AT + timedelta(hours=1)


@pytest.fixture
def axle(project: DbtProject) -> DbtProject:
    put_lender(project.conn, AXLE)
    put_loan(project.conn, "AXL300001", 3)
    return project


def ask(
    project: DbtProject, standin: Standin, gateway: str = "razorpay", now: datetime = NOW, **options: Any
) -> SweepReport:
    return sweep(
        project.session(Role.INGESTION), standin.api(gateway), gateway, "axle", RUN, now=now, **options
    )


def landed(conn: WarehouseConnection, gateway: str = "razorpay") -> list[str]:
    query = f"select event_key from raw.raw_{gateway}_api where verdict = 'swept' order by 1"  # noqa: S608
    return [row["event_key"] for row in conn.execute(query)]


def test_a_payment_nobody_told_of_lands_once_and_is_one_payment_with_its_late_webhook(
    axle: DbtProject, standin: Standin
) -> None:
    late = standin.pay("pay_lost", receipt="AXL300001_1")
    standin.pay("pay_failed", receipt="AXL300001_2", events=("payment.failed",))
    standin.pay("pay_of_gb", lender="gb")
    told = standin.pay("pay_told", receipt="AXL300001_3", amount="200.00")
    put_webhook(axle.conn, "axle", json.loads(told.body))
    report = ask(axle, standin)
    assert (report.payments_seen, report.payments_landed) == (2, 1)
    assert landed(axle.conn) == ["swept:pay_lost:captured:0"]
    assert ask(axle, standin).payments_landed == 0
    axle.build_warehouse()
    # the loan was found by the receipt of the order, which only the order itself holds
    key = source_key("axle", "AXL300001", date(2026, 1, 5), "100.00")
    assert axle.payments()[key]["posting_block"] is None
    assert ask(axle, standin).payments_landed == 0
    put_webhook(axle.conn, "axle", json.loads(late.body))
    axle.build_warehouse()
    assert axle.payments()[key]["sightings"] == 1


def test_an_open_order_is_asked_for_however_long_ago_its_payment_was_made(
    axle: DbtProject, standin: Standin
) -> None:
    """A NACH debit is captured days after its creation: it is in no recent window, and its order is still open."""
    pending = standin.pay("pay_nach", receipt="AXL300001_1", events=("payment.authorized",))
    put_webhook(axle.conn, "axle", json.loads(pending.body))
    standin.pay("pay_nach", receipt="AXL300001_1")
    axle.build("money_path_base")
    later = PAID_AT + WIDE + timedelta(days=1)
    report = ask(axle, standin, now=later)
    assert (report.orders_asked, report.payments_landed) == (1, 1)
    assert landed(axle.conn) == ["swept:pay_nach:captured:0"]


@pytest.mark.parametrize("gateway", ["razorpay", "cashfree"])
def test_money_that_only_its_link_tells_of_is_asked_for_by_the_link(
    axle: DbtProject, standin: Standin, gateway: str
) -> None:
    """Polling found a link paid, long before any window of the sweep, and no webhook ever told of the payment."""
    axle.build("money_path_base")
    payment_id = "5114910009" if gateway == "cashfree" else "pay_by_link"
    standin.make_link("AXL300001_L1", gateway)
    long_ago = (NOW - timedelta(days=40)).isoformat()
    assert standin.pay_link("AXL300001_L1", payment_id, gateway=gateway, paid_at=long_ago).ok
    assert ask(axle, standin, gateway).payments_seen == 0
    axle.conn.execute(
        "with link as (insert into core.core_payment_link (reference, lender, loan_id, gateway, purpose, client_id,"
        " due_on, attempt, amount, state, accept_partial, created_by, created_by_run, changed_by_run)"
        " values ('AXL300001_L1', 'axle', 'AXL300001', %(gateway)s, 'emi', 1, '2026-01-05', 1, 100, 'paid', false,"
        " 'asha', 'r', 'r') returning link_id)"
        " insert into core.core_payment_link_payment (gateway_payment_reference, link_id, amount, payer_differs,"
        " told_by, told_to_run) select %(reference)s, link_id, 100, false, 'poll', 'r' from link",
        {"gateway": gateway, "reference": f"{gateway}:{payment_id}"},
    )
    report = ask(axle, standin, gateway)
    assert (report.orders_asked, report.payments_landed) == (1, 1)
    axle.build("money_path_base")
    assert ask(axle, standin, gateway).orders_asked == 0


def test_cashfree_is_asked_for_events_by_time_and_then_for_their_orders(
    axle: DbtProject, standin: Standin
) -> None:
    channels = (*AXLE.channels, Channel("cashfree", "links", posts=True))
    put_lender(axle.conn, replace(AXLE, channels=channels, webhooks=AXLE_WEBHOOKS))
    axle.conn.execute(
        "insert into core.core_lender_webhook_rule values"
        " ('axle', 'cashfree', 1, 'data.order.order_tags.link_id', '_', 1, 'AXL\\d{6}', 'loan_id')"
    )
    standin.pay("5114910001", gateway="cashfree", amount="1234.50", reference_id="AXL300001_7")
    standin.pay("5114910002", gateway="cashfree", events=("PAYMENT_FAILED_WEBHOOK",))
    report = ask(axle, standin, "cashfree")
    assert (report.payments_seen, report.payments_landed) == (1, 1)
    assert ask(axle, standin, "cashfree").payments_landed == 0
    axle.build_warehouse()
    key = source_key("axle", "AXL300001", date(2026, 1, 5), "1234.50")
    row = axle.payments()[key]
    assert (row["channels_seen"], row["posting_block"]) == (["cashfree"], None)


class OnePayment:
    """A gateway that knows one payment, in the state that it is given."""

    def __init__(self, entity: dict[str, Any]) -> None:
        self._payment = ListedPayment(
            entity["id"], None, True, entity["status"], entity["amount_refunded"], entity
        )

    def payments(self, *_: datetime) -> Iterator[ListedPayment]:
        yield self._payment

    def payments_of_order(self, *_: str) -> Iterator[ListedPayment]:
        yield from ()

    def refunds(self, *_: datetime) -> Iterator[ListedRefund]:
        yield from ()

    def envelope(self, payment: ListedPayment) -> dict[str, Any]:
        return {"event": "swept.payment", "payload": {"payment": {"entity": payment.entity}}}

    def refund_envelope(self, refund: ListedRefund) -> dict[str, Any]:
        raise NotImplementedError

    def token(self, *_: str) -> None:
        return None


def test_a_refund_nobody_told_of_is_found_with_its_payment(axle: DbtProject) -> None:
    paid = RazorpayPayment("pay_1", notes={"loan_id": "AXL300001"})
    put_webhook(axle.conn, "axle", paid.event())
    refunded = replace(paid, refunded="30.00").event()["payload"]["payment"]["entity"]
    for landed_rows in (1, 0):  # what landed is known before it is built
        report = sweep(axle.session(Role.INGESTION), OnePayment(refunded), "razorpay", "axle", RUN, now=NOW)
        assert report.payments_landed == landed_rows
    assert landed(axle.conn) == ["swept:pay_1:captured:3000"]
    axle.build_warehouse()
    (row,) = axle.payments().values()
    assert (row["payment_status"], row["posting_block"]) == ("partially_refunded", "not_collected")
    assert (
        sweep(
            axle.session(Role.INGESTION), OnePayment(refunded), "razorpay", "axle", RUN, now=NOW
        ).payments_landed
        == 0
    )


def test_a_refund_of_an_old_payment_is_found_by_its_own_time(axle: DbtProject, standin: Standin) -> None:
    """The payment is 40 days old and in no window any more; 30 of its 100 rupees went back an hour ago."""
    refunded_at = PAID_AT + timedelta(days=40)
    told = standin.pay("pay_old", notes={"loan_id": "AXL300001"})
    put_webhook(axle.conn, "axle", json.loads(told.body))
    axle.build_warehouse()
    refund = {"refund_id": "rfnd_1", "amount": "30.00", "made_at": refunded_at.isoformat()}
    standin.pay("pay_old", notes={"loan_id": "AXL300001"}, refund=refund)
    failed = {**refund, "refund_id": "rfnd_2", "is_failed": True}
    standin.pay("pay_of_another", notes={"loan_id": "AXL300001"}, refund=failed)
    later = refunded_at + timedelta(hours=1)
    report = ask(axle, standin, now=later)
    assert (report.payments_landed, report.refunds_landed, report.landed) == (0, 2, 2)
    assert landed(axle.conn) == ["swept:rfnd_1:processed", "swept:rfnd_2:failed"]
    assert ask(axle, standin, now=later).refunds_landed == 0
    axle.build_warehouse()
    (row,) = axle.payments().values()
    assert (row["payment_status"], row["posting_block"]) == ("partially_refunded", "not_collected")
    assert ask(axle, standin, now=later).refunds_landed == 0


def test_cashfree_is_asked_for_refunds_by_their_events_and_orders(axle: DbtProject, standin: Standin) -> None:
    channels = (*AXLE.channels, Channel("cashfree", "links", posts=True))
    put_lender(axle.conn, replace(AXLE, channels=channels, webhooks=AXLE_WEBHOOKS))
    axle.conn.execute(
        "insert into core.core_lender_webhook_rule values"
        " ('axle', 'cashfree', 1, 'data.order.order_tags.link_id', '_', 1, 'AXL\\d{6}', 'loan_id')"
    )
    refunded_at = PAID_AT + timedelta(days=40)
    refund = {"refund_id": "7001", "amount": "1234.50", "made_at": refunded_at.isoformat()}
    standin.pay("5114910001", gateway="cashfree", amount="1234.50", reference_id="AXL300001_7", refund=refund)
    first = ask(axle, standin, "cashfree")
    assert (first.payments_landed, first.refunds_landed) == (1, 0)
    report = ask(axle, standin, "cashfree", now=refunded_at + timedelta(hours=1))
    assert report.refunds_landed == 1
    axle.build_warehouse()
    (row,) = axle.payments().values()
    assert (row["payment_status"], row["posting_block"]) == ("refunded", "not_collected")


def test_a_mandate_known_by_its_token_only_is_asked_for_and_then_names_the_loan(
    project: DbtProject, standin: Standin
) -> None:
    by_webhook = Channel("razorpay", "nach_debits", posts=True)
    put_lender(project.conn, replace(GB, channels=(by_webhook,)))
    put_loan(project.conn, "GB100001", 1)
    put_mandate(project.conn, "HDFC7000000100151001", "GB100001")
    nach = {"lender": "gb", "method": "nach", "notes": {}}
    paid = standin.pay("pay_nach", **nach)
    put_webhook(project.conn, "gb", json.loads(paid.body))
    project.build_warehouse()
    assert project.payments() == {}
    api = RazorpayApi(standin.url, f"{API_KEY_ID}_gb", API_KEY_SECRET)
    # the bank has not given a UMRN yet: nothing lands, and the next sweep asks again
    assert sweep(project.session(Role.INGESTION), api, "razorpay", "gb", RUN, now=NOW).tokens_landed == 0
    standin.pay("pay_nach", **nach, umrn="HDFC7000000100151001")
    assert sweep(project.session(Role.INGESTION), api, "razorpay", "gb", RUN, now=NOW).tokens_landed == 1
    project.build_warehouse()
    (row,) = project.payments().values()
    assert (row["loan_id"], row["posting_block"]) == ("GB100001", None)
    assert sweep(project.session(Role.INGESTION), api, "razorpay", "gb", RUN, now=NOW).tokens_landed == 0


def test_every_page_is_asked_for(axle: DbtProject, standin: Standin) -> None:
    for number in range(3):
        moment = PAID_AT + timedelta(minutes=number)
        standin.pay(f"pay_{number}", paid_at=moment)
        standin.pay(f"51149{number}", gateway="cashfree", paid_at=moment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("turno_lms.gateways.api.PAGE", 2)
        assert ask(axle, standin).payments_landed == 3
        assert ask(axle, standin, "cashfree").payments_landed == 3


def test_a_gateway_that_refuses_leaves_its_window_to_the_next_sweep(
    axle: DbtProject, standin: Standin
) -> None:
    with pytest.raises(GatewayError, match="razorpay: GET /v1/payments: 401"):
        sweep(axle.session(Role.INGESTION), standin.api(secret="wrong"), "razorpay", "axle", RUN, now=NOW)
    with pytest.raises(GatewayError, match="cashfree: POST /pg/recon: 401"):
        sweep(
            axle.session(Role.INGESTION), standin.api("cashfree", "wrong"), "cashfree", "axle", RUN, now=NOW
        )
    assert axle.conn.execute("select from core.core_gateway_sweep").fetchall() == []


def test_windows_overlap_and_once_a_day_one_is_wide(axle: DbtProject, standin: Standin) -> None:
    first = ask(axle, standin)
    assert (first.window_from, first.window_until) == (NOW - GRACE - WIDE, NOW - GRACE)
    second = ask(axle, standin, now=NOW + timedelta(minutes=30))
    assert second.window_from == first.window_until - OVERLAP
    # after two days without a sweep the next reaches back over all of them, and is wide again
    third = ask(axle, standin, now=NOW + timedelta(days=2))
    assert third.window_from == second.window_until - WIDE
    asked = datetime(2025, 12, 1, tzinfo=UTC)
    assert ask(axle, standin, now=NOW + timedelta(days=2), since=asked).window_from == asked


def test_a_warehouse_that_was_never_built_cannot_tell_what_is_missing(
    warehouse: WarehouseConnection, project: DbtProject
) -> None:
    assert not is_warehouse_built(warehouse)
    assert is_warehouse_built(project.session(Role.INGESTION))


@pytest.mark.parametrize("gateway", ["razorpay", "cashfree"])
def test_a_day_without_settlements_has_no_lines(standin: Standin, gateway: str) -> None:
    standin.pay("pay_unsettled")
    assert list(standin.api(gateway).settled_on(date(2026, 1, 6))) == []


@pytest.mark.parametrize("gateway", ["razorpay", "cashfree"])
def test_settlements_are_told_to_the_account_alone(standin: Standin, gateway: str) -> None:
    with pytest.raises(GatewayError):
        list(standin.api(gateway, secret="wrong").settled_on(date(2026, 1, 6)))
