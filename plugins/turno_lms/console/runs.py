"""Buttons start runs of DAGs: as the person who pressed, checked by the DAG's own params, in Airflow's audit log."""

import json
from typing import Any

from starlette.requests import Request

from turno_lms.console.access import ConsoleUser


class RunRefusedError(RuntimeError):
    """A run that was not started; the message says why and what to do."""


def start_run(user: ConsoleUser, dag_id: str, conf: dict[str, Any]) -> str:
    """Start a run of a DAG and return its id. Raises RunRefusedError without the right, or for values it refuses."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import ParamValidationError
    from airflow.models.log import Log
    from airflow.sdk.exceptions import AirflowException
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType

    if not user.may_start(dag_id):
        raise RunRefusedError(f"{user.username} may not start {dag_id}: ask someone who may")
    try:
        run = trigger_dag(
            dag_id,
            conf=conf,
            triggered_by=DagRunTriggeredByType.UI,
            triggering_user_name=user.username,
        )
    except (AirflowException, ParamValidationError, ValueError) as refused:
        reason = str(refused).partition("\n")[0]
        raise RunRefusedError(f"{dag_id} was not started: {reason}") from None
    if run is None:
        raise RunRefusedError(f"{dag_id} was not started: Airflow knows no such DAG")
    with create_session() as session:
        event = Log("console_trigger", owner=user.username, dag_id=dag_id, run_id=run.run_id)
        event.extra = json.dumps({"params": sorted(conf)})
        session.add(event)
    return str(run.run_id)


def run_url(request: Request, dag_id: str, run_id: str) -> str:
    """The address of a run's page in the console."""
    return str(request.url_for("console:run").include_query_params(dag=dag_id, run=run_id))
