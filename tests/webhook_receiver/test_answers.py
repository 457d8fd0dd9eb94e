"""What the receiver answers to whom. Gateways count 200 as success and send again after anything else."""

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from local_stack.processes import LOOPBACK, wait_until
from tests.webhook_receiver.receiver_process import (
    AXLE_PREVIOUS,
    CASHFREE,
    GB_SECRET,
    RAZORPAY,
    Receiver,
    captured,
    raw_request,
    razorpay_headers,
)
from turno_lms.warehouse.connection import WarehouseConnection

LIMIT = 256 * 1024


def stored(raw: WarehouseConnection, event_key: str) -> int:
    rows = raw.execute(
        "select count(*) from raw.raw_razorpay_api where event_key = %s", (event_key,)
    ).fetchone()
    assert rows is not None
    return int(rows["count"])


def test_stored_and_duplicate_are_answered_200_with_one_small_body(receiver: Receiver) -> None:
    body = captured("pay_answer")
    answers = {
        receiver.request("POST", RAZORPAY, body, razorpay_headers(body, "evt_answer")) for _ in range(2)
    }
    assert answers == {(200, b"ok\n")}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/webhooks/razorpay/nobody", 404),
        ("POST", "/webhooks/paytm/axle", 404),
        ("POST", "/webhooks/cashfree/gb", 404),
        ("POST", "/webhooks/razorpay/AXLE", 404),
        ("POST", "/", 404),
        ("GET", RAZORPAY, 405),
        ("PUT", RAZORPAY, 405),
    ],
)
def test_unknown_addresses_and_methods(receiver: Receiver, method: str, path: str, status: int) -> None:
    assert receiver.request(method, path, b"{}")[0] == status


def test_wrong_signature_is_refused_and_not_stored(receiver: Receiver, raw: WarehouseConnection) -> None:
    body = captured("pay_forged")
    assert receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_forged", "guess")) == 401
    assert stored(raw, "evt_forged") == 0


def test_another_lenders_secret_is_refused(receiver: Receiver) -> None:
    body = captured("pay_other_lender")
    assert receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_other_lender", GB_SECRET)) == 401


def test_previous_secret_is_taken_and_noted(receiver: Receiver, raw: WarehouseConnection) -> None:
    body = captured("pay_rotation")
    assert receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_rotation", AXLE_PREVIOUS)) == 200
    row = raw.execute("select verdict from raw.raw_razorpay_api where event_key = 'evt_rotation'").fetchone()
    assert row == {"verdict": "verified_previous"}


def test_a_lender_without_a_secret_is_closed_even_to_the_empty_secret(receiver: Receiver) -> None:
    body = captured("pay_bare")
    assert receiver.post("/webhooks/razorpay/bare", body, razorpay_headers(body, "evt_bare", "")) == 503
    reasons = [line.get("reason") for line in receiver.log_lines() if line.get("outcome") == "no_secret"]
    assert reasons == ["SET TURNO_WEBHOOK_SECRET_RAZORPAY_BARE"]


def test_missing_signature_is_refused(receiver: Receiver) -> None:
    assert receiver.post(RAZORPAY, captured("pay_unsigned"), {}) == 401
    assert receiver.post(CASHFREE, captured("pay_unsigned"), {}) == 401


def test_repeated_signature_header_is_refused(receiver: Receiver) -> None:
    body = captured("pay_twice_signed")
    right = razorpay_headers(body, None)["X-Razorpay-Signature"].encode()
    length = (b"Content-Length", b"%d" % len(body))
    headers = [(b"X-Razorpay-Signature", right), (b"X-Razorpay-Signature", right), length]
    assert receiver.send_raw(raw_request(RAZORPAY, headers, body)) == 401


@pytest.mark.parametrize("signature", [b"\xff" * 64, "\u0967".encode() * 64, b"%s" % (b"a" * 63 + b"\xe9")])
def test_signature_of_odd_bytes_is_refused_not_an_error(receiver: Receiver, signature: bytes) -> None:
    body = captured("pay_odd_header")
    headers = [(b"X-Razorpay-Signature", signature), (b"Content-Length", b"%d" % len(body))]
    assert receiver.send_raw(raw_request(RAZORPAY, headers, body)) == 401


def test_underscores_do_not_make_a_second_signature_header(receiver: Receiver) -> None:
    body = captured("pay_underscores")
    right = razorpay_headers(body, None)["X-Razorpay-Signature"].encode()
    headers = [(b"X_Razorpay_Signature", right), (b"Content-Length", b"%d" % len(body))]
    assert receiver.send_raw(raw_request(RAZORPAY, headers, body)) == 401


def test_body_without_a_length_is_refused(receiver: Receiver) -> None:
    assert receiver.send_raw(raw_request(RAZORPAY, [], b"")) == 411


def test_chunked_body_is_refused_however_large(receiver: Receiver) -> None:
    chunk = b"%x\r\n%s\r\n" % (LIMIT, b"x" * LIMIT)
    headers = [(b"Transfer-Encoding", b"chunked"), (b"X-Razorpay-Signature", b"0" * 64)]
    assert receiver.send_raw(raw_request(RAZORPAY, headers, chunk + chunk + b"0\r\n\r\n")) == 411


