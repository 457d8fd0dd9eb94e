"""A verified webhook as an event: the key it is known by, its type, and what makes a body unusable."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from webhook_receiver.settings import Account
from webhook_receiver.signatures import CASHFREE_SIGNATURE, CASHFREE_TIMESTAMP, RAZORPAY_SIGNATURE

_EVENT_ID_HEADERS = {
    "razorpay": ("x-razorpay-event-id",),
    # Cashfree's pages name it both ways
    "cashfree": ("x-idempotency-key", "x-idempotency-header"),
}
_KEPT_HEADERS = {
    "razorpay": (RAZORPAY_SIGNATURE, *_EVENT_ID_HEADERS["razorpay"], "request-id", "content-type"),
    "cashfree": (
        CASHFREE_SIGNATURE,
        CASHFREE_TIMESTAMP,
        *_EVENT_ID_HEADERS["cashfree"],
        "x-webhook-version",
        "x-webhook-attempt",
        "content-type",
    ),
}
_TYPE_FIELD = {"razorpay": "event", "cashfree": "type"}
# no colon: what a header says can never look like the key made from a body
_EVENT_ID = re.compile(r"[A-Za-z0-9._~+/=-]{1,128}")


class UnusableBody(StrEnum):
    """Why a body the gateway signed goes to the dead letter."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    NESTED_TOO_DEEPLY = "nested_too_deeply"
    NOT_STORABLE = "not_storable"
    """JSON that PostgreSQL's jsonb refuses, such as one with a NUL character or a number beyond numeric."""


class UnusableBodyError(Exception):
    """A body that is no event; `reason` says why."""

    def __init__(self, reason: UnusableBody) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Delivery:
    """One sending of a webhook by the gateway, its signature verified."""

    account: Account
    event_key: str
    body: bytes
    body_sha256: str
    headers: Mapping[str, str]


def delivery(account: Account, headers: Mapping[str, str], body: bytes) -> Delivery:
    """A delivery with its event key: the gateway's event id, or the body's hash where that is missing or odd."""
    body_sha256 = hashlib.sha256(body).hexdigest()
    gateway = account.gateway
    event_ids = (headers.get(name, "") for name in _EVENT_ID_HEADERS[gateway])
    event_key = next(filter(_EVENT_ID.fullmatch, event_ids), f"sha256:{body_sha256}")
    kept = {name: headers[name] for name in _KEPT_HEADERS[gateway] if name in headers}
    return Delivery(account, event_key, body, body_sha256, kept)


def read_event(gateway: str, body: bytes) -> tuple[str, str | None]:
    """The body's text and its event type (None without one). Raises UnusableBodyError.

    Numbers are left to PostgreSQL, which parses the text itself: no digit is lost and none is too many. Of equal keys
    the last counts, there as here.
    """
    try:
        text = body.decode("utf-8")
        fields = json.loads(
            text, parse_int=_leave_number, parse_float=_leave_number, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as error:
        raise UnusableBodyError(UnusableBody.NOT_UTF8) from error
    except RecursionError as error:
        raise UnusableBodyError(UnusableBody.NESTED_TOO_DEEPLY) from error
    except ValueError as error:
        raise UnusableBodyError(UnusableBody.NOT_JSON) from error
    if not isinstance(fields, dict):
        raise UnusableBodyError(UnusableBody.NOT_AN_OBJECT)
    event_type = fields.get(_TYPE_FIELD[gateway])
    return text, event_type if isinstance(event_type, str) else None


def _leave_number(_: str) -> None:
    """Numbers are PostgreSQL's to read."""


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, not JSON."""
    raise ValueError(name)
