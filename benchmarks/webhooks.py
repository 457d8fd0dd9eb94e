"""Webhooks: stored durably before the answer, against bare single-row commits into the same table.

Both sides write the same rows into `raw.raw_axle_razorpay_api` with its indexes, fsync on, one commit per row, from 16
clients. Ours is the shipped receiver under gunicorn with every check on; the peer is a loop of prepared inserts.
`p99_ms` is taken at 300 events a second, sent when they are due whatever became of earlier ones.
"""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.services import postgres_server, warehouse
from local_stack.processes import LOOPBACK
from local_stack.services import RECEIVER_VENV
from tests.webhook_receiver.receiver_process import (
    RAZORPAY,
    Receiver,
    captured,
    razorpay_headers,
    start_receiver,
)

CLIENTS = 16
SECONDS = 10.0
RATE = 300
_numbers = count()
_INSERT = """
insert into raw.raw_razorpay_api (lender, event_key, body_sha256, event_type, body, payload, headers, verdict)
values ('axle', %s, %s, 'payment.captured', %s, %s::jsonb, '{}', 'verified_current')
"""


def run() -> Mapping[str, float | int]:
    """Events a second, and the 99th percentile of the answers at 300 a second in milliseconds."""
    with postgres_server() as databases, TemporaryDirectory(prefix="turno-bench-") as folder:
        url = warehouse(databases)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(
                "create table raw.raw_axle_razorpay_api partition of raw.raw_razorpay_api for values in ('axle')"
            )
        python = RECEIVER_VENV / "bin" / "python"
        receiver = start_receiver(python, Path(folder), databases.url("warehouse", "turno_receiver"))
        try:
            with _clients(lambda: _sender(receiver)) as senders:
                _per_second(senders, 1.0)  # connections open, statements prepared
                ours = _per_second(senders, SECONDS)
                waits = _at_a_rate(senders)
        finally:
            receiver.stop()
        with _clients(lambda: _committer(url)) as committers:
            _per_second(committers, 1.0)
            bare = _per_second(committers, SECONDS)
        with psycopg.connect(url) as conn:
            stored = conn.execute("select count(*) from raw.raw_razorpay_api").fetchone()
    waits.sort()
    return {
        "clients": CLIENTS,
        "stored": stored[0] if stored else 0,
        "per_second": ours,
        "bare_per_second": bare,
        "vs_bare_commit": ours / bare,
        "p50_ms": 1000 * waits[len(waits) // 2],
        "p99_ms": 1000 * waits[len(waits) * 99 // 100],
    }


Client = Callable[[], None]
"""Stores one new event durably."""


@contextmanager
def _clients(make: Callable[[], tuple[Client, Callable[[], None]]]) -> Iterator[list[Client]]:
    made = [make() for _ in range(CLIENTS)]
    try:
        yield [store for store, _ in made]
    finally:
        for _, close in made:
            close()


def _sender(receiver: Receiver) -> tuple[Client, Callable[[], None]]:
    """A gateway with a connection that it keeps."""
    connection = socket.create_connection((LOOPBACK, receiver.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send() -> None:
        number = next(_numbers)
        body = captured(f"pay_{number:014d}")
        headers = razorpay_headers(body, f"evt_{number}") | {
            "Host": "receiver",
            "Content-Length": str(len(body)),
        }
        lines = [f"POST {RAZORPAY} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = b""
        while not answer.endswith(b"\r\n\r\nok\n"):
            part = connection.recv(4096)
            if not part:
                raise ConnectionError(f"the receiver broke off after {answer!r}")
            answer += part

    return send, connection.close


def _committer(url: str) -> tuple[Client, Callable[[], None]]:
    """A loop of single-row commits and nothing else."""
    connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)

    def commit() -> None:
        number = next(_numbers)
        body = captured(f"pay_{number:014d}")
        connection.execute(_INSERT, (f"evt_{number}", f"{number:064d}", body, body.decode()))

    return commit, connection.close


def _per_second(clients: list[Client], seconds: float) -> float:
    """Events stored per second by all clients, each as fast as it can."""
    end = time.monotonic() + seconds

    def work(store: Client) -> int:
        done = 0
        while time.monotonic() < end:
            store()
            done += 1
        return done

    with ThreadPoolExecutor(len(clients)) as pool:
        return sum(pool.map(work, clients)) / seconds


def _at_a_rate(clients: list[Client]) -> list[float]:
    """Seconds from when each event was due to its answer: an answer that comes late delays no later event's clock."""
    begin = time.monotonic() + 0.1
    due = iter([begin + number / RATE for number in range(int(RATE * SECONDS))])

    def work(store: Client) -> list[float]:
        waits = []
        for moment in due:
            time.sleep(max(moment - time.monotonic(), 0.0))
            store()
            waits.append(time.monotonic() - moment)
        return waits

    with ThreadPoolExecutor(len(clients)) as pool:
        return [wait for waits in pool.map(work, clients) for wait in waits]
