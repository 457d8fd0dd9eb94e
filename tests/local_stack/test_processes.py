"""A process is recognised for what it is, and stopping one leaves nothing of it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from local_stack.processes import ProcessId, Session, spawn, stop_child, stop_sessions, wait_until

# a child that moves to a process group of its own and outlives its parent, as Airflow's dag-processor does
LEAVES_A_CHILD = "import os, time\nif os.fork() == 0:\n    os.setpgid(0, 0)\ntime.sleep(60)"
DEAF = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(60)"


def start(script: str, tmp_path: Path) -> tuple["subprocess.Popen[bytes]", Session]:
    process = spawn([sys.executable, "-c", script], log=tmp_path / "log")
    leader = ProcessId.of(process.pid)
    assert leader is not None
    return process, Session(leader)


def test_a_process_that_ended_is_not_alive_even_before_it_is_reaped(tmp_path: Path) -> None:
    process, session = start("pass", tmp_path)
    assert wait_until(lambda: not session.leader.alive, seconds=10)
    assert Path(f"/proc/{process.pid}").exists()  # nobody has waited for it yet
    process.wait()


def test_a_later_process_with_the_same_number_is_another(tmp_path: Path) -> None:
    process, session = start("import time; time.sleep(60)", tmp_path)
    earlier = replace(session.leader, started=session.leader.started - 1)
    assert not earlier.alive
    assert Session(earlier).members() == []
    stop_child(process)


def test_stopping_ends_children_that_left_the_process_group(tmp_path: Path) -> None:
    process, session = start(LEAVES_A_CHILD, tmp_path)
    assert wait_until(lambda: len(session.members()) == 2, seconds=10)
    child = max(session.members())
    assert os.getpgid(child) != process.pid
    stop_sessions([session], patience=0.2)
    process.wait()
    assert session.members() == []
    assert ProcessId.of(child) is None


def test_orphans_of_a_dead_leader_still_belong_to_its_session(tmp_path: Path) -> None:
    process, session = start(LEAVES_A_CHILD, tmp_path)
    assert wait_until(lambda: len(session.members()) == 2, seconds=10)
    process.kill()
    process.wait()
    assert len(session.members()) == 1
    stop_sessions([session], patience=0.2)
    assert session.members() == []


def test_a_process_deaf_to_sigterm_is_killed_after_the_patience(tmp_path: Path) -> None:
    process, session = start(DEAF, tmp_path)
    assert wait_until(lambda: "deaf" in (tmp_path / "log").read_text(), seconds=10)
    stop_sessions([session], patience=0.2)
    assert process.wait(10) == -9


def test_higher_layers_have_ended_before_lower_ones_are_asked(tmp_path: Path) -> None:
    slow = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit()))\n"
    )
    record = f"print(time.monotonic(), file=open('{tmp_path}/' + sys.argv[1], 'w'))"
    log = tmp_path / "log"
    script = (
        f"{slow}import atexit\natexit.register(lambda: {record})\nprint('set', flush=True)\ntime.sleep(60)"
    )
    processes = [spawn([sys.executable, "-c", script, name], log=log) for name in ("database", "user")]
    assert wait_until(lambda: log.read_text().count("set") == 2, seconds=10)
    leaders = [ProcessId.of(process.pid) for process in processes]
    assert None not in leaders
    stop_sessions([Session(leader, layer) for layer, leader in enumerate(leaders) if leader])
    ended = {name: float((tmp_path / name).read_text()) for name in ("database", "user")}
    assert ended["database"] - ended["user"] >= 0.5
