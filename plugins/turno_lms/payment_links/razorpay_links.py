"""Payment links at Razorpay, by its SDK. Amounts are paise there.

What the SDK lacks is set here: timeouts, a current CA bundle in place of its own of 2015, errors with their status.
Its retry, which would create a link again after a time-out, stays off. One client belongs to one thread.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import certifi
import razorpay  # type: ignore[import-untyped]  # ships no types

from turno_lms.domain.money import paise_to_rupees, rupees_to_paise
from turno_lms.payment_links.http import STANDARD_TIMEOUTS, GatewaySession, Recorder, Timeouts
from turno_lms.payment_links.links import (
    GatewayLink,
    GatewayStatus,
    LinkOrder,
    LinkPayment,
    same_contact,
)

STATUSES = {
    "created": GatewayStatus.ACTIVE,
    "partially_paid": GatewayStatus.PARTLY_PAID,
    "paid": GatewayStatus.PAID,
    "expired": GatewayStatus.EXPIRED,
    "cancelled": GatewayStatus.CANCELLED,
}
_LONGEST_DESCRIPTION = 2048


class RazorpayLinks:
    """A lender's account, with a key's id and secret."""

    def __init__(
        self,
        base_url: str,
        key_id: str,
        key_secret: str,
        record: Recorder,
        timeouts: Timeouts = STANDARD_TIMEOUTS,
    ) -> None:
        session = GatewaySession("razorpay", record, timeouts)
        self._client = razorpay.Client(
            session=session, auth=(key_id, key_secret), base_url=base_url.rstrip("/")
        )
        self._client.cert_path = certifi.where()

    def create(self, order: LinkOrder) -> GatewayLink:
        """`POST /v1/payment_links`."""
        return razorpay_link(self._client.payment_link.create(_body(order)))

    def find(self, reference: str, gateway_link_id: str | None = None) -> GatewayLink | None:
        """By its id where that is known: lists by reference were seen to lag by minutes."""
        if gateway_link_id:
            return self._with_payers(self._client.payment_link.fetch(gateway_link_id))
        found = self._client.payment_link.all({"reference_id": reference})
        links = [link for link in found.get("payment_links", []) if link["reference_id"] == reference]
        return self._with_payers(links[0]) if links else None

    def cancel(self, reference: str, gateway_link_id: str) -> GatewayLink:  # noqa: ARG002  # Razorpay goes by its id
        """`POST /v1/payment_links/<id>/cancel`."""
        return razorpay_link(self._client.payment_link.cancel(gateway_link_id))

    def _with_payers(self, entity: Mapping[str, Any]) -> GatewayLink:
        """The list of a link's payments does not say who paid; the payment does."""
        paid = [payment["payment_id"] for payment in entity.get("payments") or []]
        return razorpay_link(entity, [self._client.payment.fetch(payment_id) for payment_id in paid])


def _body(order: LinkOrder) -> dict[str, Any]:
    customer = {"name": order.customer.name, "contact": order.customer.phone, "email": order.customer.email}
    body: dict[str, Any] = {
        "amount": rupees_to_paise(order.amount),
        "currency": "INR",
        "accept_partial": order.accept_partial,
        "reference_id": order.reference,
        "description": order.description[:_LONGEST_DESCRIPTION],
        "customer": {key: value for key, value in customer.items() if value},
        "notify": {"sms": order.notify_sms, "email": order.notify_email and bool(order.customer.email)},
        "reminder_enable": order.reminders,
        "expire_by": int(order.expires_at.timestamp()),
        "notes": {"loan_id": order.loan_id},
    }
    if order.accept_partial and order.minimum_partial:
        body["first_min_partial_amount"] = rupees_to_paise(order.minimum_partial)
    return body


def razorpay_link(entity: Mapping[str, Any], payments: list[Mapping[str, Any]] | None = None) -> GatewayLink:
    """A link entity of the API or a webhook, with the payment entities that are known of it."""
    customer = entity.get("customer") or {}
    collected = partial(_payment, customer.get("contact"))
    return GatewayLink(
        reference=entity["reference_id"],
        gateway_link_id=entity["id"],
        short_url=entity.get("short_url"),
        status=STATUSES[entity["status"]],
        amount=paise_to_rupees(int(entity["amount"])),
        amount_paid=paise_to_rupees(int(entity.get("amount_paid") or 0)),
        payments=tuple(
            map(collected, (each for each in payments or [] if each["status"] in {"captured", "refunded"}))
        ),
    )


def _payment(contact: str | None, entity: Mapping[str, Any]) -> LinkPayment:
    return LinkPayment(
        reference=f"razorpay:{entity['id']}",
        amount=paise_to_rupees(int(entity["amount"])),
        payer_differs=not same_contact(contact, entity.get("contact")),
    )
