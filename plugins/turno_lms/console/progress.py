"""A run that a button started, as Airflow knows it: how far it is, what it came to, and why it failed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy.orm import Session

_MOST_ERRORS = 5
_RESULT = "return_value"


@dataclass(frozen=True)
class TaskSeen:
    """One task of a run: `state` in Airflow's words (None before it starts), what it returned, and its log's errors."""

    name: str
    state: str | None
    result: Any
    errors: tuple[str, ...]


@dataclass(frozen=True)
class RunSeen:
    """A run with its tasks in the order in which they began."""

    dag_id: str
    run_id: str
    state: str
    started_by: str
    started_at: datetime | None
    ended_at: datetime | None
    conf: dict[str, Any]
    tasks: tuple[TaskSeen, ...]

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, well or badly."""
        return self.state in {"success", "failed"}


def run_seen(dag_id: str, run_id: str) -> RunSeen | None:
    """How a run is now, or None where there is no such run."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
        if run is None:
            return None
        results = _results(session, dag_id, run_id)
        tasks = sorted(run.get_task_instances(session=session), key=_order)
        return RunSeen(
            dag_id,
            run_id,
            str(run.state),
            run.triggering_user_name or "airflow",
            run.start_date,
            run.end_date,
            dict(run.conf or {}),
            tuple(_task_seen(task, results.get((task.task_id, task.map_index))) for task in tasks),
        )


def _results(session: "Session", dag_id: str, run_id: str) -> dict[tuple[str, int], Any]:
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    wanted = XComModel.dag_id == dag_id, XComModel.run_id == run_id, XComModel.key == _RESULT
    found = session.scalars(select(XComModel).where(*wanted))
    return {(one.task_id, one.map_index): XComModel.deserialize_value(one) for one in found}


def _order(task: "TaskInstance") -> tuple[bool, str, int]:
    return task.start_date is None, str(task.start_date), task.map_index


def _task_seen(task: "TaskInstance", result: Any) -> TaskSeen:
    name = f"{task.task_id} {task.rendered_map_index or ''}".strip()
    state = str(task.state) if task.state else None
    return TaskSeen(name, state, result, tuple(_errors(task)) if state == "failed" else ())


def _errors(task: "TaskInstance") -> Iterator[str]:
    """What a failed task's log has as the reasons, each once. A log that cannot be read has none to tell."""
    from airflow.utils.log.log_reader import TaskLogReader

    try:
        lines, _ = TaskLogReader().read_log_chunks(task, task.try_number, {"end_of_log": False})
        told = [reason for line in lines for reason in _reasons(line.model_dump())]
    except Exception as unread:  # a log kept elsewhere may fail in any way; the page is about the run
        told = [f"The log cannot be read: {unread}"]
    yield from islice(dict.fromkeys(told), _MOST_ERRORS)


def _reasons(line: dict[str, Any]) -> Iterator[str]:
    for error in line.get("error_detail") or ():
        yield str(error["exc_value"])
