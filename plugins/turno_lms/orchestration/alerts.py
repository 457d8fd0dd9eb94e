"""Who is told when a run that watches over money fails, or is late.

A line of text goes to the HTTP connection `turno_alerts`, as chat services take it (`{"text": ..}`): Slack, Mattermost,
Google Chat, or whatever pages people. Without that connection nothing is sent; the failed run is seen in Airflow.
The triggerer imports this module for alerts about deadlines.
"""

import os
from datetime import timedelta
from typing import Any

from airflow.providers.http.notifications import HttpNotifier
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

CONNECTION = "turno_alerts"
_RUNBOOKS = "docs/runbooks"


class Alert(HttpNotifier):
    """Says in one line what is wrong, in which run, and which runbook has the next step (a file of docs/runbooks)."""

    def __init__(self, what: str, runbook: str, context: Any = None) -> None:
        # a task has the run itself, the triggerer what the API says of it, where the id has another name
        run = "{{ dag_run.dag_id }}, run {{ dag_run.run_id | default(dag_run.dag_run_id) }}"
        super().__init__(
            http_conn_id=CONNECTION,
            json={"text": f"{what}: {run}. What to do: {_RUNBOOKS}/{runbook}"},
            **({"context": context} if context else {}),
        )

    def notify(self, context: Any) -> None:
        """Send it, if there is somewhere to send it to."""
        if self._is_wanted():
            super().notify(context)

    async def async_notify(self, context: Any) -> None:
        """The same in the triggerer."""
        if self._is_wanted():
            await super().async_notify(context)

    def _is_wanted(self) -> bool:
        wanted = bool(os.environ.get(f"AIRFLOW_CONN_{CONNECTION.upper()}"))
        if not wanted:
            self.log.info("no connection %s: nobody is told", CONNECTION)
        return wanted


def late(what: str, runbook: str, *, hours: int) -> DeadlineAlert:
    """Tell when a run has not ended so many hours after it was queued."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=hours),
        callback=AsyncCallback(Alert, kwargs={"what": what, "runbook": runbook}),
    )
