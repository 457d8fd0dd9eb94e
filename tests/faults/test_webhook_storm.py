"""A storm of webhooks with everything at once: duplicates from 32 clients, forgeries, and kill -9 of workers and of
PostgreSQL under load. What was answered 200 is in RAW exactly once, and nothing unsigned ever is.

`TURNO_STORM_ROUNDS` makes it longer.
"""

import http.client
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local_stack.processes import wait_until
from tests.webhook_receiver.conftest import receiver_python as receiver_python  # noqa: PLC0414  # the fixture
from tests.webhook_receiver.receiver_process import (
    RAZORPAY,
    Receiver,
    captured,
    razorpay_headers,
    start_receiver,
)
from tests.webhook_receiver.test_outages import OwnPostgres, post_until_taken, times_stored

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
ROUNDS = int(os.environ.get("TURNO_STORM_ROUNDS", "1"))
CLIENTS = 32
EVENTS = 300
COPIES = 3
SEED = 20260105


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnPostgres]:
    running = OwnPostgres(tmp_path)
    yield running
    running.stop()


def forge(receiver: Receiver, event: str) -> int:
    """Send an event that its gateway did not sign."""
    body = captured(f"pay_{event}")
    try:
        return receiver.post(RAZORPAY, body, razorpay_headers(body, event, "a guess"))
    except (OSError, http.client.HTTPException):
        return 0


def test_what_was_answered_is_stored_once_whatever_is_killed(
    receiver_python: Path, server: OwnPostgres, tmp_path: Path
) -> None:
    url = server.prepare()
    receiver = start_receiver(receiver_python, tmp_path, url, TURNO_RECEIVER_MAX_REQUESTS="200")
    chance = random.Random(SEED)  # noqa: S311  # a shuffle, not a secret
    figures: Counter[str] = Counter()
    try:
        for number in range(ROUNDS):
            _storm(receiver, server, chance, number, figures)
    finally:
        receiver.stop()
    stored = times_stored(server.admin_url, "evt_storm")
    forged = times_stored(server.admin_url, "evt_forged")
    print(f"storm sent={figures['sent']} acknowledged={figures['acknowledged']} stored={len(stored)} "
          f"kills={figures['kills']} doubles={sum(n > 1 for n in stored.values())} forged_stored={len(forged)}")  # fmt: skip
    assert set(stored.values()) == {1}
    assert len(stored) == EVENTS * ROUNDS
    assert forged == {}
    assert figures["forged_taken"] == 0


def _storm(
    receiver: Receiver, server: OwnPostgres, chance: random.Random, number: int, figures: Counter[str]
) -> None:
    events = [f"evt_storm{number}_{each}" for each in range(EVENTS)] * COPIES
    chance.shuffle(events)
    done = threading.Semaphore(0)

    def deliver(event: str) -> None:
        if chance.random() < 0.2 and forge(receiver, event.replace("storm", "forged")) == 200:
            figures["forged_taken"] += 1
        post_until_taken(receiver, event)
        done.release()

    with ThreadPoolExecutor(CLIENTS) as senders:
        sent = [senders.submit(deliver, event) for event in events]
        for _ in range(len(events) // 4):
            done.acquire()
        for pid in receiver.workers():
            os.kill(pid, signal.SIGKILL)
            figures["kills"] += 1
        for _ in range(len(events) // 4):
            done.acquire()
        server.crash()
        figures["kills"] += 1
        server.start()
        for each in sent:
            each.result()
    assert wait_until(lambda: receiver.request("GET", "/ready")[0] == 200, seconds=20)
    figures["sent"] += len(events)
    figures["acknowledged"] += len(set(events))
