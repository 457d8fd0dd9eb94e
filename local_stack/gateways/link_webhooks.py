"""A payment link as the gateways show it, in answers and in webhooks.

Shapes follow the published samples: Razorpay in paise with 0 for moments that are unset, Cashfree in rupees, its
webhook with texts for amounts and times without a zone.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from local_stack.gateways.links import Link, Status
from local_stack.gateways.payments import Gateway, Payment
from local_stack.gateways.webhooks import Webhook, json_bytes, razorpay_payment, webhooks_of

_INDIA = ZoneInfo("Asia/Kolkata")
_RAZORPAY_STATUS = {
    Status.ACTIVE: "created",
    Status.PARTLY_PAID: "partially_paid",
    Status.PAID: "paid",
    Status.EXPIRED: "expired",
    Status.CANCELLED: "cancelled",
}
_CASHFREE_STATUS = {
    Status.ACTIVE: "ACTIVE",
    Status.PARTLY_PAID: "PARTIALLY_PAID",
    Status.PAID: "PAID",
    Status.EXPIRED: "EXPIRED",
    Status.CANCELLED: "CANCELLED",
}


def razorpay_entity(link: Link) -> dict[str, Any]:
    """The link entity; `payments` is null until something was captured."""
    ended = int(link.changed_at.timestamp())
    return {
        "id": f"plink_{link.short_id}",
        "reference_id": link.reference,
        "amount": link.paise,
        "amount_paid": link.paid_paise,
        "currency": "INR",
        "status": _RAZORPAY_STATUS[link.status],
        "accept_partial": link.accept_partial,
        "first_min_partial_amount": link.least_first_paise,
        "description": link.asked.get("description", ""),
        "notes": link.asked.get("notes") or None,
        "customer": link.asked.get("customer") or {},
        "notify": link.asked.get("notify") or {"sms": False, "email": False},
        "reminders": {},
        "reminder_enable": bool(link.asked.get("reminder_enable")),
        "expire_by": int(link.expires_at.timestamp()),
        "expired_at": ended if link.status is Status.EXPIRED else 0,
        "cancelled_at": ended if link.status is Status.CANCELLED else 0,
        "created_at": int(link.created_at.timestamp()),
        "updated_at": ended,
        "short_url": f"https://rzp.io/i/{link.short_id}",
        "upi_link": False,
        "user_id": "",
        "payments": [_razorpay_part(link, payment) for payment in link.payments] or None,
    }


def _razorpay_part(link: Link, payment: Payment) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "plink_id": f"plink_{link.short_id}",
        "amount": payment.paise,
        "method": payment.method,
        "status": "captured",
        "created_at": int(payment.paid_at.timestamp()),
    }


def cashfree_entity(link: Link) -> dict[str, Any]:
    """The link as the API answers: amounts are numbers."""
    return {
        "cf_link_id": str(link.number),
        "link_id": link.reference,
        "link_status": _CASHFREE_STATUS[link.status],
        "link_currency": "INR",
        "link_amount": _rupees(link.paise),
        "link_amount_paid": _rupees(link.paid_paise),
        "link_partial_payments": link.accept_partial,
        "link_minimum_partial_amount": _rupees(link.least_first_paise) if link.least_first_paise else None,
        "link_purpose": link.asked.get("link_purpose"),
        "link_created_at": link.created_at.astimezone(_INDIA).isoformat(timespec="seconds"),
        "link_expiry_time": link.expires_at.astimezone(_INDIA).isoformat(timespec="seconds"),
        "link_url": f"https://payments.cashfree.com/links/{link.short_id}",
        "customer_details": link.asked.get("customer_details"),
        "link_notify": link.asked.get("link_notify"),
        "link_auto_reminders": bool(link.asked.get("link_auto_reminders")),
        "link_notes": link.asked.get("link_notes") or {},
    }


def _rupees(paise: int) -> Decimal:
    return Decimal(paise).scaleb(-2)


def payment_webhooks(link: Link, payment: Payment) -> list[Webhook]:
    """What a payment of the link has the gateway send: several events of one rupee. `link` is as it is after it."""
    return [*webhooks_of(payment), link_webhook(link, payment)]


def link_webhook(link: Link, payment: Payment | None = None) -> Webhook:
    """The event of the link itself: paid in full or in part, expired or cancelled."""
    event, body = _BUILDERS[link.gateway](link, payment)
    text = json_bytes(body)
    return Webhook(
        gateway=link.gateway,
        lender=link.account,
        payment_id=payment.payment_id if payment else link.reference,
        event=event,
        event_id=hashlib.sha256(text).hexdigest()[:14],
        body=text,
    )


def _razorpay_event(link: Link, payment: Payment | None) -> tuple[str, dict[str, Any]]:
    status = _RAZORPAY_STATUS[link.status]
    event = f"payment_link.{status}"
    entity = razorpay_entity(link)
    del entity["payments"]  # webhooks carry the payment beside the link
    payload: dict[str, Any] = {"payment_link": {"entity": entity}}
    if payment is not None:
        payload["order"] = {"entity": _razorpay_order(link, payment)}
        payload["payment"] = {"entity": razorpay_payment(payment)}
    body = {
        "entity": "event",
        "account_id": f"acc_{hashlib.sha256(link.account.encode()).hexdigest()[:14]}",
        "event": event,
        "contains": list(payload),
        "payload": payload,
        "created_at": int(link.created_at.timestamp()),  # of the link, as in the samples
    }
    return event, body


def _razorpay_order(link: Link, payment: Payment) -> dict[str, Any]:
    """Inside a link's event the order has no prefix in its id and no `entity`."""
    return {
        "id": razorpay_payment(payment)["order_id"].removeprefix("order_"),
        "amount": link.paise,
        "amount_paid": link.paid_paise,
        "amount_due": link.paise - link.paid_paise,
        "currency": "INR",
        "merchant_id": hashlib.sha256(link.account.encode()).hexdigest()[:14],
        "product_id": link.short_id,
        "product_type": "payment_link_v2",
        "receipt": link.reference,
        "status": "paid" if link.status is Status.PAID else "attempted",
        "attempts": 1,
        "notes": [],
        "created_at": int(link.created_at.timestamp()),
    }


