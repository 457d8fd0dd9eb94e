"""The hook speaks for the Airflow connection; the client survives whatever the wire brings."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from local_stack.processes import free_port
from tests.fineract.tiny_fineract import BASE, Fault, LookFault, TinyFineract
from turno_lms.fineract.answers import Delivery
from turno_lms.fineract.audit import Call
from turno_lms.fineract.client import FineractClient, Timeouts
from turno_lms.fineract.errors import (
    FineractConfigurationError,
    FineractNotFoundError,
    FineractRefusedError,
    FineractUnavailableError,
    FineractUnknownOutcomeError,
    RetryClass,
)
from turno_lms.fineract.hook import TENANT_HEADER, FineractHook
from turno_lms.fineract.repayments import Repayment

KEY = "ab" * 16
REPAYMENT = Repayment(KEY, "GB 100/234", date(2026, 1, 5), Decimal("1234.50"), 2, receipt_number="U" * 60)


class Calls(list[Call]):
    """An audit sink that keeps its calls for the test."""

    record = list.append


def hook_client(monkeypatch: pytest.MonkeyPatch, url: str, audit: Calls, **extra: Any) -> FineractClient:
    connection = {"conn_type": "http", "host": url, "login": "mifos", "password": "password", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_FINERACT", json.dumps(connection))
    return FineractHook().client(audit)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, tiny: TinyFineract) -> FineractClient:
    return hook_client(monkeypatch, tiny.url, Calls(), tenant="default", read_timeout=2)


def test_the_connection_gives_credentials_tenant_ca_bundle_and_time_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/elsewhere.pem")
    extra = {"tenant": "turno", "ca_bundle": "/ca.pem", "connect_timeout": 3, "read_timeout": 45}
    client = hook_client(monkeypatch, "https://fineract.test/fineract-provider/api/v1", Calls(), **extra)
    session = client._session
    assert session.headers[TENANT_HEADER] == "turno"
    assert not {"tenant", "ca_bundle", "connect_timeout", "read_timeout"} & set(session.headers)
    assert (
        session.merge_environment_settings("https://fineract.test", {}, None, None, None)["verify"]
        == "/ca.pem"
    )
    assert client.timeouts == Timeouts(3.0, 45.0)


def test_a_repayment_is_sent_exactly_and_under_its_keys(client: FineractClient, tiny: TinyFineract) -> None:
    answer = client.post_repayment(REPAYMENT, f"{KEY}-a1")
    [sent] = tiny.sent
    assert sent["loan"] == "GB 100/234"  # quoted on the way: no slash of an id ever becomes a path
    assert (sent["key"], sent["externalId"]) == (f"{KEY}-a1", KEY)
    assert (sent["transactionDate"], sent["transactionAmount"]) == ("2026-01-05", Decimal("1234.50"))
    assert (sent["dateFormat"], sent["locale"], sent["paymentTypeId"]) == ("yyyy-MM-dd", "en", 2)
    assert sent["receiptNumber"] == "U" * 50  # Fineract's column
    assert answer.body["changes"]["transactionAmount"] == "1,234.50"


def test_a_transaction_is_found_or_is_none(client: FineractClient) -> None:
    assert client.find_transaction("GB 100/234", KEY) is None
    client.post_repayment(REPAYMENT, f"{KEY}-a1")
    found = client.find_transaction("GB 100/234", KEY)
    assert found is not None
    assert found["amount"] == Decimal("1234.50")


def test_no_connection_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    client = hook_client(monkeypatch, f"http://127.0.0.1:{free_port()}/fineract-provider/api/v1", calls)
    assert client.post_repayment(REPAYMENT, "k").delivery is Delivery.NOT_SENT
    assert not client.health()
    with pytest.raises(FineractUnavailableError) as caught:
        client.find_loan("L")
    assert caught.value.retry is RetryClass.LATER
    assert [call.path for call in calls][1:] == ["/actuator/health", "/loans/external-id/L"]


def test_a_dropped_connection_means_lost(client: FineractClient, tiny: TinyFineract) -> None:
    tiny.faults.append(Fault.DROPPED_AFTER)
    assert client.post_repayment(REPAYMENT, "k").delivery is Delivery.LOST
    assert KEY in tiny.transactions
    assert len(tiny.sent) == 1  # nothing below us sent it again


@contextmanager
def odd_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that treats every request alike; yields the API's base URL."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer(self)

        do_GET = do_POST = _serve  # noqa: N815  # names given by the standard library

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}{BASE}"
    server.shutdown()
    server.server_close()


def test_an_answer_that_does_not_come_in_time_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = Event()
    with odd_server(lambda _: given_up.wait(5) and None) as url:
        client = hook_client(monkeypatch, url, Calls(), read_timeout=0.2)
        assert client.post_repayment(REPAYMENT, "k").delivery is Delivery.LOST
        given_up.set()


def test_a_redirect_is_an_answer_and_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    paths: list[str] = []

    def to_a_login_page(request: BaseHTTPRequestHandler) -> None:
        paths.append(request.path)
        request.send_response(302)
        request.send_header("Location", "/login")
        request.end_headers()

    with odd_server(to_a_login_page) as url:
        assert hook_client(monkeypatch, url, Calls()).post_repayment(REPAYMENT, "k").status == 302
    assert len(paths) == 1


def test_a_body_that_is_no_json_is_survived(client: FineractClient, tiny: TinyFineract) -> None:
    tiny.faults.append(Fault.HTML_502_BEFORE)
    answer = client.post_repayment(REPAYMENT, "k")
    assert (answer.status, answer.body, answer.code) == (502, None, None)
    assert "Something in between" in answer.message
    tiny.look_faults.append(LookFault.HTML_404)
    with pytest.raises(FineractUnknownOutcomeError):
        client.find_transaction("L", KEY)


@pytest.mark.parametrize(
    ("fault", "error", "retry"),
    [
        (Fault.REFUSED_400, FineractRefusedError, RetryClass.NEVER),
        (Fault.UNAUTHORISED_401, FineractConfigurationError, RetryClass.STOP),
        (Fault.LOCKED_409, FineractUnavailableError, RetryClass.LATER),
        (Fault.FUTURE_DATE_403, FineractUnavailableError, RetryClass.LATER),
        (Fault.CONFLICT_409, FineractUnknownOutcomeError, RetryClass.AFTER_LOOKUP),
        (Fault.FAULT_500_BEFORE, FineractUnknownOutcomeError, RetryClass.AFTER_LOOKUP),
        (Fault.DROPPED_BEFORE, FineractUnknownOutcomeError, RetryClass.AFTER_LOOKUP),
    ],
)
def test_errors_are_typed_by_what_may_follow(
    client: FineractClient, tiny: TinyFineract, fault: Fault, error: type[Exception], retry: RetryClass
) -> None:
    tiny.faults.append(fault)
    with pytest.raises(error) as caught:
        client.undo_transaction("L", KEY, date(2026, 1, 6))
    assert caught.value.retry is retry  # type: ignore[attr-defined]  # every type of the family has it


def test_an_error_names_call_status_and_code(client: FineractClient) -> None:
    with pytest.raises(FineractNotFoundError, match=r"GET /loans/external-id/L\?.*: 404 error\.msg\.loan"):
        client.loan_transactions("L")


def test_every_attempt_reaches_the_api_log(monkeypatch: pytest.MonkeyPatch, tiny: TinyFineract) -> None:
    calls = Calls()
    client = hook_client(monkeypatch, tiny.url, calls)
    client.post_repayment(REPAYMENT, f"{KEY}-a1")
    client.look_up_transaction("GB 100/234", KEY)
    assert [(call.purpose, call.subject, call.idempotency_key) for call in calls] == [
        ("repayment", KEY, f"{KEY}-a1"),
        ("read_back", KEY, None),
    ]
    assert "password" not in repr(calls)
