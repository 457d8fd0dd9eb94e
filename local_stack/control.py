"""The supervisor seen from a command: is it there, what runs under it, and how to start, follow and stop it."""

import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_stack.folder import ROOT, StateFolder, read_json, write_json
from local_stack.health import is_healthy
from local_stack.processes import ProcessId, Session, StackError, boot_id, spawn, stop_sessions, wait_until
from local_stack.supervisor import Service

HEALTH_SECONDS = 180.0
MOST_DEATHS_AT_START = 3
_SUPERVISOR_START_SECONDS = 20.0
_SUPERVISOR_STOP_SECONDS = 60.0
_LOG_LINES = 20


@dataclass(frozen=True)
class ServiceStatus:
    """One line of `turno stack status`."""

    name: str
    pid: int | None
    state: str
    restarts: int
    url: str
    since: datetime | None


@dataclass(frozen=True)
class Control:
    """The commands' side of one state folder."""

    folder: StateFolder

    def wanted(self) -> list[Service]:
        """What the supervisor is to keep running."""
        return [Service(**entry) for entry in read_json(self.folder.wanted, [])]

    def names_running(self) -> list[str]:
        """The services of ours whose process runs, under a supervisor or left behind by one."""
        return [name for name, session in self.sessions().items() if session.members()]

    def sessions(self) -> dict[str, Session]:
        """What was started for each service, as the supervisor last reported it."""
        services = self._running().get("services", {})
        return {name: _session(entry["session"]) for name, entry in services.items() if entry["session"]}

    def want(self, services: Iterable[Service]) -> list[Service]:
        """Add services to the list, and start the supervisor if none runs. A service on the list stays as it is.

        Returns those asked for as they are on the list.
        """
        wanted = {service.name: service for service in self.wanted()}
        asked = [wanted.setdefault(service.name, service) for service in services]
        write_json(self.folder.wanted, [asdict(service) for service in wanted.values()])
        if self._supervisor() is None:
            self._start_supervisor()
        return asked

    def wait_for(self, services: Iterable[Service], on_healthy: Callable[[Service], None]) -> None:
        """Return when all of `services` are healthy. Raises StackError when one keeps dying, or after some minutes."""
        waiting = {service.name: service for service in services}
        deadline = time.monotonic() + HEALTH_SECONDS
        while waiting:
            for found in self._statuses(waiting.values()):
                if found.state == "healthy":
                    on_healthy(waiting.pop(found.name))
                elif found.restarts >= MOST_DEATHS_AT_START or time.monotonic() > deadline:
                    raise StackError(_why_not(waiting[found.name], found))
            time.sleep(0.1)

    def statuses(self) -> list[ServiceStatus]:
        """How every wanted service is, asked now."""
        return self._statuses(self.wanted())

    def clean_up_after_crash(self) -> list[str]:
        """End what a killed supervisor left behind, and forget its list. Returns the names of what was ended."""
        if self._supervisor() is not None:
            return []
        names = self.names_running()
        stop_sessions(self.sessions().values())
        self.folder.wanted.unlink(missing_ok=True)
        self.folder.running.unlink(missing_ok=True)
        return names

    def stop(self) -> None:
        """Stop the supervisor and all its services; what does not end in time is killed."""
        supervisor = self._supervisor()
        if supervisor is not None:
            supervisor.ask_to_end()
            wait_until(lambda: not supervisor.members(), seconds=_SUPERVISOR_STOP_SECONDS)
            supervisor.kill()
        self.clean_up_after_crash()

    def _running(self) -> dict[str, Any]:
        """The supervisor's last report; empty when it is from before a restart of the machine."""
        report: dict[str, Any] = read_json(self.folder.running, {})
        return report if report.get("boot") == boot_id() else {}

    def _supervisor(self) -> Session | None:
        entry = self._running().get("supervisor")
        session = _session(entry) if entry else None
        return session if session and session.leader.alive else None

    def _start_supervisor(self) -> None:
        command = [sys.executable, "-m", "local_stack.supervisor", str(self.folder.path)]
        process = spawn(command, log=self.folder.log("supervisor"), cwd=ROOT)
        if not wait_until(lambda: self._supervisor() is not None, seconds=_SUPERVISOR_START_SECONDS):
            process.kill()
            raise StackError(
                f"the supervisor did not start; its log says why: {self.folder.log('supervisor')}"
            )

    def _statuses(self, services: Iterable[Service]) -> list[ServiceStatus]:
        report = self._running().get("services", {})
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(lambda service: _status(service, report.get(service.name, {})), services))


def _session(entry: dict[str, Any]) -> Session:
    return Session(ProcessId(**entry["leader"]), entry["layer"], entry["stop_signal"])


def _status(service: Service, report: dict[str, Any]) -> ServiceStatus:
    session = _session(report["session"]) if report.get("session") else None
    alive = session is not None and session.leader.alive
    since = datetime.fromtimestamp(report["since"], UTC) if alive else None
    if since is not None:
        state = "healthy" if is_healthy(service.health, since.timestamp()) else "starting"
    else:
        state = f"ended with {report['last_exit']}, waits" if report.get("restarts") else "not running"
    return ServiceStatus(
        name=service.name,
        pid=session.leader.pid if session and alive else None,
        state=state,
        restarts=report.get("restarts", 0),
        url=service.url,
        since=since,
    )


def _why_not(service: Service, found: ServiceStatus) -> str:
    lines = Path(service.log).read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    log = "\n".join(lines)
    return f"{service.name} does not start ({found.state}, {found.restarts} restarts); the end of {service.log}:\n{log}"
