"""deploy/Caddyfile under a real Caddy: who may reach what, under which name, with how much and how slowly."""

import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from local_stack.processes import LOOPBACK, free_port, spawn, stop_child, wait_until
from tests.webhook_receiver.receiver_process import RAZORPAY, Receiver, captured, razorpay_headers

CADDYFILE = Path(__file__).resolve().parents[2] / "deploy" / "Caddyfile"
CADDY = str(Path(sys.executable).with_name("caddy"))
WEBHOOKS, UI, FINERACT = "hooks.example.test", "lms.example.test", "fineract.example.test"


class Recorder(BaseHTTPRequestHandler):
    """Stands for Airflow and Fineract: says who it is."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{self.server.server_port}".encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""


@dataclass(frozen=True)
class Proxy:
    """A running Caddy. It uses a certificate authority of its own, whose certificates are checked."""

    https: int
    http: int
    authority: Path
    airflow: int
    fineract: int

    def connect(self, name: str) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.authority))
        plain = socket.create_connection((LOOPBACK, self.https), timeout=30)
        return context.wrap_socket(plain, server_hostname=name)

    def request(
        self, name: str, path: str, method: str = "GET", body: bytes | None = None,
        headers: dict[str, str] | None = None, host: str | None = None,
    ) -> tuple[int, bytes]:  # fmt: skip
        connection = http.client.HTTPSConnection(name, self.https, timeout=30)
        connection.sock = self.connect(name)
        connection.request(method, path, body, {"Host": host or name, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()


def start_caddy(folder: Path, **settings: str) -> "tuple[Proxy, subprocess.Popen[bytes]]":
    https, plain = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "TURNO_HTTPS_PORT": str(https),
        "TURNO_HTTP_PORT": str(plain),
        "TURNO_WEBHOOK_HOST": WEBHOOKS,
        "TURNO_UI_HOST": UI,
        "TURNO_FINERACT_HOST": FINERACT,
        **settings,
    }
    log = folder / "caddy.log"
    command = [CADDY, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    process = spawn(command, log=log, env=environment)
    authority = folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    proxy = Proxy(
        https, plain, authority,
        int(settings["TURNO_AIRFLOW_UPSTREAM"].rpartition(":")[2]),
        int(settings["TURNO_FINERACT_UPSTREAM"].rpartition(":")[2]),
    )  # fmt: skip

    def is_up() -> bool:
        try:
            return proxy.request(FINERACT, "/")[0] != 0
        except OSError:
            return False

    if not wait_until(is_up, seconds=30):
        stop_child(process)
        raise AssertionError(log.read_text(encoding="utf-8"))
    return proxy, process


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, str]]:
    servers = [ThreadingHTTPServer((LOOPBACK, 0), Recorder) for _ in range(2)]
    for server in servers:
        Thread(target=server.serve_forever, daemon=True).start()
    names = ("TURNO_AIRFLOW_UPSTREAM", "TURNO_FINERACT_UPSTREAM")
    yield {name: f"{LOOPBACK}:{server.server_port}" for name, server in zip(names, servers, strict=True)}
    for server in servers:
        server.shutdown()


@pytest.fixture(scope="module")
def proxy(
    receiver: Receiver, upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("caddy")
    upstream = f"{LOOPBACK}:{receiver.port}"
    running, process = start_caddy(folder, TURNO_RECEIVER_UPSTREAM=upstream, **upstreams)
    yield running
    stop_child(process)


def test_a_signed_webhook_passes_and_is_stored(proxy: Proxy, receiver: Receiver) -> None:
    before = receiver.metrics()['turno_webhooks_total{gateway="razorpay",lender="axle",outcome="stored"}']
    body = captured("pay_proxy1")

    status, _ = proxy.request(WEBHOOKS, RAZORPAY, "POST", body, razorpay_headers(body, "evt_proxy1"))

    assert status == 200
    after = receiver.metrics()['turno_webhooks_total{gateway="razorpay",lender="axle",outcome="stored"}']
    assert after == before + 1


def test_a_wrong_signature_is_refused_by_the_receiver_behind(proxy: Proxy) -> None:
    body = b'{"event": "payment.captured"}'
    assert (
        proxy.request(WEBHOOKS, RAZORPAY, "POST", body, razorpay_headers(body, "evt_proxy2", "not it"))[0]
        == 401
    )


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/health",
        "/ready",
        "/webhooks/",
        "/webhooks/razorpay/axle/../../../metrics",
        "/api/v2/dags",
    ],
)
def test_nothing_else_of_the_receiver_is_for_the_world(proxy: Proxy, path: str) -> None:
    assert proxy.request(WEBHOOKS, path)[0] == 404


def test_only_posts_are_taken(proxy: Proxy) -> None:
    assert proxy.request(WEBHOOKS, RAZORPAY, "GET")[0] == 404


def test_a_body_beyond_the_limit_is_refused_with_413(proxy: Proxy) -> None:
    assert proxy.request(WEBHOOKS, RAZORPAY, "POST", b"x" * (256 * 1024 + 1))[0] == 413


def test_each_name_leads_to_its_own_server(proxy: Proxy) -> None:
    assert proxy.request(UI, "/api/v2/version") == (200, str(proxy.airflow).encode())
    assert proxy.request(FINERACT, "/fineract-provider/api/v1/loans") == (200, str(proxy.fineract).encode())


@pytest.mark.parametrize("path", ["/execution/task-instances/1/run", "/turno-metrics"])
def test_what_is_for_the_inside_is_not_on_the_ui_name(proxy: Proxy, path: str) -> None:
    assert proxy.request(UI, path)[0] == 404


def test_a_name_that_is_not_ours_gets_no_certificate(proxy: Proxy) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        proxy.connect("other.example.test")


def test_a_host_header_that_is_not_the_name_of_the_certificate_is_refused(proxy: Proxy) -> None:
    assert proxy.request(WEBHOOKS, RAZORPAY, "POST", b"{}", host=UI)[0] == 421


def test_plain_http_is_sent_to_https_and_other_names_are_dropped(proxy: Proxy) -> None:
    assert plain_status(proxy, UI) == 308
    with pytest.raises(ConnectionError):
        plain_status(proxy, "other.example.test")


def plain_status(proxy: Proxy, host: str) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, proxy.http, timeout=10)
    connection.request("GET", "/", headers={"Host": host})
    return connection.getresponse().status


def test_a_slow_sender_is_held_back_and_keeps_no_thread_of_the_receiver(
    proxy: Proxy, receiver: Receiver
) -> None:
    slow = [proxy.connect(WEBHOOKS) for _ in range(40)]  # more than the receiver has threads
    for client in slow:
        head = f"POST {RAZORPAY} HTTP/1.1\r\nHost: {WEBHOOKS}\r\nContent-Length: 1000\r\n\r\n"
        client.sendall(head.encode() + b"x")
    body = b'{"event": "payment.captured"}'
    began = time.monotonic()

    status, _ = proxy.request(
        WEBHOOKS, RAZORPAY, "POST", body, razorpay_headers(body, "evt_proxy3", "not it")
    )

    assert status == 401
    assert time.monotonic() - began < 2
    assert connections_to(receiver.port) < len(slow)
    for client in slow:
        client.close()


def connections_to(port: int) -> int:
    """Established connections to a port of the loopback address."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(1 for field in fields if field[1].endswith(f":{port:04X}") and field[3] == "01")


def test_people_outside_the_office_networks_see_webhooks_only(
    receiver: Receiver, upstreams: dict[str, str], tmp_path: Path
) -> None:
    upstream = f"{LOOPBACK}:{receiver.port}"
    running, process = start_caddy(
        tmp_path, TURNO_RECEIVER_UPSTREAM=upstream, TURNO_OFFICE_NETWORKS="192.0.2.0/24", **upstreams
    )
    try:
        assert running.request(UI, "/")[0] == 403
        assert running.request(FINERACT, "/fineract-provider/api/v1/loans")[0] == 403
        assert running.request(WEBHOOKS, "/los/create_client", "POST", b"{}")[0] == 404
        body = b'{"event": "payment.captured"}'
        refused = running.request(
            WEBHOOKS, RAZORPAY, "POST", body, razorpay_headers(body, "evt_proxy4", "not it")
        )
        assert refused[0] == 401
    finally:
        stop_child(process)


def test_operations_of_the_origination_system_pass_from_inside(proxy: Proxy) -> None:
    assert (
        proxy.request(WEBHOOKS, "/los/create_client", "POST", b"{}")[0] == 401
    )  # the receiver asks for a token
