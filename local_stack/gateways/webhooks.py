"""The webhooks of a payment, as the gateways write them: bodies, event ids and signatures.

Shapes follow the gateways' published samples, with their oddities kept: notes that are an empty list, NACH without
acquirer data, an order inside a payment link event that has another id form, Cashfree's amounts as bare decimals.
"""

import base64
import hashlib
import hmac
import json
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from local_stack.gateways.payments import Gateway, Payment

_INDIA = ZoneInfo("Asia/Kolkata")
_LINK_LIFETIME = timedelta(days=1)
_FEE_OF_10_000 = 236  # two per cent and 18 per cent GST on it
_GST_DIVISOR = 118
_MARKED_DECIMAL = re.compile(rb'"\\u0000([0-9.]+)\\u0000"')
_ALPHANUMERICS = string.digits + string.ascii_letters
_ID_LENGTH = 14


@dataclass(frozen=True)
class Webhook:
    """One event, ready to be signed and sent."""

    gateway: Gateway
    lender: str
    payment_id: str
    event: str
    event_id: str
    body: bytes


def webhooks_of(payment: Payment) -> list[Webhook]:
    """The events of `payment` in the order asked for, once each. The same payment gives the same bytes."""
    build = _BODIES[payment.gateway]
    return [
        Webhook(
            payment.gateway,
            payment.lender,
            payment.payment_id,
            event,
            _made_up_id(payment, event),
            json_bytes(build(payment, event)),
        )
        for event in payment.events_to_send
    ]


def razorpay_payment(payment: Payment, event: str = "payment.captured") -> dict[str, Any]:
    """The payment entity of Razorpay's API and webhooks, in the state it has at `event`."""
    status = _RAZORPAY_STATUS[event]
    captured = status == "captured"
    fee = payment.paise * _FEE_OF_10_000 // 10_000
    failed = status == "failed"
    return {
        "id": payment.payment_id,
        "entity": "payment",
        "amount": payment.paise,
        "currency": "INR",
        "base_amount": payment.paise,
        "status": status,
        "order_id": f"order_{_made_up_id(payment, 'order')}",
        "invoice_id": None,
        "international": False,
        "method": payment.method,
        "amount_refunded": 0,
        "amount_transferred": 0,
        "refund_status": None,
        "captured": captured,
        "description": f"#{_link_id(payment)}" if payment.reference_id else None,
        "card_id": None,
        "bank": "HDFC" if payment.method in {"netbanking", "nach", "emandate"} else None,
        "wallet": None,
        "vpa": "borrower@upi" if payment.method == "upi" else None,
        "email": None,
        "contact": payment.contact,
        "customer_id": f"cust_{_made_up_id(payment, 'customer')}" if _by_mandate(payment) else None,
        "token_id": f"token_{_made_up_id(payment, 'token')}" if _by_mandate(payment) else None,
        "notes": payment.notes or [],
        "fee": fee if captured else None,
        "tax": fee - fee * 100 // _GST_DIVISOR if captured else None,
        "error_code": "BAD_REQUEST_ERROR" if failed else None,
        "error_description": "Your payment was not completed" if failed else None,
        "error_source": "customer" if failed else None,
        "error_step": "payment_authorization" if failed else None,
        "error_reason": "payment_failed" if failed else None,
        "acquirer_data": _acquirer_data(payment),
        "created_at": int(payment.paid_at.timestamp()),
    }


def razorpay_refund(payment: Payment) -> dict[str, Any]:
    """The refund entity of Razorpay's API, of a payment that has one."""
    refund = payment.refund
    assert refund is not None  # noqa: S101  # as said
    return {
        "id": refund.refund_id,
        "entity": "refund",
        "amount": int(refund.amount.scaleb(2)),
        "currency": "INR",
        "payment_id": payment.payment_id,
        "notes": [],
        "receipt": None,
        "acquirer_data": {"arn": None},
        "created_at": int(refund.made_at.timestamp()),
        "status": "failed" if refund.is_failed else "processed",
        "speed_requested": "normal",
        "speed_processed": "normal",
    }


def razorpay_token(payment: Payment) -> dict[str, Any]:
    """The token entity of Razorpay's API for the mandate of a payment; `mrn` is null until the bank has given one."""
    entity = razorpay_payment(payment)
    return {
        "id": entity["token_id"],
        "entity": "token",
        "customer_id": entity["customer_id"],
        "token": "made up",
        "bank": entity["bank"],
        "method": payment.method,
        "mrn": payment.umrn,
        "recurring": True,
        "recurring_details": {"status": "confirmed", "failure_reason": None},
        "auth_type": "netbanking",
    }


