"""A storm of webhooks with everything at once: two events for each payment, copies of both from 32 clients, forgeries,
and kill -9 of the receiver's workers, of PostgreSQL and of Airflow under load. What was answered 200 is in RAW exactly
once, nothing unsigned ever is, and the build that follows makes exactly one transaction of each payment.

`TURNO_STORM_ROUNDS` makes it longer. The last line is the matrix: what was sent, acknowledged, stored, and became a
transaction.
"""

import http.client
import json
import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local_stack.processes import free_port, spawn, stop_child, wait_until
from tests.dbt.landing import AXLE, RazorpayPayment, put_lender, put_loan
from tests.dbt.project import DATABASE, DbtProject, dbt_project
from tests.webhook_receiver.airflow_api import receiver_environment
from tests.webhook_receiver.conftest import receiver_python as receiver_python  # noqa: PLC0414  # the fixture
from tests.webhook_receiver.receiver_process import (
    CONFIGURATION,
    RAZORPAY,
    Receiver,
    razorpay_headers,
    start_receiver,
)
from tests.webhook_receiver.test_outages import OwnPostgres, times_stored
from turno_lms.warehouse.connection import connect

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]
ROUNDS = int(os.environ.get("TURNO_STORM_ROUNDS", "1"))
CLIENTS = 32
PAYMENTS = 150
EVENTS = ("payment.captured", "order.paid")
COPIES = 3
FORGED = 0.2
SEED = 20260105
BUGGY = "tests/faults/buggy_receiver.conf.py"
LOANS = [f"AXL30000{number}" for number in range(1, 6)]
_ENDED = """
select
    (select count(*) from core.core_transaction_data) as transactions,
    (select count(*) from core.core_transaction_data where sightings <> 1) as doubled,
    (select sum(amount) from core.core_transaction_data) as rupees,
    (select count(*) from core.core_recon_exception where state = 'open') as exceptions
"""


class Airflow:
    """Its REST API as a process, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._log = folder / "airflow.log"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.webhook_receiver.airflow_api", str(self.port)]
        self._process = spawn(command, log=self._log)

    def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        stop_child(self._process)

    def latest_window(self) -> str:
        """The end of the last window that a run was asked for, as a run id has it."""
        return max(self._log.read_text(encoding="utf-8").split(), default="")


@dataclass
class Storm:
    """What is hit, and what became of it."""

    receiver: Receiver
    server: OwnPostgres
    airflow: Airflow
    copies: int = COPIES
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311  # a shuffle, no secret
    figures: Counter[str] = field(default_factory=Counter)

    def rage(self, number: int) -> None:
        """One round: a third of the way in the workers die, then Airflow, then PostgreSQL."""
        sendings = [each for each in self._events(number) for _ in range(self.copies)]
        self.chance.shuffle(sendings)
        done = threading.Semaphore(0)

        def deliver(event: str, body: bytes) -> None:
            self._deliver(event, body)
            done.release()

        with ThreadPoolExecutor(CLIENTS) as senders:
            sent = [senders.submit(deliver, *sending) for sending in sendings]
            for strike in (self._kill_workers, self._kill_airflow, self._crash_database):
                for _ in range(len(sendings) // 4):
                    done.acquire()
                strike()
            for each in sent:
                each.result()
        self.airflow.start()
        assert wait_until(lambda: self.receiver.request("GET", "/ready")[0] == 200, seconds=20)
        self.figures["acknowledged"] += len(set(sendings))

    def send_one_more(self) -> datetime:
        """One more event of a payment that is known; returns a moment that its window ends after."""
        event, body = self._events(0)[0]
        before = datetime.now(UTC)
        self._deliver(f"after_{event}", body)
        return before

    def _events(self, number: int) -> list[tuple[str, bytes]]:
        events = []
        for each in range(PAYMENTS):
            rupees = 100 + number * PAYMENTS + each  # no two payments look alike
            loan = {"loan_id": LOANS[each % len(LOANS)]}
            payment = RazorpayPayment(f"pay_{number}_{each}", amount=f"{rupees}.00", notes=loan)
            events += [
                (f"evt_storm{number}_{each}_{name}", json.dumps(payment.event(name)).encode())
                for name in EVENTS
            ]
        return events

    def _deliver(self, event: str, body: bytes) -> None:
        """Until it is taken, as gateways do; now and then somebody sends the like without the gateway's secret."""
        if self.chance.random() < FORGED:
            self.figures["forged"] += 1
            forged = event.replace("storm", "forged")
            if self._post(body, razorpay_headers(body, forged, "a guess")) == 200:
                self.figures["forged_taken"] += 1

        def is_taken() -> bool:
            self.figures["sent"] += 1
            return self._post(body, razorpay_headers(body, event)) == 200

        assert wait_until(is_taken, seconds=60), f"{event} was never taken"

    def _post(self, body: bytes, headers: dict[str, str]) -> int:
        try:
            return self.receiver.post(RAZORPAY, body, headers)
        except (OSError, http.client.HTTPException):
            return 0

    def _kill_workers(self) -> None:
        for pid in self.receiver.workers():
            os.kill(pid, signal.SIGKILL)
            self.figures["kills"] += 1

    def _kill_airflow(self) -> None:
        self.airflow.kill()
        self.figures["kills"] += 1

    def _crash_database(self) -> None:
        self.server.crash()
        self.figures["kills"] += 1
        self.server.start()


