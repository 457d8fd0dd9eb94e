"""Follows the pipelines until nothing runs and nothing is left to do, and tells what happens meanwhile."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_stack.demo.airflow_api import AirflowApi, DagRun
from local_stack.processes import StackError
from turno_lms.domain.names import INGEST
from turno_lms.warehouse.connection import WarehouseConnection, is_built

Say = Callable[[str], None]

_WORK_LEFT = Path(__file__).with_name("work_left.sql").read_text(encoding="utf-8")
_DERIVED = ("base.base_razorpay_event", "core.core_payment_sighting", "core.core_transaction_data")
_POLL_SECONDS = 1.0
_NEWS_SECONDS = 15.0
_STANDSTILL_SECONDS = 12.0  # an asset wakes its DAG within a few seconds
_MOST_NUDGES = 4
_MOST_SECONDS = 1200.0
_UMRN_MASTER = "load_umrn_master"


@dataclass
class Watch:
    """One look-out over all DAG runs. `started` holds the runs we asked for ourselves."""

    api: AirflowApi
    conn: WarehouseConnection
    say: Say
    number: int
    started: list[DagRun] = field(default_factory=list)
    _states: dict[str, str] = field(default_factory=dict)
    _last_news: float = 0.0
    _told: set[str] = field(default_factory=set)
    _nudges: int = 0
    _deadline: float = field(default_factory=lambda: time.monotonic() + _MOST_SECONDS)

    def start(self, dag_id: str, purpose: str = "", form: dict[str, Any] | None = None) -> DagRun:
        """Trigger a run named after this demo, such as `demo-1-second-delivery`, with what a form says."""
        run_id = "-".join(filter(None, (f"demo-{self.number}", purpose)))
        self.api.trigger(dag_id, run_id, form)
        run = self.api.run(dag_id, run_id)
        self.started.append(run)
        self.say(f"{run.label} triggered")
        return run

    def wait_for(self, runs: Collection[DagRun]) -> None:
        """Return when all of these runs have ended, well or badly."""
        while True:
            now = [self.api.run(run.dag_id, run.run_id) for run in runs]
            self._tell(now)
            if all(run.is_over for run in now):
                return
            self._pause()

    def settle(self, *, reconciled: bool) -> None:
        """Return when no pipeline runs and nothing is left to do; `reconciled` counts what awaits reconciliation too.

        Pipelines wake each other. Where that stood still although work is left (a run that failed, say), the DAG that
        does the work is triggered again, a few times at most; then StackError tells what is left.
        """
        quiet_since: float | None = None
        while True:
            active = self._active()
            left = self._work_left(reconciled=reconciled)
            if not active and not left:
                return
            quiet_since = None if active else quiet_since or time.monotonic()
            if quiet_since and time.monotonic() - quiet_since > _STANDSTILL_SECONDS:
                self._nudge(left)
                quiet_since = None
            self._news(active, left)
            self._pause()

    def _pause(self) -> None:
        if time.monotonic() > self._deadline:
            active = ", ".join(run.label for run in self._active()) or "nothing"
            raise StackError(
                f"no rest after {_MOST_SECONDS:.0f} s; still active: {active}; see Airflow's screens"
            )
        time.sleep(_POLL_SECONDS)

    def failed(self) -> list[DagRun]:
        """The runs of the watch that ended badly, oldest first."""
        return [run for run in self.api.runs("failed") if run.label in self._states]

    def _active(self) -> list[DagRun]:
        runs = self.api.runs()
        self._tell([run for run in runs if run.label in self._states or not run.is_over])
        return [run for run in runs if not run.is_over and not _waits_for_files(run)]

    def _work_left(self, *, reconciled: bool) -> dict[str, int]:
        if not is_built(self.conn, *_DERIVED):
            self.conn.commit()
            return {"tables_to_build": len(_DERIVED)}
        row = self.conn.execute(_WORK_LEFT).fetchone() or {}
        self.conn.commit()
        left = {name: int(count) for name, count in row.items() if count}
        if not reconciled:
            left.pop("payments_to_reconcile", None)
        return left

    def _nudge(self, left: dict[str, int]) -> None:
        self._nudges += 1
        if self._nudges > _MOST_NUDGES:
            raise StackError(
                f"the pipelines stand still with work left: {_listed(left)}; failed: {self._failed_labels()}"
            )
        dag_id = "post_repayments" if set(left) == {"payments_to_post"} else "build_warehouse"
        self.say(f"nothing runs, yet there is work left ({_listed(left)}): starting {dag_id} again")
        self.start(dag_id, f"again-{self._nudges}")

    def _failed_labels(self) -> str:
        return ", ".join(run.label for run in self.failed()) or "no run"

    def _tell(self, runs: Collection[DagRun]) -> None:
        for run in runs:
            before, self._states[run.label] = self._states.get(run.label), run.state
            if before != run.state and not _waits_for_files(run):
                self.say(f"{run.label} {run.state}{_seconds(run)}")
                self._last_news = time.monotonic()

    def _news(self, active: Collection[DagRun], left: dict[str, int]) -> None:
        if time.monotonic() - self._last_news < _NEWS_SECONDS:
            return
        self._last_news = time.monotonic()
        for run in active:
            states = [task["state"] for task in self.api.task_states(run)]
            self._say_once(f"{run.label}: {states.count('success')} of {len(states)} tasks done")
        self._say_once(f"left: {_listed(left)}")

    def _say_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.say(text)


def _waits_for_files(run: DagRun) -> bool:
    """Whether the clock started it to wait for the next file, which may take a day."""
    takes_files = run.dag_id.startswith(INGEST) or run.dag_id == _UMRN_MASTER
    return takes_files and run.run_type == "scheduled"


def _seconds(run: DagRun) -> str:
    if run.start is None or run.end is None:
        return ""
    return f" after {(run.end - run.start).total_seconds():.0f} s"


def _listed(left: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in left.items()) or "nothing left"
