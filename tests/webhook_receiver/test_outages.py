"""Bad days: the database goes away, a worker is killed. What was answered 200 is in RAW, once."""

import http.client
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Self

import psycopg
import pytest

from local_stack import postgres
from local_stack.processes import free_port, wait_until
from tests.webhook_receiver.receiver_database import prepare_receiver_database
from tests.webhook_receiver.receiver_process import (
    RAZORPAY,
    Receiver,
    captured,
    razorpay_headers,
    start_receiver,
)
from turno_lms.warehouse.connection import Role, connect
from turno_lms.warehouse.migrate import migrate


class OwnPostgres:
    """A PostgreSQL server of the test's own, durable, that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        passwords = {role: role for role in ("postgres", *Role)}
        self._log = folder / "postgres.log"
        self._server = postgres.PostgresServer(folder / "data", free_port(), passwords, dies_with_parent=True)
        self._process = self._server.start(self._log)
        self.databases = self._server.databases
        self.admin_url = self.databases.url("warehouse")

    def prepare_template(self) -> str:
        self.databases.ensure_database("template")
        migrate(self.databases.url("template"))
        for role in Role:
            self.databases.ensure_role(role)
        return "template"

    def prepare(self) -> str:
        return prepare_receiver_database(self.databases, "warehouse", self.prepare_template())

    def stop(self) -> None:
        postgres.stop(self._process)

    def start(self) -> None:
        self._process = self._server.start(self._log)

    def crash(self) -> None:
        """End the server at once; its sessions end when they notice."""
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnPostgres, str]]:
    server = OwnPostgres(tmp_path_factory.mktemp("own-postgres"))
    yield server, server.prepare()
    server.stop()


@pytest.fixture
def database(own_postgres: tuple[OwnPostgres, str]) -> OwnPostgres:
    return own_postgres[0]


@pytest.fixture(scope="module")
def fragile(
    receiver_python: Path, own_postgres: tuple[OwnPostgres, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Receiver]:
    """A receiver on the server that can be stopped."""
    running = start_receiver(receiver_python, tmp_path_factory.mktemp("fragile"), own_postgres[1])
    yield running
    running.stop()


def times_stored(url: str, prefix: str) -> dict[str, int]:
    query = """
        select event_key, count(*) as rows from raw.raw_razorpay_api where starts_with(event_key, %s) group by 1
    """
    with connect(url) as conn:
        return {row["event_key"]: row["rows"] for row in conn.execute(query, (prefix,))}


def post(receiver: Receiver, event: str) -> int:
    """Send one event as a gateway does: no answer counts as a failure."""
    body = captured(f"pay_{event}")
    try:
        return receiver.post(RAZORPAY, body, razorpay_headers(body, event))
    except (OSError, http.client.HTTPException):
        return 0


def post_until_taken(receiver: Receiver, event: str) -> None:
    """Send again until answered 200, as gateways do."""
    assert wait_until(lambda: post(receiver, event) == 200, seconds=30), f"{event} was never taken"


def test_database_down_is_503_and_the_retry_is_stored_once(fragile: Receiver, database: OwnPostgres) -> None:
    assert post(fragile, "evt_before") == 200
    database.stop()
    assert post(fragile, "evt_outage") == 503
    assert fragile.request("GET", "/ready")[0] == 503
    assert fragile.request("GET", "/health")[0] == 200
    database.start()
    post_until_taken(fragile, "evt_outage")
    assert post(fragile, "evt_outage") == 200
    assert times_stored(database.admin_url, "evt_outage") == {"evt_outage": 1}


def test_a_restart_between_two_events_costs_no_refusal(fragile: Receiver, database: OwnPostgres) -> None:
    with ThreadPoolExecutor(16) as senders:  # so that each worker holds several connections
        assert set(senders.map(lambda number: post(fragile, f"evt_warm{number}"), range(64))) == {200}
    database.stop()
    database.start()
    with ThreadPoolExecutor(16) as senders:
        assert set(senders.map(lambda number: post(fragile, f"evt_warmed{number}"), range(64))) == {200}


class Stream:
    """Sixteen gateways that send events one after the other, each until it is taken, as long as the block lasts."""

    def __init__(self, receiver: Receiver, prefix: str) -> None:
        self.taken: list[str] = []
        self._receiver = receiver
        self._prefix = prefix
        self._numbers = count()
        self._over = threading.Event()
        self._senders = ThreadPoolExecutor(16)

    def __enter__(self) -> Self:
        self._sending = [self._senders.submit(self._send) for _ in range(16)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for sender in self._sending:
            sender.result()
        self._senders.shutdown()

    def wait_for_more(self, events: int) -> None:
        target = len(self.taken) + events
        assert wait_until(lambda: len(self.taken) >= target, seconds=20)

    def _send(self) -> None:
        while not self._over.is_set():
            event = f"{self._prefix}{next(self._numbers)}"
            post_until_taken(self._receiver, event)
            self.taken.append(event)


def test_what_was_answered_survives_a_crash_of_the_database(fragile: Receiver, database: OwnPostgres) -> None:
    with Stream(fragile, "evt_crash") as stream:
        stream.wait_for_more(50)
        database.crash()
        database.start()
        stream.wait_for_more(50)
    assert times_stored(database.admin_url, "evt_crash") == dict.fromkeys(stream.taken, 1)


def test_what_was_answered_survives_kill_9_of_every_worker(
    receiver: Receiver, receiver_admin_url: str
) -> None:
    with Stream(receiver, "evt_kill") as stream:
        for _ in range(2):
            stream.wait_for_more(50)
            for pid in receiver.workers():
                os.kill(pid, signal.SIGKILL)
        stream.wait_for_more(50)
    assert times_stored(receiver_admin_url, "evt_kill") == dict.fromkeys(stream.taken, 1)


def test_a_missing_partition_is_503_and_says_what_to_do(
    receiver_python: Path, database: OwnPostgres, own_postgres: tuple[OwnPostgres, str], tmp_path: Path
) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute("drop table raw.raw_bare_razorpay_api")
    secret = {"TURNO_WEBHOOK_SECRET_RAZORPAY_BARE": "bare"}
    receiver = start_receiver(receiver_python, tmp_path, own_postgres[1], **secret)
    try:
        body = captured("pay_no_partition")
        assert receiver.post("/webhooks/razorpay/bare", body, razorpay_headers(body, "evt_np", "bare")) == 503
        (line,) = [line for line in receiver.log_lines() if line.get("outcome") == "not_stored"]
        assert line["reason"].endswith("found for row; run turno lenders apply")
    finally:
        receiver.stop()


def test_a_commit_that_fails_is_not_answered_200(fragile: Receiver, database: OwnPostgres) -> None:
    # the insert itself succeeds; a deferred constraint breaks the commit after it
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute("""
            create function fail() returns trigger language plpgsql as $$ begin raise 'disk full'; end $$;
            create constraint trigger fail_at_commit after insert on raw.raw_axle_razorpay_api
            deferrable initially deferred for each row when (new.event_key = 'evt_commit') execute function fail();
        """)
        # many times: an error that comes with the end of a pipeline may get lost, now and then
        assert {post(fragile, "evt_commit") for _ in range(100)} == {503}
        conn.execute("drop trigger fail_at_commit on raw.raw_axle_razorpay_api")
    assert times_stored(database.admin_url, "evt_commit") == {}
    assert post(fragile, "evt_commit") == 200


def test_a_worker_that_is_replaced_under_load_loses_nothing(
    receiver_python: Path, receiver_url: str, receiver_admin_url: str, tmp_path: Path
) -> None:
    receiver = start_receiver(receiver_python, tmp_path, receiver_url, TURNO_RECEIVER_MAX_REQUESTS="40")
    try:
        before = set(receiver.workers())
        with Stream(receiver, "evt_recycle") as stream:
            stream.wait_for_more(300)
        assert not before & set(receiver.workers())
    finally:
        receiver.stop()
    assert times_stored(receiver_admin_url, "evt_recycle") == dict.fromkeys(stream.taken, 1)
