"""
### Decide about a payment that is held as a possible duplicate or in conflict

**release**: it is money of its own and may be posted. **link**: it is the same money as another payment, and is never
posted under its own key. The decision stays with the payment and holds for whatever reports it later; the build that
is started here carries it on. `turno payments release` and `turno payments link` do the same.

**Starts:** by the form only.

**Run again:** trigger it with the other posting key.

**Run twice:** refused, because the payment then waits for nobody.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import repayments
from turno_lms.orchestration.defaults import START, Tag, default_args

with DAG(
    dag_id="decide_held_payment",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "posting_key": Param(None, type="string", minLength=32, title="Posting key of the held payment"),
        "action": Param("release", type="string", enum=list(repayments.HELD_ACTIONS), title="Decision"),
        "same_money_as": Param(None, type=["null", "string"], title="link: posting key of the other payment"),
        "reason": Param(None, type="string", minLength=3, title="Reason or evidence"),
    },
    tags=[Tag.POSTING, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task
    def decide() -> str:
        """Store the decision."""
        return repayments.decide_held_payment()

    decide() >> TriggerDagRunOperator(task_id="wake_build", trigger_dag_id="build_warehouse")
