"""The demo as tests run it, what it leaves running, and a browser at its console.

The second demo of a module stays up, and the tests of the console ride on it. To write such tests against a stack that
has the demo's data already, name its state folder: TURNO_TEST_STACK=FOLDER.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from local_stack.processes import free_port
from tests.end_to_end.browser import Visitor, chromium
from tests.end_to_end.secret_hunt import PLANTED

_PORTS = (
    "postgres", "s3", "fineract", "gateways", "receiver", "airflow", "airflow-task-logs", "airflow-trigger-logs",
)  # fmt: skip
_FOREIGN = ("TURNO_", "AIRFLOW")
_SECONDS = 1500
_STAYS_UP = "everything stays up"

LogIn = Callable[[str], Visitor]


@dataclass(frozen=True)
class Finished:
    """A demo that has shown its figures: its exit status, what it printed, and its report."""

    status: int
    output: str
    report: dict[str, Any]

    @property
    def last_line(self) -> str:
        """The line a machine reads."""
        return self.output.rstrip().rsplit("\n", 1)[-1]


class Demo:
    """`turno demo` in a state folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state

    def run(self, **killing: str) -> Finished:
        """`turno demo --once`; `killing` says which service to kill -9 when which text has been printed."""
        process = self._start("--once")
        watchdog = threading.Timer(_SECONDS, process.terminate)
        watchdog.start()
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            for service in [name for name, text in killing.items() if text in line]:
                del killing[service]
                self._kill(service.replace("_", "-"))
        watchdog.cancel()
        assert not killing, f"never came to kill {killing}:\n{''.join(lines)}"
        return Finished(process.wait(), "".join(lines), self._report())

    def stay(self) -> Iterator[Finished]:
        """`turno demo`, which stays up when it has shown its figures; Ctrl-C at the end must stop it well."""
        process = self._start()
        watchdog = threading.Timer(_SECONDS, process.terminate)
        watchdog.start()
        lines = []
        for line in process.stdout or ():
            if _STAYS_UP in line:
                break
            lines.append(line)
        watchdog.cancel()
        yield Finished(process.poll() or 0, "".join(lines), self._report())
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=_SECONDS)[0]
        assert process.returncode == 0, rest

    def _start(self, *options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "turno_lms.cli", "demo", *options],
            env=stack_environment(self.state) | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _report(self) -> dict[str, Any]:
        file = self.state / "demo-report.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def _kill(self, service: str) -> None:
        running = json.loads((self.state / "running.json").read_text())
        os.kill(running["services"][service]["session"]["leader"]["pid"], signal.SIGKILL)


def new_demo(state: Path) -> Demo:
    """A demo on ports that nobody else has."""
    (state / "ports.json").write_text(json.dumps({name: free_port() for name in _PORTS}))
    return Demo(state)


def stack_environment(state: Path) -> dict[str, str]:
    """The environment of a command that works on the stack in `state`, and on no other; with secrets to be looked for."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return environment | PLANTED | {"TURNO_STATE": str(state)}


@dataclass(frozen=True)
class Stack:
    """A stack that is up: its addresses, as `turno stack up` prints them, and Airflow's passwords by user."""

    state: Path
    variables: dict[str, str]
    passwords: dict[str, str]


def running_stack(state: Path) -> Stack:
    """The stack of a state folder; what runs already is left as it is."""
    command = [sys.executable, "-m", "turno_lms.cli", "stack", "up"]
    up = subprocess.run(command, env=stack_environment(state), capture_output=True, text=True, check=False)
    assert up.returncode == 0, up.stderr
    variables = dict(word.split("=", 1) for line in up.stdout.splitlines() for word in shlex.split(line))
    passwords = json.loads((state / "airflow" / "passwords.json").read_text(encoding="utf-8"))
    return Stack(state, variables, passwords)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo that has not run."""
    return new_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def first(demo: Demo) -> Finished:
    """The module's first demo."""
    return demo.run()


@pytest.fixture(scope="module")
def second(demo: Demo, first: Finished) -> Iterator[Finished]:
    """The module's second demo, which stays up while the module's other tests run."""
    yield from demo.stay()


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Stack:
    """A stack that is up and has the demo's data."""
    if state := os.environ.get("TURNO_TEST_STACK"):
        return running_stack(Path(state))
    request.getfixturevalue("second")
    demo: Demo = request.getfixturevalue("demo")
    return running_stack(demo.state)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the module."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of pages are kept: TURNO_SCREENSHOTS, else a folder of the tests."""
    folder = Path(os.environ.get("TURNO_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def log_in(stack: Stack, browser: Browser, screenshots: Path) -> Iterator[LogIn]:
    """The browser of a user (admin, operator, viewer), logged in once a module."""
    people: dict[str, Visitor] = {}

    def as_person(user: str) -> Visitor:
        if user not in people:
            people[user] = Visitor(browser, stack.variables["TURNO_AIRFLOW_URL"], screenshots)
            people[user].log_in(user, stack.passwords[user])
        people[user].complaints.clear()
        return people[user]

    yield as_person
    for visitor in people.values():
        visitor.close()
