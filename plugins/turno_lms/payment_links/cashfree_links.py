"""Payment links at Cashfree, by plain HTTP: its SDK pins an old urllib3 and cannot be pointed at a test server.

Amounts are rupees with two decimals there, numbers in some answers and texts in others; both are read exactly.
"""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from turno_lms.domain.dates import IST
from turno_lms.domain.money import rupees
from turno_lms.fineract import exact_json
from turno_lms.payment_links.http import STANDARD_TIMEOUTS, GatewaySession, Recorder, Timeouts
from turno_lms.payment_links.links import (
    GatewayLink,
    GatewayStatus,
    LinkNotFoundError,
    LinkOrder,
    LinkPayment,
)

VERSION = "2025-01-01"
STATUSES = {
    "ACTIVE": GatewayStatus.ACTIVE,
    "PARTIALLY_PAID": GatewayStatus.PARTLY_PAID,
    "PAID": GatewayStatus.PAID,
    "EXPIRED": GatewayStatus.EXPIRED,
    "CANCELLED": GatewayStatus.CANCELLED,
}
_LONGEST_PURPOSE = 500


class CashfreeLinks:
    """A lender's account, with a client's id and secret. A link's id there is our reference."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        record: Recorder,
        timeouts: Timeouts = STANDARD_TIMEOUTS,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = GatewaySession("cashfree", record, timeouts)
        self._session.headers.update(
            {
                "x-client-id": client_id,
                "x-client-secret": client_secret,
                "x-api-version": VERSION,
                "Content-Type": "application/json",
            }
        )

    def create(self, order: LinkOrder) -> GatewayLink:
        """`POST /pg/links`, under an idempotency key that follows from the reference."""
        key = str(uuid5(NAMESPACE_URL, order.reference))
        return cashfree_link(self._ask("POST", "/pg/links", _body(order), {"x-idempotency-key": key}))

    def find(self, reference: str, gateway_link_id: str | None = None) -> GatewayLink | None:  # noqa: ARG002
        """The link with its orders and their payments."""
        path = f"/pg/links/{reference}"
        try:
            link = self._ask("GET", path)
        except LinkNotFoundError:
            return None
        orders = self._ask("GET", f"{path}/orders") if rupees(str(link["link_amount_paid"])) else []
        payments = [
            payment
            for order in orders
            for payment in self._ask("GET", f"/pg/orders/{order['order_id']}/payments")
        ]
        return cashfree_link(link, payments)

    def cancel(self, reference: str, gateway_link_id: str) -> GatewayLink:  # noqa: ARG002  # Cashfree goes by ours
        """`POST /pg/links/<id>/cancel`."""
        return cashfree_link(self._ask("POST", f"/pg/links/{reference}/cancel", {}))

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        data = None if body is None else exact_json.dumps(body).encode()
        answer = self._session.request(method, f"{self._base_url}{path}", data=data, headers=headers)
        return exact_json.loads(answer.text)


def _body(order: LinkOrder) -> dict[str, Any]:
    customer = {
        "customer_name": order.customer.name,
        "customer_phone": order.customer.phone,
        "customer_email": order.customer.email,
    }
    body: dict[str, Any] = {
        "link_id": order.reference,
        "link_amount": rupees(order.amount),
        "link_currency": "INR",
        "link_purpose": order.description[:_LONGEST_PURPOSE],
        "customer_details": {key: value for key, value in customer.items() if value},
        "link_partial_payments": order.accept_partial,
        "link_expiry_time": order.expires_at.astimezone(IST).isoformat(timespec="seconds"),
        "link_notify": {
            "send_sms": order.notify_sms,
            "send_email": order.notify_email and bool(order.customer.email),
        },
        "link_auto_reminders": order.reminders,
        "link_notes": {"loan_id": order.loan_id},
    }
    if order.accept_partial and order.minimum_partial:
        body["link_minimum_partial_amount"] = rupees(order.minimum_partial)
    return body


def cashfree_link(link: Mapping[str, Any], payments: list[Mapping[str, Any]] | None = None) -> GatewayLink:
    """A link of the API or of a webhook's flat or nested data, with the payments that are known of it.

    Cashfree names the link's own customer with every payment: it does not say who paid.
    """
    return GatewayLink(
        reference=link["link_id"],
        gateway_link_id=str(link["cf_link_id"]),
        short_url=link.get("link_url"),
        status=STATUSES[link["link_status"]],
        amount=rupees(link["link_amount"]),
        amount_paid=rupees(link.get("link_amount_paid") or 0),
        payments=tuple(
            LinkPayment(
                reference=f"cashfree:{payment['cf_payment_id']}",
                amount=rupees(payment["payment_amount"]),
            )
            for payment in payments or []
            if payment["payment_status"] == "SUCCESS"
        ),
    )
