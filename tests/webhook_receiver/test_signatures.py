"""Signatures, on values made with openssl (`openssl dgst -sha256 -hmac <secret>`), not with the code under test."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_receiver.settings import Secrets
from webhook_receiver.signatures import SignatureRefusedError, Verdict, verify

SECRETS = Secrets(b"current-secret", b"previous-secret")
NOW = 1_767_591_725  # 2026-01-05 05:42:05 UTC, five seconds after the timestamps below

RAZORPAY_BODY = b'{"event":"payment.captured"}'
BY_CURRENT = "9b0d283f8d72cec7b0e4072da1e547e8969a1c746541ed552100248c1b01d416"
BY_PREVIOUS = "c87e4b1bac28aa5160553a653b1497631a02c6fb9beceb0743dbc7f01312e1b0"

CASHFREE_BODY = b'{"type":"PAYMENT_SUCCESS_WEBHOOK","amount":170.00}'
MILLISECONDS = {
    "x-webhook-timestamp": "1767591720000",
    "x-webhook-signature": "TOc9RWwfOtesEaUF3dYrea0oR7CHlucErgEo13i+paY=",
}
SECONDS = {
    "x-webhook-timestamp": "1767591720",
    "x-webhook-signature": "OuMJEA+GzEOXnNAMz/CU7Mxdv4LYyQAcvhR1hkBHqTw=",
}


def refusal(gateway: str, headers: dict[str, str], body: bytes, secrets: Secrets, now: int = NOW) -> str:
    with pytest.raises(SignatureRefusedError) as refused:
        verify(gateway, headers, body, secrets, now)
    return refused.value.reason


@pytest.mark.parametrize(
    ("signature", "verdict"), [(BY_CURRENT, Verdict.CURRENT), (BY_PREVIOUS, Verdict.PREVIOUS)]
)
def test_razorpay_is_taken_with_either_secret(signature: str, verdict: Verdict) -> None:
    headers = {"x-razorpay-signature": signature}
    assert verify("razorpay", headers, RAZORPAY_BODY, SECRETS, NOW).verdict is verdict


def test_a_secret_that_is_no_longer_previous_is_refused() -> None:
    headers = {"x-razorpay-signature": BY_PREVIOUS}
    assert refusal("razorpay", headers, RAZORPAY_BODY, Secrets(b"current-secret")) == "signature_wrong"


@pytest.mark.parametrize(
    ("signature", "reason"),
    [
        (BY_CURRENT[:-1] + "7", "signature_wrong"),
        (BY_CURRENT.upper(), "signature_malformed"),
        (BY_CURRENT[:-1], "signature_malformed"),
        (BY_CURRENT + "\n", "signature_malformed"),
        (f"{BY_CURRENT},{BY_CURRENT}", "signature_malformed"),
        (BY_CURRENT[:-1] + "\u00b9", "signature_malformed"),
        ("", "signature_malformed"),
    ],
    ids=["other", "upper-case", "short", "newline", "repeated", "superscript-digit", "empty"],
)
def test_razorpay_signature_must_be_exact(signature: str, reason: str) -> None:
    assert refusal("razorpay", {"x-razorpay-signature": signature}, RAZORPAY_BODY, SECRETS) == reason


def test_missing_signature_is_refused() -> None:
    assert refusal("razorpay", {}, RAZORPAY_BODY, SECRETS) == "signature_missing"
    assert refusal("cashfree", {}, CASHFREE_BODY, SECRETS) == "signature_missing"


def test_one_other_byte_in_the_body_is_refused() -> None:
    headers = {"x-razorpay-signature": BY_CURRENT}
    assert refusal("razorpay", headers, RAZORPAY_BODY + b" ", SECRETS) == "signature_wrong"


@pytest.mark.parametrize("headers", [MILLISECONDS, SECONDS], ids=["milliseconds", "seconds"])
def test_cashfree_is_taken_with_both_forms_of_timestamp(headers: dict[str, str]) -> None:
    verification = verify("cashfree", headers, CASHFREE_BODY, SECRETS, NOW)
    assert (verification.verdict, verification.stale) == (Verdict.CURRENT, False)


@pytest.mark.parametrize("moved", [1, 3])
def test_digits_moved_from_timestamp_to_body_are_refused(moved: int) -> None:
    # timestamp and body are signed without a separator, so the signature itself still fits
    timestamp = MILLISECONDS["x-webhook-timestamp"]
    headers = MILLISECONDS | {"x-webhook-timestamp": timestamp[:-moved]}
    body = timestamp[-moved:].encode() + CASHFREE_BODY
    # 13 - 3 = 10 digits is a form of timestamp; what is left over makes the body no JSON (the dead letter)
    if moved == 3:
        assert verify("cashfree", headers, body, SECRETS, NOW).verdict is Verdict.CURRENT
    else:
        assert refusal("cashfree", headers, body, SECRETS) == "timestamp_malformed"


@pytest.mark.parametrize("timestamp", ["", "17675917200", "1767591720.000", "\u0661767591720", "-767591720"])
def test_cashfree_timestamp_is_ten_or_thirteen_digits(timestamp: str) -> None:
    headers = MILLISECONDS | {"x-webhook-timestamp": timestamp}
    assert refusal("cashfree", headers, CASHFREE_BODY, SECRETS) == "timestamp_malformed"


@pytest.mark.parametrize(("seconds_later", "stale"), [(0, False), (600, False), (601, True), (86_400, True)])
def test_a_late_cashfree_webhook_is_taken_and_marked(seconds_later: int, stale: bool) -> None:
    now = 1_767_591_720 + seconds_later
    assert verify("cashfree", SECONDS, CASHFREE_BODY, SECRETS, now).stale is stale


@pytest.mark.parametrize("seconds_later", [86_401, -301])
def test_a_cashfree_webhook_of_another_day_or_of_the_future_is_refused(seconds_later: int) -> None:
    now = 1_767_591_720 + seconds_later
    assert refusal("cashfree", SECONDS, CASHFREE_BODY, SECRETS, now) == "timestamp_out_of_range"


TEXT = st.text(max_size=100) | st.sampled_from(
    [BY_CURRENT, MILLISECONDS["x-webhook-signature"], "1767591720"]
)
HEADERS = st.dictionaries(
    st.sampled_from(["x-razorpay-signature", "x-webhook-signature", "x-webhook-timestamp", "x-other"]), TEXT
)


@given(gateway=st.sampled_from(["razorpay", "cashfree"]), headers=HEADERS, body=st.binary(max_size=200))
def test_whatever_nobody_signed_is_refused_and_never_an_error(
    gateway: str, headers: dict[str, str], body: bytes
) -> None:
    unsigned = Secrets(b"a secret that signed none of these", b"nor this one")
    with pytest.raises(SignatureRefusedError):
        verify(gateway, headers, body, unsigned, NOW)


@given(body=st.binary(max_size=500), secret=st.binary(min_size=1, max_size=100))
def test_whatever_was_signed_is_taken_with_its_secret_alone(body: bytes, secret: bytes) -> None:
    signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
    assert verify(
        "razorpay", {"x-razorpay-signature": signature}, body, Secrets(b"new", secret), NOW
    ).verdict is (Verdict.CURRENT if secret == b"new" else Verdict.PREVIOUS)
    stamped = base64.b64encode(hmac.new(secret, b"1767591720" + body, hashlib.sha256).digest()).decode()
    headers = {"x-webhook-signature": stamped, "x-webhook-timestamp": "1767591720"}
    assert verify("cashfree", headers, body, Secrets(secret), NOW).verdict is Verdict.CURRENT
    other = Secrets(secret + b"!")
    assert refusal("cashfree", headers, body, other) == "signature_wrong"


def test_a_refusal_does_not_tell_the_right_signature() -> None:
    headers = {"x-razorpay-signature": "0" * 64}
    with pytest.raises(SignatureRefusedError) as refused:
        verify("razorpay", headers, RAZORPAY_BODY, SECRETS, NOW)
    told = f"{refused.value!r} {refused.value} {refused.value.__context__!r}"
    assert BY_CURRENT not in told
    assert BY_PREVIOUS not in told
