"""Processes and ports: start in a session of their own, recognise again, wait for, stop completely."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05
_ENDED = {"Z", "X"}  # waits to be reaped, or gone


class StackError(Exception):
    """Something on this machine keeps the stack from running; the message says what, and what to do."""


@dataclass(frozen=True)
class ProcessId:
    """A process, told apart from a later one of the same number by its start (in clock ticks since boot)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "ProcessId | None":
        """The identity of a running process; None when it is gone or only waits to be reaped."""
        fields = _stat_fields(pid)
        if fields is None or fields[0] in _ENDED:
            return None
        return cls(pid, int(fields[19]))

    @classmethod
    def current(cls) -> "ProcessId":
        """The identity of this process."""
        identity = cls.of(os.getpid())
        if identity is None:
            raise StackError("/proc does not show this process; the stack needs a Linux system")
        return identity

    @property
    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        return ProcessId.of(self.pid) == self


def _stat_fields(pid: int) -> list[str] | None:
    """/proc/<pid>/stat from the state on; the name before it may hold spaces and brackets."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session (so a process group) of its own, both outputs appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )


@dataclass(frozen=True)
class Session:
    """All that descends from one started process, unless it opened a session itself. Stopped from high to low layer."""

    leader: ProcessId
    layer: int = 0
    stop_signal: int = signal.SIGTERM

    def members(self) -> list[int]:
        """The processes of the session that still run; empty when the number went to somebody else's session."""
        leader = ProcessId.of(self.leader.pid)
        if leader not in {None, self.leader}:
            return []
        pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        return [pid for pid in pids if self._holds(pid)]

    def _holds(self, pid: int) -> bool:
        fields = _stat_fields(pid)
        if fields is None or fields[0] in _ENDED:
            return False
        return int(fields[3]) == self.leader.pid and int(fields[19]) >= self.leader.started

    def ask_to_end(self) -> None:
        """Send the leader its signal; what it started is the leader's to end."""
        if self.leader.alive:
            _signal(self.leader.pid, self.stop_signal)

    def kill(self) -> None:
        """End every process of the session at once."""
        for pid in self.members():
            _signal(pid, signal.SIGKILL)


def stop_sessions(sessions: Iterable[Session], *, patience: float = STOP_SECONDS) -> None:
    """End sessions, layer by layer: ask each leader, wait up to `patience` seconds for all, and kill what is left."""
    by_layer: dict[int, list[Session]] = {}
    for session in sessions:
        by_layer.setdefault(session.layer, []).append(session)
    for _, together in sorted(by_layer.items(), reverse=True):
        for session in together:
            session.ask_to_end()
        wait_until(partial(_leaders_ended, together), seconds=patience)
        wait_until(partial(_killed, together), seconds=STOP_SECONDS)


def _leaders_ended(sessions: list[Session]) -> bool:
    return not any(session.leader.alive for session in sessions)


def _killed(sessions: list[Session]) -> bool:
    """Kill what is left, and whether nothing was: asked again, as a process may have started another meanwhile."""
    left = [session for session in sessions if session.members()]
    for session in left:
        session.kill()
    return not left


def stop_child(process: subprocess.Popen[Any], *, first: int = signal.SIGTERM) -> None:
    """End a process of `spawn` with its whole session."""
    leader = ProcessId.of(process.pid)
    if leader is not None:
        stop_sessions([Session(leader, stop_signal=first)])
    process.wait()


def boot_id() -> str:
    """What tells this boot of the machine from the next: process numbers mean nothing across it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_until(ready: Callable[[], bool], *, seconds: float) -> bool:
    """Ask `ready` again and again until it agrees or the time is over; return its last answer."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def free_port() -> int:
    """A port that is free now, chosen by the system."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
