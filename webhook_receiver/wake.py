"""Waking Airflow: any burst of events gives at most one run of the DAG they wake per window, and none is missed.

Time is cut into windows of a few seconds. When one ends in which events were stored, a run is made that starts after
that end: it cannot have read its input before the events it stands for were there. Its id is made from the end, so
several workers that announce one window agree on one run: the second is told that it exists, which is as good.

Answers never wait for this. What cannot be announced is tried again in the background, and what dies with the
process is picked up by the DAG's schedule: runs take their work from the tables, not from the event that woke them.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import requests
from requests.auth import AuthBase

from webhook_receiver.settings import GATEWAYS, LOS, AirflowLogin, Settings

RUN_ID_PREFIXES = {**dict.fromkeys(GATEWAYS, "webhooks__"), LOS: "los__"}
"""Of a kind of event, how the ids of the runs begin that it starts."""
_TIMEOUT_SECONDS = (2, 10)
_LONGEST_WAIT_SECONDS = 60
# 401 for an expired token, 403 for one signed with another key, as after a restart without a fixed key
_TOKEN_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_WAITING_RUN_WITHIN = timedelta(minutes=15)
FAILED = "failed"
"""An announcement that Airflow did not take; it is tried again."""
_log = logging.getLogger(__name__)


class Announcement(StrEnum):
    """How a window came to be announced."""

    TRIGGERED = "triggered"
    EXISTS = "exists"
    """Another worker made the window's run."""
    WAITING = "waiting"
    """An earlier run has not started yet, and will read this window's events too."""
    UNKNOWN_DAG = "unknown_dag"
    """Airflow has no such DAG, or not yet: what is stored waits for its schedule."""


class AirflowUnavailableError(Exception):
    """Airflow did not take an announcement; the message says how it answered."""