def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_refused(receiver: Receiver) -> None:
    padding = LIMIT - len(b'{"event":""}')
    body = b'{"event":"%s"}' % (b"x" * padding)
    assert receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_limit")) == 200
    assert receiver.post(RAZORPAY, body + b" ", razorpay_headers(body + b" ", "evt_over")) == 413


def test_too_large_a_body_is_refused_before_it_is_sent(receiver: Receiver) -> None:
    # nothing follows the headers: a receiver that read first would wait for the body
    headers = [(b"Content-Length", b"%d" % (10 * 1024**3)), (b"X-Razorpay-Signature", b"0" * 64)]
    assert receiver.send_raw(raw_request(RAZORPAY, headers, b"")) == 413


def test_no_odd_body_or_header_makes_an_error(receiver: Receiver) -> None:
    bodies = [
        b"",
        b"\x00",
        b"null",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"event":{}}',
        b'"' + b"\xed\xa0\x80" + b'"',
    ]
    for body in bodies:
        headers = razorpay_headers(body, None) | {"x-razorpay-event-id": "\xe9vent id, odd"}
        assert receiver.post(RAZORPAY, body, headers) == 200, body[:20]


def test_who_sends_a_byte_now_and_then_keeps_no_thread(receiver: Receiver) -> None:
    # more of them than there are threads: 2 workers with 16 each
    clients = [socket.create_connection((LOOPBACK, receiver.port)) for _ in range(40)]
    try:
        for client in clients[:20]:
            client.sendall(b"POST /webhooks/razorpay/axle HTTP/1.1\r\nHost: ")
        for client in clients[20:]:
            head = raw_request(
                RAZORPAY, [(b"Content-Length", b"5000"), (b"X-Razorpay-Signature", b"0" * 64)], b"{"
            )
            client.sendall(head)
        body = captured("pay_slow_loris")

        def is_answered() -> bool:
            with suppress(TimeoutError):  # its turn may come after that of the slow ones
                return receiver.post(RAZORPAY, body, razorpay_headers(body, "evt_slow_loris")) == 200
            return False

        assert wait_until(is_answered, seconds=40)
    finally:
        for client in clients:
            client.close()


def test_busy_connections_that_are_kept_shut_nobody_out(receiver: Receiver, raw: WarehouseConnection) -> None:
    # more of them than there are threads: 2 workers with 16 each
    def send_in_a_row(sender: int) -> list[int]:
        connection = http.client.HTTPConnection(LOOPBACK, receiver.port, timeout=20)
        statuses = []
        for number in range(10):
            body = captured(f"pay_kept{sender:03d}{number:03d}")
            headers = razorpay_headers(body, f"evt_kept{sender}_{number}")
            connection.request("POST", RAZORPAY, body, headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()
        return statuses

    with ThreadPoolExecutor(40) as senders:
        answers = list(senders.map(send_in_a_row, range(40)))

    assert answers == [[200] * 10] * 40
    assert (
        sum(stored(raw, f"evt_kept{sender}_{number}") for sender in range(40) for number in range(10)) == 400
    )


def test_health_and_readiness(receiver: Receiver) -> None:
    assert receiver.request("GET", "/health") == (200, b"ok\n")
    assert receiver.request("GET", "/ready") == (200, b"ok\n")


def test_metrics_count_outcomes_over_all_workers(receiver: Receiver) -> None:
    name = 'turno_webhooks_total{gateway="razorpay",lender="gb",outcome="%s"}'
    before = receiver.metrics()
    for number in range(20):  # enough for both workers to take some
        body = captured(f"pay_metric{number}")
        assert receiver.post("/webhooks/razorpay/gb", body, razorpay_headers(body, None, GB_SECRET)) == 200
        assert receiver.post("/webhooks/razorpay/gb", body, {}) == 401
    after = receiver.metrics()
    assert after[name % "stored"] - before[name % "stored"] == 20
    assert after[name % "signature_refused"] - before[name % "signature_refused"] == 20


def test_logs_hold_ids_and_hashes_but_neither_bodies_nor_secrets(receiver: Receiver) -> None:
    body = b'{"event":"payment.captured","contact":"+919811111111"}'
    headers = razorpay_headers(body, "evt_logged")
    assert receiver.post(RAZORPAY, body, headers) == 200
    (line,) = [line for line in receiver.log_lines() if line.get("event_key") == "evt_logged"]
    assert line["outcome"] == "stored"
    assert line["event_type"] == "payment.captured"
    assert line["bytes"] == len(body)
    text = receiver.log.read_text(encoding="utf-8")
    for secret in ("+919811111111", "axle-current", headers["X-Razorpay-Signature"]):
        assert secret not in text


def test_the_receiver_knows_neither_airflow_nor_the_business_code() -> None:
    sources = Path(__file__).resolve().parents[2] / "webhook_receiver"
    imports = [
        line
        for path in sources.glob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("import ", "from ")) and line.split()[1].split(".")[0] in {"airflow", "turno_lms"}
    ]
    assert imports == []
