"""Airflow is woken once for a burst, never before the burst is stored, and never in the way of an answer."""

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest

from local_stack.processes import free_port, wait_until
from tests.webhook_receiver.airflow_api import AirflowApi
from tests.webhook_receiver.receiver_process import (
    RAZORPAY,
    Receiver,
    captured,
    razorpay_headers,
    start_receiver,
)
from webhook_receiver.wake import run_id, window_end

WINDOW = 1  # seconds, as AirflowApi.environment sets it

StartReceiver = Callable[..., Receiver]


@pytest.fixture
def airflow() -> Iterator[AirflowApi]:
    api = AirflowApi()
    yield api
    api.stop()


@pytest.fixture
def start(receiver_python: Path, receiver_url: str, tmp_path: Path) -> Iterator[StartReceiver]:
    """Starts a receiver that wakes the given Airflow."""
    running: list[Receiver] = []

    def start_one(api: AirflowApi, **settings: str) -> Receiver:
        environment = api.environment() | settings
        running.append(start_receiver(receiver_python, tmp_path, receiver_url, **environment))
        return running[-1]

    yield start_one
    for receiver in running:
        receiver.stop()


def send(receiver: Receiver, name: str, count: int = 1) -> None:
    """Post `count` events of one name at once."""

    def post(number: int) -> int:
        body = captured(f"pay_{name}_{number}")
        return receiver.post(RAZORPAY, body, razorpay_headers(body, f"evt_{name}_{number}"))

    with ThreadPoolExecutor(16) as senders:
        assert set(senders.map(post, range(count))) == {200}


def wakes(receiver: Receiver, outcome: str) -> int:
    return receiver.metrics()[f'turno_wakes_total{{dag="build_warehouse",outcome="{outcome}"}}']


@pytest.mark.parametrize(
    ("now", "seconds", "end"),
    [
        (1_767_591_720.0, 5, 1_767_591_725),  # 1767591720 = 5 * 353518344: a window begins, and ends 5 later
        (1_767_591_724.999, 5, 1_767_591_725),
        (1_767_591_725.0, 5, 1_767_591_730),
        (1_767_591_721.5, 1, 1_767_591_722),
    ],
)
def test_a_window_ends_after_every_moment_in_it(now: float, seconds: int, end: int) -> None:
    assert window_end(now, seconds) == end


def test_a_run_id_is_made_from_the_windows_end_in_airflows_characters() -> None:
    # 1767591725 s = 2026-01-05 05:42:05 UTC
    assert run_id(1_767_591_725, "webhooks__") == "webhooks__20260105T054205Z"
    assert re.fullmatch(r"[A-Za-z0-9_.~:+-]+", run_id(1_767_591_725, "webhooks__"))


def test_a_burst_of_100_gives_one_run_for_each_window_it_touches(
    airflow: AirflowApi, start: StartReceiver
) -> None:
    receiver = start(airflow)
    began = time.time()
    send(receiver, "burst", 100)
    windows = window_end(time.time(), WINDOW) - window_end(began, WINDOW) + 1
    assert wait_until(lambda: bool(airflow.runs), seconds=5)
    time.sleep(WINDOW + 0.5)  # whatever else would come, comes within a window
    assert 1 <= len(airflow.runs) <= windows
    for run in airflow.runs.values():
        assert run["logical_date"] is None
        assert run["dag_run_id"].startswith("webhooks__")


def test_a_run_is_made_after_its_window_and_starts_after_it(
    airflow: AirflowApi, start: StartReceiver
) -> None:
    receiver = start(airflow)
    send(receiver, "edge")
    answered = time.time()
    assert wait_until(lambda: bool(airflow.runs), seconds=5)
    (run,) = airflow.runs.values()
    end = datetime.fromisoformat(run["run_after"]).timestamp()
    assert answered < end + 0.1
    assert end <= run["received_at"]
    assert run["dag_run_id"] == run_id(int(end), "webhooks__")


def test_workers_agree_on_one_run(airflow: AirflowApi, start: StartReceiver) -> None:
    receiver = start(airflow)
    bursts = count()

    def is_told_that_a_run_exists() -> bool:  # a busy machine may give a burst to one worker alone
        send(receiver, f"workers_{next(bursts)}", 60)
        return wait_until(lambda: wakes(receiver, "exists") > 0, seconds=WINDOW + 2)

    # both workers had events, both announced: the second was told that the run exists, and counts that as done
    assert wait_until(is_told_that_a_run_exists, seconds=60)

    def is_agreed() -> bool:  # Airflow counts an announcement a moment before the worker that made it does
        told = wakes(receiver, "exists"), wakes(receiver, "triggered")
        return told == (airflow.conflicts, len(airflow.runs))

    assert wait_until(is_agreed, seconds=5)
    assert wakes(receiver, "failed") == 0


def test_runs_do_not_pile_up_while_one_is_waiting(airflow: AirflowApi, start: StartReceiver) -> None:
    receiver = start(airflow)
    airflow.start_runs = False
    for number in range(3):
        send(receiver, f"pile{number}")
        time.sleep(WINDOW)
    assert wait_until(lambda: wakes(receiver, "waiting") >= 1, seconds=5)
    assert len(airflow.runs) == 1
    airflow.start_runs = True
    send(receiver, "pile_after")
    assert wait_until(lambda: len(airflow.runs) == 2, seconds=5)