def signed_headers(webhook: Webhook, secret: str, now_milliseconds: int) -> dict[str, str]:
    """The headers the gateway sends with the event; Cashfree signs the time of sending as well."""
    if webhook.gateway is Gateway.RAZORPAY:
        return {
            "Content-Type": "application/json",
            "User-Agent": "Razorpay-Webhook/v1",
            "X-Razorpay-Signature": hmac.new(secret.encode(), webhook.body, hashlib.sha256).hexdigest(),
            "x-razorpay-event-id": webhook.event_id,
        }
    timestamp = str(now_milliseconds)
    digest = hmac.new(secret.encode(), timestamp.encode() + webhook.body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "x-webhook-signature": base64.b64encode(digest).decode(),
        "x-webhook-timestamp": timestamp,
        "x-webhook-version": "2025-01-01",
        "x-idempotency-key": webhook.event_id,
    }


def razorpay_order(payment: Payment) -> dict[str, Any]:
    """The order entity of Razorpay's API; a link's order has the link's reference as its receipt."""
    return _order(payment) | {"receipt": payment.receipt or payment.reference_id}


def razorpay_link(payment: Payment) -> dict[str, Any]:
    """The payment link entity of Razorpay's API, for a payment that has a link's reference."""
    return _payment_link(payment)


def cashfree_order(payment: Payment) -> dict[str, Any]:
    """The order of Cashfree's API."""
    order: dict[str, Any] = _cashfree_body(payment, _last_cashfree_event(payment))["data"]["order"]
    paid = _last_cashfree_event(payment) == _CASHFREE_SUCCESS
    return order | {"entity": "order", "order_status": "PAID" if paid else "ACTIVE"}


def cashfree_refund(payment: Payment) -> dict[str, Any]:
    """The refund of Cashfree's API, of a payment that has one."""
    refund = payment.refund
    assert refund is not None  # noqa: S101  # as said
    return {
        "cf_payment_id": payment.payment_id,
        "cf_refund_id": refund.refund_id,
        "refund_id": f"ours_{refund.refund_id}",
        "order_id": cashfree_payment(payment)["order_id"],
        "refund_amount": refund.amount,
        "refund_currency": "INR",
        "refund_status": "CANCELLED" if refund.is_failed else "SUCCESS",
        "refund_type": "MERCHANT_INITIATED",
        "processed_at": refund.made_at.astimezone(_INDIA).isoformat(),
    }


def cashfree_payment(payment: Payment) -> dict[str, Any]:
    """A payment as an element of the list that Cashfree's API gives for its order."""
    event = _last_cashfree_event(payment)
    data = _cashfree_body(payment, event)["data"]
    paid = event == _CASHFREE_SUCCESS
    order = {"entity": "payment", "order_id": data["order"]["order_id"], "order_amount": payment.amount}
    told: dict[str, Any] = data["payment"]
    return told | order | {"is_captured": paid}


def _last_cashfree_event(payment: Payment) -> str:
    return payment.events_to_send[-1]


_CASHFREE_SUCCESS = "PAYMENT_SUCCESS_WEBHOOK"
_RAZORPAY_STATUS = {
    "payment.authorized": "authorized",
    "payment.failed": "failed",
    "payment.captured": "captured",
    "order.paid": "captured",
    "payment_link.paid": "captured",
}


def _razorpay_body(payment: Payment, event: str) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    if event == "payment_link.paid":
        payload["payment_link"] = {"entity": _payment_link(payment)}
        payload["order"] = {"entity": _order_of_link(payment)}
    if event == "order.paid":
        payload["order"] = {"entity": _order(payment)}
    payload["payment"] = {"entity": razorpay_payment(payment, event)}
    # documented samples of link events carry the time of the link there, not that of the money
    sent = payment.paid_at - _LINK_LIFETIME if event == "payment_link.paid" else payment.paid_at
    return {
        "entity": "event",
        "account_id": f"acc_{hashlib.sha256(payment.lender.encode()).hexdigest()[:_ID_LENGTH]}",
        "event": event,
        "contains": list(payload),
        "payload": payload,
        "created_at": int(sent.timestamp()),
    }


def _order(payment: Payment) -> dict[str, Any]:
    return {
        "id": f"order_{_made_up_id(payment, 'order')}",
        "entity": "order",
        "amount": payment.paise,
        "amount_paid": payment.paise,
        "amount_due": 0,
        "currency": "INR",
        "receipt": payment.receipt,
        "offer_id": None,
        "status": "paid",
        "attempts": 1,
        "notes": [],
        "created_at": int(payment.paid_at.timestamp()),
    }


def _order_of_link(payment: Payment) -> dict[str, Any]:
    order = _order(payment)
    del order["entity"]
    return order | {
        "id": _made_up_id(payment, "order"),
        "merchant_id": hashlib.sha256(payment.lender.encode()).hexdigest()[:_ID_LENGTH],
        "product_id": _link_id(payment),
        "product_type": "payment_link_v2",
        "receipt": payment.reference_id,
    }