def _cashfree_event(link: Link, payment: Payment | None) -> tuple[str, dict[str, Any]]:
    """Flat, as the documentation shows it: amounts as texts, times without a zone, the order of this payment."""
    data = cashfree_entity(link) | {
        "cf_link_id": link.number,
        "link_amount": f"{_rupees(link.paise):.2f}",
        "link_amount_paid": f"{_rupees(link.paid_paise):.2f}",
        "link_created_at": f"{link.created_at.astimezone(_INDIA):%Y-%m-%d %H:%M:%S}",
        "link_expiry_time": f"{link.expires_at.astimezone(_INDIA):%Y-%m-%d %H:%M:%S}",
    }
    told = link.changed_at
    if payment is not None:
        told = payment.paid_at
        data["order"] = {
            "order_id": payment.receipt,
            "order_amount": f"{payment.amount:.2f}",
            "order_expiry_time": data["link_expiry_time"],
            "transaction_id": int(payment.payment_id) if payment.payment_id.isdigit() else payment.payment_id,
            "transaction_status": "SUCCESS",
        }
    event_time = told.astimezone(_INDIA).isoformat(timespec="seconds")
    return "PAYMENT_LINK_EVENT", {
        "type": "PAYMENT_LINK_EVENT",
        "version": 1,
        "event_time": event_time,
        "data": data,
    }


_BUILDERS: dict[Gateway, Callable[[Link, Payment | None], tuple[str, dict[str, Any]]]] = {
    Gateway.RAZORPAY: _razorpay_event,
    Gateway.CASHFREE: _cashfree_event,
}


def link_payment(link: Link, payment_id: str, **fields: Any) -> Payment:
    """A payment through the link, of what is left of it unless `fields` say otherwise."""
    contact = (link.asked.get("customer") or {}).get("contact") or (
        link.asked.get("customer_details") or {}
    ).get("customer_phone")
    nth = len(link.payments) + 1
    receipt = link.reference if link.gateway is Gateway.RAZORPAY else f"CFPay_{link.short_id}_{nth}"
    left = _rupees(link.paise - link.paid_paise)
    settles = Decimal(str(fields.get("amount", left))) == left
    events = ("payment.captured", "order.paid") if settles else ("payment.captured",)
    defaults: dict[str, Any] = {
        "gateway": link.gateway,
        "lender": link.account,
        "payment_id": payment_id,
        "amount": left,
        "paid_at": datetime.now(UTC),
        "receipt": receipt,
        "reference_id": link.reference,
        "link_id": link.short_id,
        "events": events if link.gateway is Gateway.RAZORPAY else (),
        **({"contact": contact} if contact else {}),
    }
    return Payment.model_validate(defaults | fields)
