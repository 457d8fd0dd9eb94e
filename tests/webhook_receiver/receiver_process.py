"""The receiver under gunicorn as in production, and requests to it as gateways (or others) send them."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_stack.health import answers
from local_stack.processes import LOOPBACK, free_port, spawn, stop_child, wait_until

PROJECT = Path(__file__).resolve().parents[2]
AXLE_SECRET = "axle-current"
AXLE_PREVIOUS = "axle-previous"
GB_SECRET = "gb-current"
SECRETS = {
    "TURNO_WEBHOOK_SECRET_RAZORPAY_AXLE": AXLE_SECRET,
    "TURNO_WEBHOOK_SECRET_RAZORPAY_AXLE_PREVIOUS": AXLE_PREVIOUS,
    "TURNO_WEBHOOK_SECRET_CASHFREE_AXLE": AXLE_SECRET,
    "TURNO_WEBHOOK_SECRET_RAZORPAY_GB": GB_SECRET,
    "TURNO_WEBHOOK_SECRET_RAZORPAY_BARE": "",
}
RAZORPAY = "/webhooks/razorpay/axle"
CASHFREE = "/webhooks/cashfree/axle"


@dataclass(frozen=True)
class Receiver:
    """A running receiver."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a request of its own connection; return the answer's status."""
        return self.request("POST", path, body, headers)[0]

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def send_raw(self, request: bytes) -> int:
        """Send exactly these bytes; return the answer's status."""
        with socket.create_connection((LOOPBACK, self.port), timeout=10) as client:
            client.sendall(request)
            answer = client.recv(4096)
        return int(answer.split(b" ", 2)[1])

    def metrics(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:  # noqa: S310
            lines = answer.read().decode().splitlines()
        return {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def workers(self) -> list[int]:
        """The process ids of the workers, children of gunicorn's master."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text(encoding="ascii").split()]

    def stop(self) -> None:
        stop_child(self.process)


CONFIGURATION = "webhook_receiver/gunicorn.conf.py"


def start_receiver(
    python: Path,
    folder: Path,
    database_url: str,
    *,
    port: int | None = None,
    configuration: str = CONFIGURATION,
    **environment: str,
) -> Receiver:
    """Start a receiver that knows the lenders axle (both gateways), gb and bare (which has no secret)."""
    port = port or free_port()
    log = folder / "receiver.log"
    process = spawn(
        [
            str(python.with_name("gunicorn")),
            "-c",
            configuration,
            "-b",
            f"{LOOPBACK}:{port}",
        ],
        log=log,
        cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "TURNO_RECEIVER_DATABASE_URL": database_url,
            "TURNO_LENDER_MAPPINGS": str(make_mappings(folder)),
            **SECRETS,
            **environment,
        },
    )
    receiver = Receiver(port, process, log)
    if not wait_until(lambda: answers(f"{receiver.url}/health"), seconds=20):
        receiver.stop()
        raise AssertionError(log.read_text(encoding="utf-8"))
    return receiver


def make_mappings(folder: Path) -> Path:
    """Lender mappings with what the receiver reads of them, and something it must not mind."""
    mappings = folder / "lender_mappings"
    mappings.mkdir(exist_ok=True)
    gateways = {"axle": ("razorpay", "cashfree"), "gb": ("razorpay",), "bare": ("razorpay",)}
    for lender, names in gateways.items():
        entries = "".join(f"  {name}: {{loan_from: []}}\n" for name in names)
        text = f"lender: {lender}\nname: any\nfiles: {{}}\ngateways:\n{entries}"
        (mappings / f"{lender}.yml").write_text(text, encoding="utf-8")
    return mappings


def razorpay_headers(body: bytes, event_id: str | None, secret: str = AXLE_SECRET) -> dict[str, str]:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Razorpay-Signature": signature, **({"x-razorpay-event-id": event_id} if event_id else {})}


def cashfree_headers(
    body: bytes, key: str, secret: str = AXLE_SECRET, *, seconds_ago: int = 0
) -> dict[str, str]:
    timestamp = str((int(time.time()) - seconds_ago) * 1000)
    digest = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256).digest()
    return {
        "x-webhook-signature": base64.b64encode(digest).decode(),
        "x-webhook-timestamp": timestamp,
        "x-idempotency-key": key,
    }


def captured(payment_id: str, paise: int = 549_900) -> bytes:
    """A small body of Razorpay's form."""
    payment = {"entity": {"id": payment_id, "amount": paise, "status": "captured"}}
    return json.dumps({"event": "payment.captured", "payload": {"payment": payment}}).encode()


def raw_request(path: str, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A request byte by byte, for headers that no client library would send."""
    lines = [b"POST %s HTTP/1.1" % path.encode(), b"Host: receiver", b"Connection: close"]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", body])


def receiver_requirements() -> list[str]:
    """The pins of the receiver's lock, as `name==version`."""
    lock = (PROJECT / "webhook_receiver" / "requirements.txt").read_text(encoding="utf-8")
    return re.findall(r"^([a-z0-9-]+==[^ ]+)", lock, flags=re.MULTILINE)
