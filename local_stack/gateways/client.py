"""The stand-in's client: make payments and have their webhooks delivered, hundreds in one call."""

from collections.abc import Sequence
from datetime import datetime

import requests
from pydantic import TypeAdapter

from local_stack.gateways.payments import Delivery, Gateway, Payment
from local_stack.processes import StackError

_PAYMENTS = TypeAdapter(list[Payment])
_DELIVERIES = TypeAdapter(list[Delivery])


def send_payments(url: str, payments: Sequence[Payment], *, timeout_seconds: int = 120) -> list[Delivery]:
    """Make `payments` at the stand-in at `url`; return the fate of every webhook once all were tried.

    Raises StackError, naming the first of them, when the receiver did not accept every webhook.
    """
    answer = requests.post(
        f"{url}/standin/payments",
        data=_PAYMENTS.dump_json(list(payments)),
        headers={"Content-Type": "application/json"},
        timeout=timeout_seconds,
    )
    return _accepted(answer)


def pay_link(
    url: str, gateway: Gateway, reference: str, payment_id: str, paid_at: datetime
) -> list[Delivery]:
    """Have a borrower pay what is left of a payment link; return the fate of every webhook. Raises StackError."""
    body = {
        "gateway": gateway,
        "reference": reference,
        "payment_id": payment_id,
        "paid_at": paid_at.isoformat(),
    }
    return _accepted(requests.post(f"{url}/standin/links/pay", json=body, timeout=60))


def _accepted(answer: requests.Response) -> list[Delivery]:
    if not answer.ok:
        raise StackError(f"the gateway stand-in refused: {answer.status_code} {answer.text[:500]}")
    deliveries = _DELIVERIES.validate_json(answer.content)
    refused = [delivery for delivery in deliveries if not delivery.accepted]
    if refused:
        first = refused[0]
        raise StackError(
            f"{len(refused)} of {len(deliveries)} webhooks were not accepted, first {first.event} of "
            f"{first.payment_id}: answer {first.status} after {first.attempts} attempts; the receiver's log says why"
        )
    return deliveries
