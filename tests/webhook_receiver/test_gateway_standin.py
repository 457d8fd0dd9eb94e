"""The gateways' stand-in: payments become signed webhooks that the receiver takes, again and again if need be."""

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Thread, Timer
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
import uvicorn

from local_stack.gateways.client import send_payments
from local_stack.gateways.delivery import Courier
from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET
from local_stack.gateways.payments import Gateway, Payment
from local_stack.gateways.server import build_app
from local_stack.gateways.webhooks import webhooks_of
from local_stack.health import answers
from local_stack.processes import LOOPBACK, StackError, free_port, spawn, stop_child, wait_until
from tests.dbt.landing import AXLE, put_lender
from tests.gateways.standin import Standin
from tests.payment_links.desk import RUN, Desk, no_record
from tests.webhook_receiver.receiver_process import AXLE_SECRET, PROJECT, SECRETS, Receiver, start_receiver
from turno_lms.payment_links.webhooks import read_webhooks
from turno_lms.warehouse.connection import WarehouseConnection

INDIA = ZoneInfo("Asia/Kolkata")
PAID_AT = datetime(2026, 1, 5, 11, 12, tzinfo=INDIA)  # 05:42 UTC: 1767591720


def start_standin(folder: Path, receiver_port: int) -> Iterator[str]:
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    receiver_url = f"http://{LOOPBACK}:{receiver_port}"
    command = [
        sys.executable,
        "-m",
        "local_stack.gateways",
        "--port",
        str(port),
        "--receiver-url",
        receiver_url,
    ]
    environment = {"PATH": os.environ["PATH"], **SECRETS}
    process = spawn(command, log=folder / "gateways.log", env=environment, cwd=PROJECT)
    assert wait_until(lambda: answers(f"{url}/standin/health"), seconds=20)
    yield url
    stop_child(process)