def _payment_link(payment: Payment) -> dict[str, Any]:
    created = int((payment.paid_at - _LINK_LIFETIME).timestamp())
    return {
        "id": f"plink_{_link_id(payment)}",
        "reference_id": payment.reference_id,
        "amount": payment.paise,
        "amount_paid": payment.paise,
        "currency": "INR",
        "status": "paid",
        "accept_partial": False,
        "first_min_partial_amount": 0,
        "order_id": f"order_{_made_up_id(payment, 'order')}",
        "notes": payment.notes or None,
        "customer": {"contact": "+919000000000"},
        "notify": {"email": False, "sms": True},
        "reminders": {"status": "failed"},
        "reminder_enable": True,
        "expire_by": 0,
        "expired_at": 0,
        "cancelled_at": 0,
        "created_at": created,
        "updated_at": int(payment.paid_at.timestamp()),
        "short_url": "https://rzp.io/i/standin",
        "upi_link": False,
        "user_id": "",
    }


def _acquirer_data(payment: Payment) -> dict[str, Any]:
    reference = payment.bank_reference or _bank_reference(payment)
    if _by_mandate(payment):
        return {}
    if payment.method == "upi":
        return {"rrn": reference, "upi_transaction_id": _made_up_id(payment, "upi").upper()}
    if payment.method == "netbanking":
        return {"bank_transaction_id": reference}
    return {"auth_code": reference[:6], "rrn": reference}


def _by_mandate(payment: Payment) -> bool:
    return payment.method in {"nach", "emandate"}


def _cashfree_body(payment: Payment, event: str) -> dict[str, Any]:
    succeeded = event == _CASHFREE_SUCCESS
    paid_at = payment.paid_at.astimezone(_INDIA)
    tags = payment.notes | ({"link_id": payment.reference_id} if payment.reference_id else {})
    body: dict[str, Any] = {
        "data": {
            "order": {
                "order_id": payment.receipt or f"order_{_made_up_id(payment, 'order')}",
                "order_amount": payment.amount,
                "order_currency": "INR",
                "order_tags": tags or None,
            },
            "payment": {
                "cf_payment_id": payment.payment_id,
                "payment_status": "SUCCESS" if succeeded else "FAILED",
                "payment_amount": payment.amount,
                "payment_currency": "INR",
                "payment_message": "Transaction success" if succeeded else "Transaction declined",
                "payment_time": paid_at.isoformat(timespec="seconds"),
                "bank_reference": payment.bank_reference or _bank_reference(payment),
                "auth_id": None,
                "payment_method": {"upi": {"channel": "link", "upi_id": "borrower@upi"}},
                "payment_group": "upi",
            },
            "customer_details": {"customer_id": None, "customer_phone": payment.contact[-10:]},
            "payment_gateway_details": {"gateway_name": "CASHFREE"},
            "payment_offers": None,
        },
        "event_time": (paid_at + timedelta(seconds=2)).isoformat(timespec="seconds"),
        "type": event,
    }
    if not succeeded:
        body["data"]["error_details"] = {
            "error_code": "TRANSACTION_DECLINED",
            "error_description": "declined by the bank",
            "error_reason": "auth_declined",
            "error_source": "bank",
        }
    return body


_BODIES: Mapping[Gateway, Callable[[Payment, str], dict[str, Any]]] = {
    Gateway.RAZORPAY: _razorpay_body,
    Gateway.CASHFREE: _cashfree_body,
}


def _link_id(payment: Payment) -> str:
    return payment.link_id or _made_up_id(payment, "link")


def _made_up_id(payment: Payment, what: str) -> str:
    """An id of 14 letters and digits that follows from the payment's id."""
    number = int.from_bytes(
        hashlib.sha256(f"{payment.gateway}:{payment.payment_id}:{what}".encode()).digest()
    )
    characters = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ALPHANUMERICS))
        characters.append(_ALPHANUMERICS[digit])
    return "".join(characters)


def _bank_reference(payment: Payment) -> str:
    """A 12-digit RRN that follows from the payment's id."""
    digest = hashlib.sha256(f"rrn:{payment.gateway}:{payment.payment_id}".encode()).digest()
    return f"{int.from_bytes(digest) % 10**12:012d}"


def json_bytes(body: Any) -> bytes:
    """Compact JSON in which a Decimal is a bare number with its own decimals (170.00 stays 170.00)."""
    text = json.dumps(body, separators=(",", ":"), default=_marked)
    return _MARKED_DECIMAL.sub(rb"\1", text.encode())


def _marked(value: object) -> str:
    return f"\x00{cast(Decimal, value):.2f}\x00"
