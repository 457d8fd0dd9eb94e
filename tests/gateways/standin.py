"""The gateways' stand-in inside this process, with no receiver to tell: what it is asked for is all that is known."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import requests
import uvicorn

from local_stack.gateways.delivery import Courier
from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET, CASHFREE_CLIENT_ID
from local_stack.gateways.payments import Payment
from local_stack.gateways.server import build_app
from local_stack.gateways.webhooks import Webhook, webhooks_of
from local_stack.processes import LOOPBACK, free_port, wait_until
from turno_lms.gateways.api import CashfreeApi, GatewayApi, RazorpayApi

PAID_AT = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Standin:
    """A running stand-in."""

    url: str

    def pay(self, payment_id: str, **fields: Any) -> Webhook:
        """Make a payment whose webhook never comes; returns the webhook that did not."""
        defaults = {
            "gateway": "razorpay",
            "lender": "axle",
            "amount": "100.00",
            "paid_at": PAID_AT,
            "copies": 0,
        }
        payment = Payment.model_validate({"payment_id": payment_id, **defaults, **fields})
        body = f"[{payment.model_dump_json()}]"
        requests.post(f"{self.url}/standin/payments", data=body, timeout=10).raise_for_status()
        return webhooks_of(payment)[-1]

    def api(self, gateway: str = "razorpay", secret: str = API_KEY_SECRET) -> GatewayApi:
        """A client for axle's account."""
        if gateway == "cashfree":
            return CashfreeApi(self.url, f"{CASHFREE_CLIENT_ID}_axle", secret)
        return RazorpayApi(self.url, f"{API_KEY_ID}_axle", secret)

    def fault(self, requests_: str, fault: str, **how: Any) -> None:
        """Switch a fault of payment links on."""
        body = {"requests": requests_, "fault": fault, **how}
        requests.post(f"{self.url}/standin/rules", json=body, timeout=10).raise_for_status()

    def limit(self, links_per_second: int | None, seed: int = 0) -> None:
        """Answer 429 above so many calls a second; None for no limit."""
        body = {"links_per_second": links_per_second, "seed": seed}
        requests.put(f"{self.url}/standin/settings", json=body, timeout=10).raise_for_status()

    def calm(self) -> None:
        """No faults and no limit."""
        requests.delete(f"{self.url}/standin/rules", timeout=10).raise_for_status()
        self.limit(None)

    def links(self) -> list[dict[str, Any]]:
        """Every link that exists at the gateways."""
        found: list[dict[str, Any]] = requests.get(f"{self.url}/standin/links", timeout=30).json()
        return found

    def make_link(self, reference: str, gateway: str = "razorpay") -> None:
        """A link of axle over 100 rupees."""
        if gateway == "razorpay":
            login = (f"{API_KEY_ID}_axle", API_KEY_SECRET)
            asked: dict[str, Any] = {"amount": 10000, "currency": "INR", "reference_id": reference}
            answer = requests.post(f"{self.url}/v1/payment_links", json=asked, auth=login, timeout=10)
        else:
            headers = {
                "x-client-id": f"{CASHFREE_CLIENT_ID}_axle",
                "x-client-secret": API_KEY_SECRET,
                "x-api-version": CashfreeApi.VERSION,
            }
            asked = {
                "link_id": reference,
                "link_amount": 100,
                "link_currency": "INR",
                "link_purpose": "EMI",
                "customer_details": {"customer_phone": "9999999999"},
            }
            answer = requests.post(f"{self.url}/pg/links", json=asked, headers=headers, timeout=10)
        answer.raise_for_status()

    def pay_link(self, reference: str, payment_id: str, **fields: Any) -> requests.Response:
        """A borrower pays what is left of a link, unless an amount is given; nobody is told unless asked to."""
        body = {
            "gateway": "razorpay",
            "reference": reference,
            "payment_id": payment_id,
            "deliver": False,
            **fields,
        }
        return requests.post(f"{self.url}/standin/links/pay", json=body, timeout=60)

    def expire_link(self, reference: str, gateway: str = "razorpay") -> None:
        """A link's time is over."""
        body = {"gateway": gateway, "reference": reference, "deliver": False}
        requests.post(f"{self.url}/standin/links/expire", json=body, timeout=10).raise_for_status()

    def counters(self) -> dict[str, Any]:
        """Which faults struck, and what was answered."""
        found: dict[str, Any] = requests.get(f"{self.url}/standin/counters", timeout=10).json()
        return found


@contextmanager
def running_standin() -> Iterator[Standin]:
    """A stand-in without payments, which could sign for axle and gb."""
    secrets = {
        f"{gateway}:{lender}": "any" for gateway in ("razorpay", "cashfree") for lender in ("axle", "gb")
    }
    app = build_app(Courier(f"http://{LOOPBACK}:9", secrets))
    server = uvicorn.Server(
        uvicorn.Config(app, host=LOOPBACK, port=free_port(), log_level="warning", timeout_graceful_shutdown=1)
    )
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    assert wait_until(lambda: server.started, seconds=10)
    try:
        yield Standin(f"http://{LOOPBACK}:{server.config.port}")
    finally:
        server.should_exit = True
        thread.join()
