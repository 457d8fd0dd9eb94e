"""The run that a task belongs to, in the terms of the business: who started it, and what they typed into the form."""

from datetime import datetime

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from turno_lms.domain.dates import IST
from turno_lms.domain.runs import RunContext

LABEL = "{{ label }}"
"""The `map_index_template` of a mapped task that calls `label_task`."""


def current_run() -> RunContext:
    """The DAG run, task and person behind what the calling task is about to write."""
    context = get_current_context()
    instance, run = context["ti"], context["dag_run"]
    return RunContext(
        dag_id=instance.dag_id,
        run_id=instance.run_id,
        task_id=instance.task_id,
        map_index=-1 if instance.map_index is None else instance.map_index,
        actor=run.triggering_user_name or "airflow",
    )


def text_param(name: str) -> str | None:
    """What the form says under `name`, trimmed, or None where it is left empty.

    Fails the task for anything but text: a run made over the API or by backfill has not been through the form.
    """
    value = get_current_context()["params"].get(name)
    if value is not None and not isinstance(value, str):
        raise AirflowFailException(f"parameter {name} must be text, not {value!r}")
    return (value or "").strip() or None


def flag_param(name: str) -> bool:
    """Whether the box `name` is ticked; fails the task for anything but true, false or nothing."""
    value = get_current_context()["params"].get(name)
    if value not in {None, True, False}:
        raise AirflowFailException(f"parameter {name} must be true or false, not {value!r}")
    return bool(value)


def moment_param(name: str) -> datetime | None:
    """The moment under `name`, aware; without a zone it is Indian time. Fails the task for what is no moment."""
    text = text_param(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise AirflowFailException(
            f"parameter {name}: {text!r} is no moment such as 2026-01-05T09:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=IST)


def label_task(label: str) -> None:
    """Show `label` in place of a mapped task's number."""
    get_current_context()["label"] = label  # type: ignore[typeddict-unknown-key]  # read by the template
