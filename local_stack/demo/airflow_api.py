"""Airflow through its public REST API, as an operator's script would use it: trigger, watch, read what went wrong."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import requests

from local_stack.processes import StackError

_OUTAGE_SECONDS = 120.0  # a component that was killed is back within seconds; more is a fault of its own
_PAUSE_SECONDS = 1.0
_TIMEOUT = (5.0, 30.0)
_PAGE = 100
_LOG_LINES = 5
_BAD_LEVELS = ("error", "critical")
ACTIVE_STATES = ("queued", "running")


class AirflowApiError(StackError):
    """Airflow refused a request or stayed away; the message says which request and what it answered."""


@dataclass(frozen=True)
class DagRun:
    """One run of a DAG as the API shows it."""

    dag_id: str
    run_id: str
    state: str
    run_type: str
    start: datetime | None
    end: datetime | None

    @property
    def label(self) -> str:
        """The run as the warehouse's tables name it."""
        return f"{self.dag_id}/{self.run_id}"

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, well or badly."""
        return self.state not in ACTIVE_STATES


@dataclass(frozen=True)
class FailedTask:
    """A task that ended badly, with the errors in its log (else the log's last lines)."""

    run: DagRun
    task_id: str
    map_index: int
    label: str
    log_tail: tuple[str, ...]


class AirflowApi:
    """A session with the API server. It waits out a restart of the server: the stack brings it back by itself."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url.rstrip("/")
        self._credentials = {"username": user, "password": password}
        self._session = requests.Session()

    def trigger(self, dag_id: str, run_id: str, form: dict[str, Any] | None = None) -> None:
        """Start a run under a given id with what a form says. One of that id that exists already counts as started."""
        body: dict[str, Any] = {"dag_run_id": run_id, "logical_date": None, "conf": form or {}}
        self._call("POST", f"/dags/{dag_id}/dagRuns", json=body, accepted=(HTTPStatus.CONFLICT,))

    def unpause(self, *dag_ids: str) -> None:
        """Let these DAGs run."""
        for dag_id in dag_ids:
            self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def unpause_all(self) -> None:
        """Let every DAG run."""
        self._call("PATCH", "/dags", params={"dag_id_pattern": "~"}, json={"is_paused": False})

    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow has parsed so far."""
        return {dag["dag_id"] for dag in self._pages("/dags", "dags", {})}

    def import_errors(self) -> list[str]:
        """What keeps DAG files from being parsed, if anything does."""
        found = self._pages("/importErrors", "import_errors", {})
        return [f"{error['filename']}: {error['stack_trace'].strip()}" for error in found]

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """One run."""
        return _dag_run(self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, *states: str) -> list[DagRun]:
        """Every run of every DAG, oldest first; with `states` only those in one of them."""
        return [
            _dag_run(found) for found in self._pages("/dags/~/dagRuns", "dag_runs", {"state": list(states)})
        ]

    def task_states(self, run: DagRun) -> list[dict[str, Any]]:
        """The task instances of a run, as the API gives them."""
        return list(
            self._pages(f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances", "task_instances", {})
        )

    def failed_tasks(self, run: DagRun) -> list[FailedTask]:
        """The tasks of a run that failed themselves (not those that only waited for one)."""
        return [self._failed_task(run, task) for task in self.task_states(run) if task["state"] == "failed"]

    def _failed_task(self, run: DagRun, task: dict[str, Any]) -> FailedTask:
        return FailedTask(
            run=run,
            task_id=task["task_id"],
            map_index=task["map_index"],
            label=task["rendered_map_index"] or "",
            log_tail=self._log_tail(run, task),
        )

    def _log_tail(self, run: DagRun, task: dict[str, Any]) -> tuple[str, ...]:
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        answer = self._call(
            "GET", path, params={"map_index": task["map_index"]}, accepted=(HTTPStatus.NOT_FOUND,)
        )
        lines: list[dict[str, Any]] = [line for line in answer.get("content", []) if isinstance(line, dict)]
        errors = [line for line in lines if line.get("level") in _BAD_LEVELS]
        return tuple(map(_log_text, (errors or lines)[-_LOG_LINES:]))

    def _pages(self, path: str, items: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._call("GET", path, params={**params, "limit": _PAGE, "offset": offset})
            yield from page[items]
            offset += len(page[items])
            if not page[items] or offset >= page["total_entries"]:
                return

    def _call(self, method: str, path: str, accepted: tuple[int, ...] = (), **options: Any) -> dict[str, Any]:
        """One request to /api/v2, repeated while the server is away; `accepted` names further good statuses."""
        deadline = time.monotonic() + _OUTAGE_SECONDS
        while True:
            answer = self._try(method, path, options)
            if answer is not None and answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                return _body(answer, method, path, accepted)
            if time.monotonic() > deadline:
                reason = "no connection" if answer is None else f"{answer.status_code} {answer.text[:300]}"
                raise AirflowApiError(f"{method} {path}: Airflow at {self._url} does not answer: {reason}")
            time.sleep(_PAUSE_SECONDS)

    def _try(self, method: str, path: str, options: dict[str, Any]) -> requests.Response | None:
        try:
            if "Authorization" not in self._session.headers:
                self._log_in()
            answer = self._session.request(method, f"{self._url}/api/v2{path}", timeout=_TIMEOUT, **options)
            if answer.status_code == HTTPStatus.UNAUTHORIZED:
                self._log_in()
                answer = self._session.request(
                    method, f"{self._url}/api/v2{path}", timeout=_TIMEOUT, **options
                )
        except (requests.ConnectionError, requests.Timeout):
            return None
        return answer

    def _log_in(self) -> None:
        answer = self._session.post(f"{self._url}/auth/token", json=self._credentials, timeout=_TIMEOUT)
        if answer.status_code != HTTPStatus.CREATED:
            raise AirflowApiError(f"log-in to Airflow at {self._url} was refused: {answer.status_code}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        self._session.headers["Accept"] = "application/json"


def _body(answer: requests.Response, method: str, path: str, accepted: tuple[int, ...]) -> dict[str, Any]:
    if not answer.ok and answer.status_code not in accepted:
        raise AirflowApiError(f"{method} {path}: Airflow answered {answer.status_code}: {answer.text[:300]}")
    body: dict[str, Any] = answer.json()
    return body


def _dag_run(found: dict[str, Any]) -> DagRun:
    return DagRun(
        dag_id=found["dag_id"],
        run_id=found["dag_run_id"],
        state=found["state"],
        run_type=found["run_type"],
        start=_moment(found["start_date"]),
        end=_moment(found["end_date"]),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _log_text(line: dict[str, Any]) -> str:
    error = next(iter(line.get("error_detail") or []), None)
    return f"{line['event']}: {error['exc_type']}: {error['exc_value']}" if error else str(line["event"])
