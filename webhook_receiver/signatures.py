"""Signatures of the gateways, checked on the bytes received, in constant time, without their SDKs.

Razorpay signs the body: lower-case hex HMAC-SHA256. Cashfree signs timestamp and body without anything between:
base64 HMAC-SHA256; the fixed length of the timestamp keeps digits from moving between the two unnoticed.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from webhook_receiver.settings import Secrets

RAZORPAY_SIGNATURE = "x-razorpay-signature"
CASHFREE_SIGNATURE = "x-webhook-signature"
CASHFREE_TIMESTAMP = "x-webhook-timestamp"

STALE_AFTER_SECONDS = 10 * 60
OLDEST_SECONDS = 24 * 3600
NEWEST_SECONDS = 5 * 60
"""Cashfree documents no replay window, nor whether a retry is stamped anew: late is marked, only a day is refused."""

_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_BASE64_DIGEST = re.compile(r"[A-Za-z0-9+/]{43}=")
_SECONDS = re.compile(r"[0-9]{10}")
_MILLISECONDS = re.compile(r"[0-9]{13}")


class Verdict(StrEnum):
    """Which of an account's secrets signed a webhook."""

    CURRENT = "verified_current"
    PREVIOUS = "verified_previous"


@dataclass(frozen=True)
class Verification:
    """A webhook is the gateway's own. `stale`: signed more than ten minutes ago."""

    verdict: Verdict
    stale: bool


class SignatureRefusedError(Exception):
    """A webhook that its gateway did not sign. `reason` is for logs; the sender is not told."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def verify(gateway: str, headers: Mapping[str, str], body: bytes, secrets: Secrets, now: int) -> Verification:
    """Check a webhook against its account's secrets. Raises SignatureRefusedError.

    `headers` are keyed in lower case; `now` is in epoch seconds. Equal headers arrive joined by a comma, so a
    repeated one fails on its shape, as does any odd character.
    """
    return _VERIFIERS[gateway](headers, body, secrets, now)


def _verify_razorpay(headers: Mapping[str, str], body: bytes, secrets: Secrets, _: int) -> Verification:
    given = _shaped(headers, RAZORPAY_SIGNATURE, _HEX_DIGEST)
    verdict = _signer(given, secrets, lambda secret: _digest(secret, body).hex())
    return Verification(verdict, stale=False)


def _verify_cashfree(headers: Mapping[str, str], body: bytes, secrets: Secrets, now: int) -> Verification:
    given = _shaped(headers, CASHFREE_SIGNATURE, _BASE64_DIGEST)
    timestamp = headers.get(CASHFREE_TIMESTAMP, "")
    signed_at = _epoch_seconds(timestamp)
    signed = timestamp.encode() + body
    verdict = _signer(given, secrets, lambda secret: base64.b64encode(_digest(secret, signed)).decode())
    age = now - signed_at
    if not -NEWEST_SECONDS <= age <= OLDEST_SECONDS:
        raise SignatureRefusedError("timestamp_out_of_range")
    return Verification(verdict, stale=age > STALE_AFTER_SECONDS)


_VERIFIERS: Mapping[str, Callable[[Mapping[str, str], bytes, Secrets, int], Verification]] = {
    "razorpay": _verify_razorpay,
    "cashfree": _verify_cashfree,
}


def _shaped(headers: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str:
    value = headers.get(name)
    if value is None:
        raise SignatureRefusedError("signature_missing")
    if not shape.fullmatch(value):
        raise SignatureRefusedError("signature_malformed")
    return value


def _epoch_seconds(timestamp: str) -> int:
    if _SECONDS.fullmatch(timestamp):
        return int(timestamp)
    if _MILLISECONDS.fullmatch(timestamp):
        return int(timestamp) // 1000
    raise SignatureRefusedError("timestamp_malformed")


def _signer(given: str, secrets: Secrets, expected: Callable[[bytes], str]) -> Verdict:
    """The secret that made the signature `given`. Both are always tried, so the time taken tells nothing."""
    by_current = hmac.compare_digest(given.encode(), expected(secrets.current).encode())
    by_previous = secrets.previous is not None and hmac.compare_digest(
        given.encode(), expected(secrets.previous).encode()
    )
    if by_current:
        return Verdict.CURRENT
    if by_previous:
        return Verdict.PREVIOUS
    raise SignatureRefusedError("signature_wrong")


def _digest(secret: bytes, signed: bytes) -> bytes:
    return hmac.digest(secret, signed, hashlib.sha256)
