"""The supervisor: what dies comes back, what is stopped is gone, and a killed supervisor leaves no mess."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_stack.control import Control
from local_stack.folder import StateFolder, read_json, write_json
from local_stack.processes import LOOPBACK, ProcessId, Session, StackError, free_port, wait_until
from local_stack.supervisor import Service

# a web server with a child in its session, as gunicorn and Airflow have
SERVER = """
import http.server, subprocess, sys
subprocess.Popen(["sleep", "300"])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    folder = StateFolder(tmp_path / "state")
    folder.path.mkdir()
    control = Control(folder)
    yield control
    folder.path.mkdir(exist_ok=True)
    control.stop()


@pytest.fixture
def service(tmp_path: Path, control: Control) -> Service:
    port = free_port()
    return Service(
        name="web",
        command=[sys.executable, "-c", SERVER, str(port)],
        env=dict(os.environ),
        cwd=str(tmp_path),
        log=str(control.folder.log("web")),
        url="",
        health=f"http://{LOOPBACK}:{port}",
        layer=0,
    )


@pytest.fixture
def start(control: Control, service: Service) -> Callable[[], Session]:
    """Bring the service up and return its session: the server and its child."""

    def run() -> Session:
        control.want([service])
        control.wait_for([service], lambda _: None)
        session = control.sessions()["web"]
        assert wait_until(lambda: len(session.members()) == 2, seconds=5)
        return session

    return run


def supervisor_of(control: Control) -> ProcessId:
    supervisor = ProcessId.of(int(read_json(control.folder.running, {})["supervisor"]["leader"]["pid"]))
    assert supervisor is not None
    return supervisor


def kill_supervisor(control: Control) -> None:
    """Kill it with -9 and return when it is gone: a signal takes a moment."""
    supervisor = supervisor_of(control)
    os.kill(supervisor.pid, signal.SIGKILL)
    assert wait_until(lambda: not supervisor.alive, seconds=10)


def test_a_service_that_dies_comes_back_and_is_counted(
    control: Control, start: Callable[[], Session]
) -> None:
    first = start()
    os.kill(first.leader.pid, signal.SIGKILL)
    assert wait_until(
        lambda: [(s.state, s.restarts) for s in control.statuses()] == [("healthy", 1)], seconds=20
    )
    assert first.members() == []  # its child too: it might have held the port


def test_down_leaves_no_process_and_no_list(control: Control, start: Callable[[], Session]) -> None:
    session = start()
    supervisor = supervisor_of(control)
    control.stop()
    assert session.members() == []
    assert not supervisor.alive
    assert not control.folder.wanted.exists()
    assert not control.folder.running.exists()


def test_what_a_killed_supervisor_left_is_ended_by_the_next_command(
    control: Control, start: Callable[[], Session]
) -> None:
    session = start()
    kill_supervisor(control)
    assert len(session.members()) == 2
    assert control.clean_up_after_crash() == ["web"]
    assert session.members() == []
    assert start().leader != session.leader


def test_a_list_from_before_a_reboot_kills_nobody(control: Control, start: Callable[[], Session]) -> None:
    session = start()
    kill_supervisor(control)
    running = read_json(control.folder.running, {})
    write_json(control.folder.running, running | {"boot": "another"})
    assert control.clean_up_after_crash() == []
    assert len(session.members()) == 2
    session.kill()


def test_services_end_when_the_state_folder_is_removed(
    control: Control, start: Callable[[], Session]
) -> None:
    session = start()
    shutil.rmtree(control.folder.path)
    assert wait_until(lambda: not session.members(), seconds=15)


def test_a_running_service_is_not_restarted_by_a_second_up(
    control: Control, start: Callable[[], Session]
) -> None:
    assert start() == start()


def test_a_service_that_cannot_start_is_told_with_the_end_of_its_log(
    control: Control, service: Service
) -> None:
    broken = Service(
        **(service.__dict__ | {"command": [sys.executable, "-c", "raise SystemExit('no such thing')"]})
    )
    control.want([broken])
    with pytest.raises(StackError, match=r"(?s)web does not start .*web\.log:\n.*no such thing"):
        control.wait_for([broken], lambda _: None)


def test_a_command_that_does_not_exist_does_not_stop_the_supervisor(
    control: Control, service: Service
) -> None:
    absent = Service(**(service.__dict__ | {"name": "absent", "command": ["/no/such/program"]}))
    control.want([absent, service])
    control.wait_for([service], lambda _: None)
    states = {found.name: found.state for found in control.statuses()}
    assert states == {"absent": "ended with 127, waits", "web": "healthy"}
