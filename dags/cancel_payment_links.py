"""
### Cancel payment links, with or without new ones in their place

For links that a person wants gone: wrong amount, wrong customer, agreed otherwise. All of the form's links, or none.
`refresh_payment_links`, which is started here, asks the gateway first: money that has come makes a link paid, and then
nothing is cancelled. With `requote` a link is made for what is due then.

**Starts:** by the form only.

**Run again:** a refused form is filled in anew.

**Run twice:** refused, because the links have ended or are being cancelled.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import payment_links
from turno_lms.orchestration.defaults import START, Tag, default_args

with DAG(
    dag_id="cancel_payment_links",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "link_ids": Param([], type="array", items={"type": ["integer", "string"]}, title="Links, by number"),
        "requote": Param(False, type="boolean", title="Make new ones for what is due then"),
        "reason": Param(None, type="string", minLength=3, title="Reason"),
    },
    tags=[Tag.GATEWAYS, Tag.OPERATOR_FORM],
):

    @task
    def cancel() -> int:
        """Say it; the refresh does it."""
        return payment_links.cancel_links()

    cancel() >> TriggerDagRunOperator(task_id="wake_refresh", trigger_dag_id="refresh_payment_links")
