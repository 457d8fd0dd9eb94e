"""Webhooks: stored durably before the answer, against bare single-row commits into the same table.

Both sides write the same rows into `raw.raw_axle_razorpay_api` with its indexes, fsync on, one commit per row. Ours is
the shipped receiver under gunicorn with every check on, asked over 16 connections that are kept; the peer is a loop of
prepared inserts over 16 connections, as many as the receiver's two workers hold, without HTTP, signature or JSON. Both
are driven by two processes of eight threads that have made everything they send beforehand.
`p99_ms` is taken at 300 events a second, sent when they are due whatever became of earlier ones.
"""

import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.services import postgres_server, warehouse
from local_stack.processes import LOOPBACK
from local_stack.services import RECEIVER_VENV
from tests.webhook_receiver.receiver_process import RAZORPAY, captured, razorpay_headers, start_receiver

PROCESSES, THREADS = 2, 8
SECONDS = 10.0
RATE = 300
_WARM_UP, _WARM_UP_SECONDS = 50, 3.0
_MADE_AHEAD = 15_000  # a thread's events: more than it can have stored when the time is over
_A_SIDE = PROCESSES * THREADS * _MADE_AHEAD
_START_SECONDS = 20.0  # for processes to start and to make what they send
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
            ours = _per_second(_send, str(receiver.port), 0)
            waits = _at_a_rate(receiver.port, _A_SIDE)
        finally:
            receiver.stop()
        bare = _per_second(_commit, url, 2 * _A_SIDE)
        with psycopg.connect(url) as conn:
            stored = conn.execute("select count(*) from raw.raw_razorpay_api").fetchone()
    waits.sort()
    return {
        "clients": PROCESSES * THREADS,
        "stored": stored[0] if stored else 0,
        "per_second": ours,
        "bare_per_second": bare,
        "vs_bare_commit": ours / bare,
        "p50_ms": 1000 * waits[len(waits) // 2],
        "p99_ms": 1000 * waits[len(waits) * 99 // 100],
    }


Store = Callable[[bytes], None]
"""Stores one event durably, made ready beforehand."""


# ---------------------------------------------------------------- ours


def _request(number: int) -> bytes:
    """A signed webhook, as a gateway sends it."""
    body = captured(f"pay_{number:014d}")
    headers = razorpay_headers(body, f"evt_{number}") | {"Host": "receiver", "Content-Length": str(len(body))}
    lines = [f"POST {RAZORPAY} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def _gateway(port: str) -> Iterator[Store]:
    """A gateway with a connection that it keeps."""
    with socket.create_connection((LOOPBACK, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def send(request: bytes) -> None:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\nok\n"):
                part = connection.recv(4096)
                if not part:
                    raise ConnectionError(f"the receiver broke off after {answer!r}")
                answer += part

        yield send


def _send(port: str, first: int, begin: float) -> int:
    """One process of gateways; returns how many events were answered in time."""
    return _drive(lambda: _gateway(port), _request, first, begin)


# ---------------------------------------------------------------- the peer


@contextmanager
def _committer(url: str) -> Iterator[Store]:
    """A loop of single-row commits and nothing else."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:

        def commit(body: bytes) -> None:
            key = body.partition(b"pay_")[2][:14].decode()
            connection.execute(_INSERT, (f"evt_{key}", key.zfill(64), body, body.decode()))

        yield commit


def _commit(url: str, first: int, begin: float) -> int:
    """One process of committers; returns how many rows were committed in time."""
    return _drive(lambda: _committer(url), lambda number: captured(f"pay_{number:014d}"), first, begin)


# ---------------------------------------------------------------- driving both


def _drive(
    client: Callable[[], AbstractContextManager[Store]],
    make: Callable[[int], bytes],
    first: int,
    begin: float,
) -> int:
    """Store from the moment `begin` (epoch seconds) on, as fast as it goes."""

    def work(place: int) -> int:
        start = first + place * _MADE_AHEAD
        events = iter([make(number) for number in range(start, start + _MADE_AHEAD)])
        time.sleep(max(begin - _WARM_UP_SECONDS - time.time(), 0.0))
        with client() as store:
            for event in islice(events, _WARM_UP):  # connections open, statements prepared
                store(event)
            time.sleep(max(begin - time.time(), 0.0))
            for done, event in enumerate(events):
                store(event)
                if time.time() > begin + SECONDS:
                    return done
        raise RuntimeError("too few events were made ahead")

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(work, range(THREADS)))


def _per_second(drive: Callable[[str, int, float], int], where: str, first: int) -> float:
    """Events stored per second by all processes together."""
    begin = time.time() + _START_SECONDS
    firsts = [first + number * THREADS * _MADE_AHEAD for number in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(drive, [where] * PROCESSES, firsts, [begin] * PROCESSES)) / SECONDS


def _at_a_rate(port: int, first: int) -> list[float]:
    """Seconds from when each event was due to its answer: an answer that comes late delays no later event's clock."""
    requests = [_request(first + number) for number in range(int(RATE * SECONDS))]
    begin = time.monotonic() + 1.0
    due = iter([(begin + number / RATE, request) for number, request in enumerate(requests)])

    def work(_: int) -> list[float]:
        waits = []
        with _gateway(str(port)) as send:
            for moment, request in due:
                time.sleep(max(moment - time.monotonic(), 0.0))
                send(request)
                waits.append(time.monotonic() - moment)
        return waits

    clients = PROCESSES * THREADS
    with ThreadPoolExecutor(clients) as pool:
        return [wait for waits in pool.map(work, range(clients)) for wait in waits]
