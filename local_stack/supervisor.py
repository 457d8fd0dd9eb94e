"""The supervisor: keeps every service of the wanted list running, restarts what dies, and stops all of it in order.

It knows nothing of what the services are. `turno stack up` writes the list (wanted.json), the supervisor
follows it and writes what runs (running.json); both outlive it, so that a later command can clean up after a crash.
"""

import logging
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local_stack.folder import StateFolder, read_json, write_json
from local_stack.processes import ProcessId, Session, boot_id, spawn, stop_sessions

TICK_SECONDS = 0.2
CALM_SECONDS = 60.0  # after so long a run, a death counts as the first again
MOST_BACKOFF_SECONDS = 30.0
_NO_SUCH_PROGRAM = 127  # as a shell says it

log = logging.getLogger("supervisor")


@dataclass(frozen=True)
class Service:
    """What it takes to run one service. Services of a lower `layer` stop later.

    `health` is the address that answers when the service is well (see local_stack.health).
    """

    name: str
    command: list[str]
    env: dict[str, str]
    cwd: str
    log: str
    url: str
    health: str
    layer: int
    stop_signal: int = signal.SIGTERM


@dataclass
class Child:
    """One service as it runs here: its process, how often it was restarted, and when it is tried again."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    session: Session | None = None
    since: float = 0.0
    restarts: int = 0
    failures: int = 0
    next_start: float = 0.0
    last_exit: int | None = None

    def tend(self) -> bool:
        """Start the service when it is due, or notice that it died. True when something changed."""
        if self.process is None:
            if time.monotonic() < self.next_start:
                return False
            self._start()
            return True
        code = self.process.poll()
        if code is None:
            return False
        self._bury(code)
        return True

    def _start(self) -> None:
        service = self.service
        if shutil.which(service.command[0]) is None:
            log.error("%s: there is no program %s", service.name, service.command[0])
            self._bury(_NO_SUCH_PROGRAM)
            return
        self.process = spawn(service.command, log=Path(service.log), env=service.env, cwd=Path(service.cwd))
        leader = ProcessId.of(self.process.pid)
        self.session = Session(leader, service.layer, service.stop_signal) if leader else None
        self.since = time.time()
        log.info("%s started as process %s", service.name, self.process.pid)

    def _bury(self, code: int) -> None:
        if self.session:
            self.session.kill()  # what the dead process left behind would hold its port or its files
        calm = time.time() - self.since > CALM_SECONDS
        self.failures = 1 if calm else self.failures + 1
        pause = min(2.0 ** (self.failures - 1), MOST_BACKOFF_SECONDS)
        log.warning("%s ended with %s; next start in %.0f s", self.service.name, code, pause)
        self.next_start = time.monotonic() + pause
        self.restarts += 1
        self.last_exit, self.process, self.session = code, None, None

    def report(self) -> dict[str, Any]:
        """This child's entry in running.json."""
        return {
            "session": asdict(self.session) if self.session else None,
            "since": self.since,
            "restarts": self.restarts,
            "last_exit": self.last_exit,
        }


@dataclass
class Supervisor:
    """The loop over all children of one state folder."""

    folder: StateFolder
    children: dict[str, Child] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    _list_read_at: int = 0

    def run(self) -> None:
        """Follow the wanted list until told to stop, or until the state folder is removed."""
        try:
            self._write()
            while not self.stopping.is_set() and self.folder.wanted.exists():
                self._turn()
                self.stopping.wait(TICK_SECONDS)
        finally:
            log.info("stopping")
            stop_sessions(child.session for child in self.children.values() if child.session)
            self.folder.wanted.unlink(missing_ok=True)
            self.folder.running.unlink(missing_ok=True)

    def _turn(self) -> None:
        changed = self._follow_wanted()
        for child in self.children.values():
            changed |= child.tend()
        if changed:
            self._write()

    def _follow_wanted(self) -> bool:
        """Take up services that are new on the list. One that runs is changed or dropped by stopping the stack."""
        written = self.folder.wanted.stat().st_mtime_ns
        if written == self._list_read_at:
            return False
        self._list_read_at = written
        for entry in read_json(self.folder.wanted, []):
            self.children.setdefault(entry["name"], Child(Service(**entry)))
        return True

    def _write(self) -> None:
        report = {
            "boot": boot_id(),
            "supervisor": asdict(Session(ProcessId.current())),
            "services": {name: child.report() for name, child in self.children.items()},
        }
        write_json(self.folder.running, report)


def main(path: str) -> None:
    """Supervise the stack of a state folder."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    supervisor = Supervisor(StateFolder(Path(path)))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stopping.set())
    supervisor.run()


if __name__ == "__main__":
    main(sys.argv[1])
