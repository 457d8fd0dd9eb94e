"""The demo on CeleryExecutor with two workers, one of them killed while its task posts: nothing is lost, nothing doubled."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from local_stack.folder import read_json
from local_stack.processes import LOOPBACK, free_port
from local_stack.sample_data import expected
from tests.end_to_end.test_demo import Finished, assert_expected_end_state
from turno_lms.warehouse.connection import Role

pytestmark = [pytest.mark.long, pytest.mark.timeout(2600)]

_PORTS = (
    "postgres", "s3", "fineract", "gateways", "receiver", "airflow", "airflow-task-logs", "airflow-task-logs-2",
    "airflow-trigger-logs", "redis",
)  # fmt: skip
_SECONDS = 2400
_SLOW_MS = 1500  # so that a chunk is at work for many seconds
_ATTEMPTS = (
    "select count(*) from raw.raw_fineract_api_log where dag_id = 'post_repayments' and method = 'POST'"
)


class WorkerKiller(threading.Thread):
    """Slows Fineract down, waits for a repayment to be under way, and kills the worker whose task posts: all at once."""

    def __init__(self, state: Path) -> None:
        super().__init__(daemon=True)
        self._state = state
        self.killed: str | None = None
        self.attempts_before = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.2) and not self._stack_is_up():
            pass
        self._slow_fineract_down()
        while not self.over.wait(0.2) and self.killed is None:
            if self._attempts() > 0:
                self.killed = self._kill_the_poster()
        self._let_fineract_hurry()

    def _stack_is_up(self) -> bool:
        return "airflow-worker-2" in self._services()

    def _services(self) -> dict[str, int]:
        """Each service's process."""
        services = read_json(self._state / "running.json", {}).get("services", {})
        return {
            name: entry["session"]["leader"]["pid"] for name, entry in services.items() if entry["session"]
        }

    def _rules(self) -> str:
        return f"http://{LOOPBACK}:{read_json(self._state / 'ports.json', {})['fineract']}/standin/rules"

    def _slow_fineract_down(self) -> None:
        rule = {"requests": "repayment", "latency_ms": _SLOW_MS}
        requests.post(self._rules(), json=rule, timeout=10).raise_for_status()

    def _let_fineract_hurry(self) -> None:
        requests.delete(self._rules(), timeout=10).raise_for_status()

    def _attempts(self) -> int:
        port, password = (
            read_json(self._state / "ports.json", {})["postgres"],
            read_json(self._state / "secrets.json", {})[Role.POSTER],
        )
        with psycopg.connect(f"postgresql://{Role.POSTER}:{password}@{LOOPBACK}:{port}/warehouse") as conn:
            row = conn.execute(_ATTEMPTS).fetchone()
        return int(row[0]) if row else 0

    def _kill_the_poster(self) -> str | None:
        """Kill every process of the worker that runs a chunk; returns its name, or None when none runs one."""
        workers = {pid: name for name, pid in self._services().items() if name.startswith("airflow-worker")}
        for leader in _sessions_of(self._running_chunks()):
            if leader in workers:
                self.attempts_before = self._attempts()
                for pid in _members(leader):
                    os.kill(pid, signal.SIGKILL)
                return workers[leader]
        return None

    def _running_chunks(self) -> set[str]:
        """The ids of the posting tasks that run, as Airflow's database tells them."""
        port, password = (
            read_json(self._state / "ports.json", {})["postgres"],
            read_json(self._state / "secrets.json", {})["airflow"],
        )
        query = "select id::text from task_instance where task_id = 'post_chunk' and state = 'running'"
        with psycopg.connect(f"postgresql://airflow:{password}@{LOOPBACK}:{port}/airflow") as conn:
            return {str(row[0]) for row in conn.execute(query)}


def _processes() -> Iterator[tuple[int, int, str]]:
    """Number, session and command line of every process."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
            yield int(entry.name), session, (entry / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, IndexError):
            continue


def _sessions_of(tasks: set[str]) -> list[int]:
    return [session for _, session, words in _processes() if any(task in words for task in tasks)]


def _members(leader: int) -> list[int]:
    return [pid for pid, session, _ in _processes() if session == leader]


def _by_lender(rows: Iterable[dict[str, Any]]) -> Counter[str]:
    return Counter({row["lender"]: row["payments"] for row in rows})


def test_a_worker_killed_while_it_posts_loses_and_doubles_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "ports.json").write_text(json.dumps({name: free_port() for name in _PORTS}))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TURNO_", "AIRFLOW"))
    }
    killer = WorkerKiller(state)
    killer.start()
    began = time.monotonic()
    turno = [sys.executable, "-m", "turno_lms.cli"]
    mine = environment | {"TURNO_STATE": str(state)}
    try:
        run = subprocess.run(
            [*turno, "demo", "--once", "--executor", "celery"],
            env=mine,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    finally:
        subprocess.run([*turno, "stack", "down"], env=mine, check=False)
    killer.over.set()
    report = state / "demo-report.json"
    finished = Finished(
        run.returncode, run.stderr + run.stdout, json.loads(report.read_text()) if report.exists() else {}
    )
    assert killer.killed is not None, f"no worker was killed while it posted:\n{finished.output}"
    assert_expected_end_state(finished)
    print(f"\n{finished.output}")
    ledger = _by_lender(row for row in finished.report["transactions"] if row["fate"] == "posted")
    in_fineract = _by_lender(finished.report["fineract"])
    doubles, lost = in_fineract - ledger, ledger - in_fineract
    print(
        f"celery workers=2 killed={killer.killed} attempts_before={killer.attempts_before}"
        f" postings={ledger.total()} doubles={doubles.total()} lost={lost.total()}"
        f" seconds={time.monotonic() - began:.0f}"
    )
    assert ledger.total() == expected.POSTED
    assert not doubles
    assert not lost