def window_end(now: float, seconds: int) -> int:
    """The end (epoch seconds) of the window of `seconds` that `now` falls into; always later than `now`."""
    return (int(now) // seconds + 1) * seconds


def run_id(end: int, prefix: str) -> str:
    """The run that announces the window ending at `end`, in the characters Airflow allows in a run id."""
    return f"{prefix}{datetime.fromtimestamp(end, UTC):%Y%m%dT%H%M%SZ}"


class AirflowClient:
    """Airflow's REST API as far as announcing runs of one DAG needs it. Not shared between threads."""

    def __init__(self, login: AirflowLogin, dag_id: str, prefix: str) -> None:
        self._login = login
        self.dag_id = dag_id
        self.prefix = prefix
        self._session = requests.Session()
        self._token: _BearerToken | None = None

    def announce(self, end: int) -> Announcement:
        """Have a run start, at `end` or later, that reads what is stored by now; raises AirflowUnavailableError."""
        try:
            if self._is_run_waiting():
                return Announcement.WAITING
            return self._trigger(end)
        except (requests.RequestException, LookupError, TypeError) as error:
            # the last two: an answer of another shape, as from a proxy in between
            raise AirflowUnavailableError(f"{type(error).__name__} at {self._login.url}") from error

    def _is_run_waiting(self) -> bool:
        """Whether a run of ours is queued. While one build lasts longer than a window, runs must not pile up.

        Only young runs count: an old one that is queued was cleared by hand, perhaps but for its last tasks.
        """
        answer = self._call(
            "GET",
            params={
                "state": "queued",
                "run_id_prefix_pattern": self.prefix,
                "run_after_gte": (datetime.now(UTC) - _WAITING_RUN_WITHIN).isoformat(),
                "limit": "1",
            },
        )
        return answer.ok and bool(answer.json()["dag_runs"])

    def _trigger(self, end: int) -> Announcement:
        run_after = datetime.fromtimestamp(end, UTC).isoformat()
        answer = self._call(
            "POST",
            json={
                "dag_run_id": run_id(end, self.prefix),
                "logical_date": None,
                "run_after": run_after,
                "note": f"What the receiver stored before {run_after}",
            },
        )
        if answer.status_code == HTTPStatus.CONFLICT:
            return Announcement.EXISTS
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return Announcement.UNKNOWN_DAG
        if not answer.ok:
            raise AirflowUnavailableError(
                f"{answer.status_code} for a run of {self.dag_id}: {answer.text[:200]}"
            )
        return Announcement.TRIGGERED

    def _call(self, method: str, **arguments: Any) -> requests.Response:
        """A call on the DAG's runs, with a new token where the one at hand is refused."""
        url = f"{self._login.url}/api/v2/dags/{self.dag_id}/dagRuns"
        if self._token is None:
            self._token = self._obtain_token()
        answer = self._session.request(method, url, auth=self._token, timeout=_TIMEOUT_SECONDS, **arguments)
        if answer.status_code in _TOKEN_REFUSED:
            self._token = self._obtain_token()
            answer = self._session.request(
                method, url, auth=self._token, timeout=_TIMEOUT_SECONDS, **arguments
            )
        return answer

    def _obtain_token(self) -> "_BearerToken":
        answer = self._session.post(
            f"{self._login.url}/auth/token",
            json={"username": self._login.user, "password": self._login.password},
            timeout=_TIMEOUT_SECONDS,
        )
        if not answer.ok:
            raise AirflowUnavailableError(f"{answer.status_code} for a token as {self._login.user}")
        return _BearerToken(answer.json()["access_token"])


class _BearerToken(AuthBase):
    """As an auth object, since requests would put a .netrc entry over a plain Authorization header."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Wakers:
    """The wakers of all kinds of events; kinds that wake the same DAG share one."""

    def __init__(self, settings: Settings, count: Callable[[str, str], None]) -> None:
        """`count` is told the DAG and the outcome of each announcement."""
        self._of_kind: dict[str, Waker] = {}
        if settings.airflow is None:
            return
        known: dict[tuple[str, str], Waker] = {}
        for kind, dag_id in settings.wake_dags.items():
            place = dag_id, RUN_ID_PREFIXES[kind]
            if place not in known:
                known[place] = Waker(AirflowClient(settings.airflow, *place), settings.wake_seconds, count)
            self._of_kind[kind] = known[place]

    def event_stored(self, kind: str) -> None:
        """Have the current window announced to the DAG of this kind of event, if it has one. Returns at once."""
        if kind in self._of_kind:
            self._of_kind[kind].event_stored()


class Waker:
    """One background thread that announces windows to one DAG."""

    def __init__(
        self, airflow: AirflowClient, window_seconds: int, count: Callable[[str, str], None]
    ) -> None:
        self._airflow = airflow
        self._window_seconds = window_seconds
        self._count = count
        self._changed = threading.Condition()
        self._due = 0
        self._thread: threading.Thread | None = None

    def event_stored(self) -> None:
        """Have the current window announced. To be called after the commit; returns at once.

        The thread starts here, not at construction, because a forked worker would not inherit it.
        """
        end = window_end(time.time(), self._window_seconds)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._announce_windows, name="wake", daemon=True)
                self._thread.start()
            self._due = max(self._due, end)
            self._changed.notify()

    def _announce_windows(self) -> None:
        announced = 0
        wait_seconds = 1
        while True:
            due = self._next_due(announced)
            time.sleep(max(due - time.time(), 0))
            if self._is_announced(due, wait_seconds):
                announced = due
                wait_seconds = 1
            else:
                time.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)

    def _next_due(self, announced: int) -> int:
        """Wait for a window later than `announced`; of several the last stands for all."""
        with self._changed:
            self._changed.wait_for(lambda: self._due > announced)
            return self._due

    def _is_announced(self, due: int, wait_seconds: int) -> bool:
        dag_id = self._airflow.dag_id
        fields = {"dag_id": dag_id, "run_id": run_id(due, self._airflow.prefix)}
        try:
            outcome = self._airflow.announce(due)
        except AirflowUnavailableError as error:
            self._count(dag_id, FAILED)
            fields |= {"error": str(error), "again_in_seconds": str(wait_seconds)}
            _log.warning("wake_failed", extra={"fields": fields})
            return False
        self._count(dag_id, outcome)
        level = logging.ERROR if outcome is Announcement.UNKNOWN_DAG else logging.INFO
        _log.log(level, "wake", extra={"fields": fields | {"outcome": outcome}})
        return True