@pytest.fixture(scope="module")
def standin(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a stand-in that delivers to the session's receiver."""
    yield from start_standin(tmp_path_factory.mktemp("gateways"), receiver.port)


def payment(payment_id: str, **fields: Any) -> Payment:
    defaults = {
        "gateway": "razorpay",
        "lender": "axle",
        "payment_id": payment_id,
        "amount": "5499.00",
        "paid_at": PAID_AT,
    }
    return Payment.model_validate(defaults | fields)


def bodies(made: Payment) -> dict[str, dict[str, Any]]:
    return {webhook.event: json.loads(webhook.body, parse_float=Decimal) for webhook in webhooks_of(made)}


def payloads(raw: WarehouseConnection, payment_id: str) -> list[dict[str, Any]]:
    query = """
        select event_type, payload from raw.raw_razorpay_api
        where payload #>> '{payload,payment,entity,id}' = %s order by event_type
    """
    return raw.execute(query, (payment_id,)).fetchall()


def test_a_payment_arrives_as_the_events_asked_for(standin: str, raw: WarehouseConnection) -> None:
    events = ("payment.authorized", "payment.captured", "order.paid", "payment_link.paid")
    made = payment("pay_fourEvents0001", receipt="AXL300301_1", reference_id="AXL300301_1", events=events)
    deliveries = send_payments(standin, [made])
    assert [(delivery.event, delivery.attempts, delivery.status) for delivery in deliveries] == [
        (event, 1, 200) for event in events
    ]
    assert len({delivery.event_id for delivery in deliveries}) == 4
    assert [row["event_type"] for row in payloads(raw, made.payment_id)] == sorted(events)


def test_sent_again_a_payment_is_the_same_bytes_and_so_no_new_row(
    standin: str, raw: WarehouseConnection
) -> None:
    made = payment("pay_again0000001", copies=3)
    assert len(send_payments(standin, [made])) == 3
    send_payments(standin, [made])
    assert len(payloads(raw, made.payment_id)) == 1


def test_hundreds_of_payments_take_seconds(standin: str) -> None:
    began = time.monotonic()
    made = [payment(f"pay_many{number:06d}") for number in range(400)]
    assert len(send_payments(standin, made)) == 400
    assert time.monotonic() - began < 10


def test_amounts_are_paise_at_razorpay_and_rupees_at_cashfree() -> None:
    # 5,499.50 rupees; fee 2 % and 18 % GST on it = 2.36 %: 549950 * 0.0236 = 12978.82, of which tax 12978 / 118 * 18
    entity = bodies(payment("pay_amount", amount="5499.50"))["payment.captured"]["payload"]["payment"][
        "entity"
    ]
    assert (entity["amount"], entity["fee"], entity["tax"]) == (549_950, 12_978, 1_980)
    cashfree = payment("5114912345", gateway="cashfree", amount="170")
    (webhook,) = webhooks_of(cashfree)
    assert b'"payment_amount":170.00,' in webhook.body
    paid = json.loads(webhook.body)["data"]["payment"]
    assert (paid["cf_payment_id"], paid["payment_status"]) == ("5114912345", "SUCCESS")
    assert paid["payment_time"] == "2026-01-05T11:12:00+05:30"


def test_a_nach_debit_has_its_mandate_in_the_notes_and_no_acquirer_data() -> None:
    made = payment("pay_nach", method="nach", notes={"umrn": "HDFC7000000100151001"})
    entity = bodies(made)["payment.captured"]["payload"]["payment"]["entity"]
    assert (entity["method"], entity["acquirer_data"]) == ("nach", {})
    assert entity["notes"] == {"umrn": "HDFC7000000100151001"}


def test_a_link_event_carries_the_links_time_and_another_form_of_order() -> None:
    made = payment("pay_link", reference_id="AXL300301_2", events=("payment_link.paid", "order.paid"))
    link, order = bodies(made).values()
    # 1767591720 - 86400
    assert link["created_at"] == link["payload"]["payment_link"]["entity"]["created_at"] == 1_767_505_320
    assert link["payload"]["payment"]["entity"]["created_at"] == 1_767_591_720
    order_of_link = link["payload"]["order"]["entity"]
    assert order_of_link["receipt"] == "AXL300301_2"
    assert f"order_{order_of_link['id']}" == order["payload"]["order"]["entity"]["id"]


def test_empty_notes_are_a_list_as_at_razorpay() -> None:
    assert bodies(payment("pay_notes"))["payment.captured"]["payload"]["payment"]["entity"]["notes"] == []


def test_cashfree_webhooks_are_signed_and_stored_too(standin: str, raw: WarehouseConnection) -> None:
    made = payment("5114919999", gateway=Gateway.CASHFREE, amount="1234.50", reference_id="AXL300302_1")
    send_payments(standin, [made])
    query = """
        select payload #>> '{data,payment,payment_amount}' as amount, verdict, stale from raw.raw_cashfree_api
        where payload #>> '{data,payment,cf_payment_id}' = '5114919999'
    """
    assert raw.execute(query).fetchall() == [
        {"amount": "1234.50", "verdict": "verified_current", "stale": False}
    ]


def test_a_payment_can_be_asked_for_as_at_razorpays_api(standin: str) -> None:
    send_payments(standin, [payment("pay_fetched")])
    url = f"{standin}/v1/payments"
    key = (API_KEY_ID, API_KEY_SECRET)
    entity = requests.get(f"{url}/pay_fetched", auth=key, timeout=5).json()
    assert (entity["id"], entity["amount"], entity["status"]) == ("pay_fetched", 549_900, "captured")
    assert requests.get(f"{url}/pay_fetched", timeout=5).status_code == 401
    assert requests.get(f"{url}/pay_unknown", auth=key, timeout=5).status_code == 400


@pytest.mark.parametrize(
    "fields",
    [{"amount": "1.005"}, {"events": ("payment.paid",)}, {"gateway": "paytm"}, {"loan": "AXL300301"}],
    ids=["fraction-of-a-paisa", "event", "gateway", "field"],
)
def test_a_payment_no_gateway_would_make_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="1 validation error"):
        payment("pay_refused", **fields)


