"""
### Decide about an operation that waits for a person

`release` lets a mismatch pass that held it (its instalment, schedule, days, amount, or the quote of a foreclosure);
`retry` tries again what was held or refused, after the cause was mended; `drop` ends what shall not be done. What
there is to decide: `turno los list --state held` and `--state refused`, or `core.core_<operation>_los_processed`. Who
decided, and why, stays with the row. The next run of `run_los_operations`, woken here, goes on with it.

**Starts:** by the form only.

**Run again:** trigger it.

**Run twice:** refused, unless the row came back to the same state.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, task

from turno_lms.los.registry import REGISTRY
from turno_lms.orchestration import los_operations
from turno_lms.orchestration.defaults import START, Tag, default_args

with DAG(
    dag_id="decide_los_operation",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "operation": Param("create_loan", type="string", enum=list(REGISTRY), title="Operation"),
        "reference": Param(None, type=["null", "string"], title="Reference of the submission"),
        "caller": Param(None, type=["null", "string"], title="Caller, if several have the reference"),
        "action": Param("retry", type="string", enum=["release", "retry", "drop"], title="Decision"),
        "reason": Param(None, type=["null", "string"], title="Reason"),
    },
    tags=[Tag.LOS, Tag.OPERATOR_FORM],
):

    @task
    def decide() -> str:
        """Store the decision."""
        return los_operations.decide_operation()

    decide() >> TriggerDagRunOperator(task_id="wake_operations", trigger_dag_id="run_los_operations")