@dataclass
class Stored:
    """What RAW holds of a storm: events that were answered 200 and are not there, rows too many, and forgeries."""

    rows: int
    doubles: int
    lost: int
    forged: int

    @property
    def clean(self) -> bool:
        return not (self.doubles or self.lost or self.forged)


def stored_of(storm: Storm, admin: str) -> Stored:
    times = times_stored(admin, "evt_storm")
    rows, acknowledged = sum(times.values()), storm.figures["acknowledged"]
    return Stored(
        rows,
        max(rows - acknowledged, 0),
        max(acknowledged - len(times), 0),
        len(times_stored(admin, "evt_forged")),
    )


def _rupees(rounds: int) -> int:
    """All payments together: 100 + 101 + 102 + ..."""
    payments = PAYMENTS * rounds
    return 100 * payments + payments * (payments - 1) // 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnPostgres]:
    running = OwnPostgres(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def project(server: OwnPostgres, tmp_path: Path) -> Iterator[DbtProject]:
    """A warehouse in which axle's loans are known."""
    with dbt_project(server.databases, server.prepare_template(), tmp_path / "dbt") as project:
        put_lender(project.conn, AXLE)
        for loan_id in LOANS:
            put_loan(project.conn, loan_id, AXLE.product_id)
        yield project


@contextmanager
def brewing(
    python: Path, server: OwnPostgres, url: str, folder: Path, bug: str | None = None
) -> Iterator[Storm]:
    """A storm about to break over a receiver at its best, or with a bug planted."""
    airflow = Airflow(folder)
    environment = {"TURNO_RECEIVER_MAX_REQUESTS": "200", **receiver_environment(airflow.port)}
    if bug:
        environment["TURNO_PLANTED_BUG"] = bug
    receiver = start_receiver(
        python, folder, url, configuration=BUGGY if bug else CONFIGURATION, **environment
    )
    try:
        yield Storm(receiver, server, airflow)
    finally:
        receiver.stop()
        airflow.stop()


@pytest.fixture
def storm(receiver_python: Path, server: OwnPostgres, project: DbtProject, tmp_path: Path) -> Iterator[Storm]:
    url = server.databases.url(DATABASE, "turno_receiver")
    with brewing(receiver_python, server, url, tmp_path) as storm:
        yield storm


def test_what_was_answered_is_stored_once_and_one_transaction_whatever_is_killed(
    storm: Storm, server: OwnPostgres, project: DbtProject
) -> None:
    for number in range(ROUNDS):
        storm.rage(number)
    after = storm.send_one_more()
    admin = server.databases.url(DATABASE)
    stored = stored_of(storm, admin)
    with connect(admin, autocommit=True) as conn:
        replace(
            project, conn=conn, _sessions={}
        ).build_warehouse()  # the sessions from before the crash are gone
        ended = conn.execute(_ENDED).fetchone()
    assert ended is not None
    figures = storm.figures
    print(
        f"storm rounds={ROUNDS} kills={figures['kills']} sent={figures['sent']} forged={figures['forged']} "
        f"acknowledged={figures['acknowledged']} stored={stored.rows} transactions={ended['transactions']} "
        f"doubles={stored.doubles + ended['doubled']} lost={stored.lost} forged_stored={stored.forged}"
    )
    assert figures["acknowledged"] == PAYMENTS * len(EVENTS) * ROUNDS
    assert stored.clean, stored
    assert figures["forged_taken"] == 0
    assert ended == {
        "transactions": PAYMENTS * ROUNDS, "doubled": 0, "rupees": _rupees(ROUNDS), "exceptions": 0,
    }  # fmt: skip
    # Airflow came back, and is woken as if it had never been away
    assert wait_until(lambda: storm.airflow.latest_window()[-16:] >= f"{after:%Y%m%dT%H%M%SZ}", seconds=70)


@pytest.mark.parametrize(
    ("bug", "figure"),
    [("answers_first", "lost"), ("every_delivery_is_new", "doubles"), ("anybody_may_sign", "forged")],
)
def test_a_planted_bug_shows(
    receiver_python: Path, server: OwnPostgres, tmp_path: Path, bug: str, figure: str
) -> None:
    """The same storm over the same receiver without the bug is clean, see above."""
    with brewing(receiver_python, server, server.prepare(), tmp_path, bug) as storm:
        # a copy that came through later would hide what was lost
        storm.copies = 1 if figure == "lost" else COPIES
        storm.rage(0)
    stored = stored_of(storm, server.admin_url)
    assert getattr(stored, figure) > 0, stored
