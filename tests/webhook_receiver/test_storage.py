"""What is in RAW after an answer: the bytes received, once, with every digit."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.webhook_receiver.receiver_process import (
    CASHFREE,
    GB_SECRET,
    RAZORPAY,
    Receiver,
    captured,
    cashfree_headers,
    razorpay_headers,
)
from turno_lms.warehouse.connection import WarehouseConnection


def rows(raw: WarehouseConnection, event_key: str, gateway: str = "razorpay") -> list[dict[str, Any]]:
    query = f"select * from raw.raw_{gateway}_api where event_key = %s order by received_at"  # noqa: S608
    return raw.execute(query, (event_key,)).fetchall()


def dead_letters(raw: WarehouseConnection, body: bytes) -> list[dict[str, Any]]:
    digest = hashlib.sha256(body).hexdigest()
    query = "select * from raw.raw_webhook_dead_letter where body_sha256 = %s"
    return raw.execute(query, (digest,)).fetchall()


def test_an_event_is_stored_with_its_bytes_headers_and_hash(
    receiver: Receiver, raw: WarehouseConnection
) -> None:
    body = b'{ "event" : "payment.captured", "account_id": "acc_1" }'  # blanks that JSON does not keep
    headers = razorpay_headers(body, "evt_bytes")
    assert receiver.post(RAZORPAY, body, headers | {"Cookie": "no", "request-id": "evt_bytes"}) == 200
    (row,) = rows(raw, "evt_bytes")
    assert (row["lender"], row["event_type"], row["verdict"]) == (
        "axle",
        "payment.captured",
        "verified_current",
    )
    assert (row["stale"], row["conflicting"]) == (False, False)
    assert bytes(row["body"]) == body
    assert row["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert row["headers"] == {
        "x-razorpay-signature": headers["X-Razorpay-Signature"],
        "x-razorpay-event-id": "evt_bytes",
        "request-id": "evt_bytes",
    }


def test_amounts_keep_every_digit(receiver: Receiver, raw: WarehouseConnection) -> None:
    body = b'{"type":"PAYMENT_SUCCESS_WEBHOOK","a":170.00,"b":0.1,"c":12345678901234567890123.45,"d":%s}' % (
        b"9" * 5000
    )
    assert receiver.post(CASHFREE, body, cashfree_headers(body, "key-digits")) == 200
    query = """
        select payload ->> 'a' as a, payload ->> 'b' as b, payload ->> 'c' as c, payload ->> 'd' as d
        from raw.raw_cashfree_api where event_key = 'key-digits'
    """
    assert raw.execute(query).fetchone() == {
        "a": "170.00",
        "b": "0.1",
        "c": "12345678901234567890123.45",
        "d": "9" * 5000,
    }


def test_of_equal_json_keys_the_last_counts(receiver: Receiver, raw: WarehouseConnection) -> None:
    body = b'{"event":"payment.failed","amount":1,"event":"payment.captured","amount":549900}'
    assert receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_equal_keys")) == 200
    (row,) = rows(raw, "evt_equal_keys")
    assert row["event_type"] == "payment.captured"
    assert row["payload"] == {"event": "payment.captured", "amount": 549900}


def test_unknown_events_are_stored(receiver: Receiver, raw: WarehouseConnection) -> None:
    for key, body in (
        ("evt_new", b'{"event":"moon.landed"}'),
        ("evt_none", b"{}"),
        ("evt_odd", b'{"event":7}'),
    ):
        assert receiver.post(RAZORPAY, body, razorpay_headers(body, key)) == 200
    assert [rows(raw, key)[0]["event_type"] for key in ("evt_new", "evt_none", "evt_odd")] == [
        "moon.landed",
        None,
        None,
    ]


@pytest.mark.parametrize("event_id", [None, "odd id", "sha256:abc", "x" * 200])
def test_without_a_usable_event_id_the_body_is_the_key(
    receiver: Receiver, raw: WarehouseConnection, event_id: str | None
) -> None:
    body = captured(f"pay_{hashlib.sha256(str(event_id).encode()).hexdigest()}")
    for _ in range(2):
        assert receiver.post(RAZORPAY, body, razorpay_headers(body, event_id)) == 200
    assert len(rows(raw, f"sha256:{hashlib.sha256(body).hexdigest()}")) == 1


@pytest.mark.parametrize("name", ["x-idempotency-key", "x-idempotency-header"])
def test_cashfree_names_its_event_key_in_two_ways(
    receiver: Receiver, raw: WarehouseConnection, name: str
) -> None:
    body = b'{"type":"%s"}' % name.encode()
    headers = cashfree_headers(body, "unused")
    del headers["x-idempotency-key"]
    assert receiver.post(CASHFREE, body, headers | {name: f"key-of-{name}"}) == 200
    assert len(rows(raw, f"key-of-{name}", "cashfree")) == 1


def test_a_late_cashfree_webhook_is_stored_as_stale(receiver: Receiver, raw: WarehouseConnection) -> None:
    body = b'{"type":"PAYMENT_SUCCESS_WEBHOOK"}'
    assert receiver.post(CASHFREE, body, cashfree_headers(body, "key-late", seconds_ago=1800)) == 200
    (row,) = rows(raw, "key-late", "cashfree")
    assert row["stale"]


def test_one_event_for_two_lenders_is_a_row_for_each(receiver: Receiver, raw: WarehouseConnection) -> None:
    body = captured("pay_shared")
    assert receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_shared")) == 200
    assert (
        receiver.post("/webhooks/razorpay/gb", body, razorpay_headers(body, "evt_shared", GB_SECRET)) == 200
    )
    assert {row["lender"] for row in rows(raw, "evt_shared")} == {"axle", "gb"}


def test_a_storm_of_duplicates_is_one_row(receiver: Receiver, raw: WarehouseConnection) -> None:
    body = captured("pay_storm")
    headers = razorpay_headers(body, "evt_storm")
    with ThreadPoolExecutor(32) as senders:
        statuses = list(senders.map(lambda _: receiver.post(RAZORPAY, body, headers), range(200)))
    assert statuses == [200] * 200
    assert len(rows(raw, "evt_storm")) == 1


def test_one_event_id_with_another_body_is_kept_and_flagged(
    receiver: Receiver, raw: WarehouseConnection
) -> None:
    for paise in (549_900, 549_901, 549_900):
        body = captured("pay_conflict", paise)
        assert receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_conflict")) == 200
    assert [row["conflicting"] for row in rows(raw, "evt_conflict")] == [False, True]


def test_of_many_bodies_at_once_under_one_event_id_all_but_the_first_are_flagged(
    receiver: Receiver, raw: WarehouseConnection
) -> None:
    bodies = [captured("pay_race", paise) for paise in range(1, 33)]

    def post(body: bytes) -> int:
        return receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_race"))

    with ThreadPoolExecutor(32) as senders:
        assert set(senders.map(post, bodies)) == {200}
    flags = sorted(row["conflicting"] for row in rows(raw, "evt_race"))
    assert flags == [False] + [True] * 31


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"event=payment.captured", "not_json"),
        (b"", "not_json"),
        (b'{"event": NaN}', "not_json"),
        (b'\xef\xbb\xbf{"event":"payment.captured"}', "not_json"),
        (b'["payment.captured"]', "not_an_object"),
        (b'{"event":"\xff"}', "not_utf8"),
        (b'{"event":"payment.captured"}'.decode().encode("utf-16"), "not_utf8"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested_too_deeply"),
        (b'{"event":"a\\u0000b"}', "not_storable"),
        (b'{"note":"a\\u0000b"}', "not_storable"),
        (b'{"note":"\\ud800"}', "not_storable"),
        (b'{"amount":1e200000}', "not_storable"),
    ],
    ids=[
        "form",
        "empty",
        "nan",
        "byte-order-mark",
        "list",
        "latin-1",
        "utf-16",
        "deep",
        "nul-in-type",
        "nul",
        "half-surrogate",
        "beyond-numeric",
    ],
)
def test_a_signed_body_that_is_no_event_is_kept_once_as_dead_letter(
    receiver: Receiver, raw: WarehouseConnection, body: bytes, reason: str
) -> None:
    for _ in range(2):
        assert receiver.post(RAZORPAY, body, razorpay_headers(body, None)) == 200
    (letter,) = dead_letters(raw, body)
    assert (letter["gateway"], letter["lender"], letter["reason_code"]) == ("razorpay", "axle", reason)
    assert bytes(letter["body"]) == body
    assert (letter["verdict"], letter["stale"], letter["fate"]) == ("verified_current", False, "open")
    assert rows(raw, letter["event_key"]) == []