def test_an_account_without_a_secret_is_named(standin: str) -> None:
    with pytest.raises(StackError, match="no webhook secret for \\['cashfree:gb'\\]"):
        send_payments(standin, [payment("pay_nobody", gateway="cashfree", lender="gb")])


def test_webhooks_that_were_refused_to_the_end_are_reported(receiver: Receiver) -> None:
    # the receiver has no secret for bare: 503 at every attempt, the first and one for each wait
    courier = Courier(receiver.url, {"razorpay:bare": "unknown"}, back_off=(0.01, 0.01))
    server = uvicorn.Server(uvicorn.Config(build_app(courier), port=free_port(), log_level="warning"))
    thread = Thread(target=server.run)
    thread.start()
    try:
        assert wait_until(lambda: server.started, seconds=10)
        with pytest.raises(StackError, match=r"1 of 1 webhooks were not accepted.*503 after 3 attempts"):
            send_payments(f"http://{LOOPBACK}:{server.config.port}", [payment("pay_closed", lender="bare")])
    finally:
        server.should_exit = True
        thread.join()


def test_delivery_goes_on_until_the_receiver_is_there(
    receiver_python: Path, receiver_url: str, tmp_path: Path
) -> None:
    started: list[Receiver] = []
    port = free_port()
    late = Timer(
        0.5, lambda: started.append(start_receiver(receiver_python, tmp_path, receiver_url, port=port))
    )
    standin = start_standin(tmp_path, port)
    url = next(standin)
    late.start()
    try:
        (delivery,) = send_payments(url, [payment("pay_patient", notes={"secret": AXLE_SECRET})])
        assert delivery.attempts > 1
    finally:
        late.join()
        started[0].stop()
        next(standin, None)


@pytest.mark.parametrize(
    ("gateway", "payment_id"), [("razorpay", "pay_byLink0000001"), ("cashfree", "5114919001")]
)
def test_a_payment_link_is_paid_and_its_signed_webhooks_are_read_into_its_row(
    standin: str, raw: WarehouseConnection, receiver_admin_url: str, gateway: str, payment_id: str
) -> None:
    """The whole way round: made by the client, paid at the stand-in, taken by the receiver, read by the reading."""
    put_lender(raw, AXLE)
    desk = Desk(raw, raw, receiver_admin_url, Standin(standin), gateway=gateway)
    paid, cancelled = f"AXL36{gateway[0] == 'c':d}001", f"AXL36{gateway[0] == 'c':d}002"
    for loan_id in (paid, cancelled):
        desk.book.owes(loan_id, "5499.50")
        desk.plan(loan_id)
    desk.send()
    answer = desk.standin.pay_link(f"{paid}_E260105_1", payment_id, gateway=gateway, deliver=True)
    told = {delivery["event"]: delivery["status"] for delivery in answer.json()}
    assert told == dict.fromkeys(
        {
            "razorpay": ("payment.captured", "order.paid", "payment_link.paid"),
            "cashfree": ("PAYMENT_SUCCESS_WEBHOOK", "PAYMENT_LINK_EVENT"),
        }[gateway],
        200,
    )
    with desk.account.tools(no_record) as tools:
        row = desk.link(cancelled)
        tools.gateway.cancel(row["reference"], row["gateway_link_id"])
    query = f"select count(*) as n from raw.raw_{gateway}_api where payload::text like '%%{cancelled}%%'"  # noqa: S608
    assert wait_until(lambda: bool((raw.execute(query).fetchone() or {})["n"]), seconds=10)
    read_webhooks(raw, RUN)
    assert (desk.states(paid), desk.states(cancelled)) == (["paid"], ["cancelled"])
    life = raw.execute("select * from core.core_payment_link_life where loan_id = %s", (paid,)).fetchone()
    assert (life or {})["gateway_payment_reference"] == f"{gateway}:{payment_id}"