def test_duplicates_and_refusals_wake_nobody(airflow: AirflowApi, start: StartReceiver) -> None:
    receiver = start(airflow)
    body = captured("pay_no_wake")
    send(receiver, "once")
    assert wait_until(lambda: len(airflow.runs) == 1, seconds=5)
    send(receiver, "once")
    assert receiver.post(RAZORPAY, body, {}) == 401
    assert receiver.post(RAZORPAY, b"no json", razorpay_headers(b"no json", None)) == 200
    time.sleep(WINDOW + 0.5)
    assert len(airflow.runs) == 1


@pytest.mark.parametrize("status", [401, 403], ids=["expired", "signed-with-another-key"])
def test_a_refused_token_is_renewed(airflow: AirflowApi, start: StartReceiver, status: int) -> None:
    airflow.refused_token_status = status
    receiver = start(airflow)
    send(receiver, f"token1_{status}")
    assert wait_until(lambda: len(airflow.runs) == 1, seconds=5)
    given = airflow.tokens_given
    airflow.tokens.clear()
    send(receiver, f"token2_{status}")
    assert wait_until(lambda: len(airflow.runs) == 2, seconds=5)
    assert airflow.tokens_given > given
    assert wakes(receiver, "failed") == 0


def test_slow_airflow_does_not_delay_answers(airflow: AirflowApi, start: StartReceiver) -> None:
    receiver = start(airflow)
    airflow.delay_seconds = 3.0
    slowest = 0.0
    for number in range(15):  # over more than a window, so that a call to Airflow is under way
        began = time.monotonic()
        send(receiver, f"slow{number}")
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.1)
    assert slowest < 1.0


def test_airflow_down_is_answered_200_and_told_when_it_is_back(
    airflow: AirflowApi, start: StartReceiver
) -> None:
    airflow.stop()
    receiver = start(airflow)
    send(receiver, "down", 20)
    assert wait_until(lambda: wakes(receiver, "failed") >= 1, seconds=5)
    back = AirflowApi(airflow.port)
    try:
        assert wait_until(lambda: len(back.runs) >= 1, seconds=10)
    finally:
        back.stop()


def test_without_an_airflow_webhooks_are_stored_all_the_same(receiver: Receiver) -> None:
    send(receiver, "alone")


def test_an_airflow_that_is_something_else_is_a_failed_wake(start: StartReceiver, receiver: Receiver) -> None:
    # the address of another web server: 404 for a token, then again and again
    other = start(_at(receiver.port))
    send(other, "other")
    assert wait_until(lambda: wakes(other, "failed") >= 1, seconds=5)
    errors = [line["error"] for line in other.log_lines() if line["message"] == "wake_failed"]
    assert errors[0] == "404 for a token as receiver"


def _at(port: int) -> AirflowApi:
    api = AirflowApi(free_port())
    environment = {**api.environment(), "TURNO_AIRFLOW_URL": f"http://127.0.0.1:{port}"}
    api.stop()
    api.environment = lambda: environment  # type: ignore[method-assign]
    return api


def submit(receiver: Receiver, reference: str) -> None:
    body = json.dumps(
        {"reference": reference, "client_id": "C1", "fullname": "A", "activated_on": "2026-01-05"}
    )
    headers = {"X-Internal-Token": "los-current"}
    assert receiver.post("/los/create_client", body.encode(), headers) == 202


def test_each_kind_of_event_wakes_the_dag_that_is_configured_for_it(
    airflow: AirflowApi, start: StartReceiver
) -> None:
    airflow.dags = {"drain_webhooks", "run_los_operations"}
    receiver = start(airflow, TURNO_WAKE_DAGS="razorpay=drain_webhooks, los=run_los_operations")
    submit(receiver, "wake-1")
    assert wait_until(lambda: len(airflow.runs) == 1, seconds=5)
    send(receiver, "configured")
    assert wait_until(lambda: len(airflow.runs) == 2, seconds=5)
    began = {(run["dag_id"], run_id.split("__")[0]) for run_id, run in airflow.runs.items()}
    assert began == {("run_los_operations", "los"), ("drain_webhooks", "webhooks")}


def test_operations_wake_nothing_until_a_dag_is_named_for_them(
    airflow: AirflowApi, start: StartReceiver
) -> None:
    receiver = start(airflow)
    submit(receiver, "wake-2")
    time.sleep(WINDOW + 0.5)
    assert airflow.runs == {}


def test_a_dag_that_airflow_does_not_know_is_told_once_and_left_to_the_schedule(
    airflow: AirflowApi, start: StartReceiver
) -> None:
    receiver = start(airflow, TURNO_WAKE_DAGS="los=run_los_operations")
    submit(receiver, "wake-3")
    counter = 'turno_wakes_total{dag="run_los_operations",outcome="%s"}'
    assert wait_until(lambda: receiver.metrics()[counter % "unknown_dag"] == 1, seconds=5)
    time.sleep(2 * WINDOW)
    assert receiver.metrics()[counter % "unknown_dag"] == 1
    assert receiver.metrics()[counter % "failed"] == 0
