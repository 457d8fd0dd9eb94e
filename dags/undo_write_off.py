"""
### Take a write-off back, with another person's approval

The loan is active again with its dues as they were; a charge-off that came first is taken back too. Recoveries that
were posted meanwhile stay what they are. `approve` waits under Required Actions, for 24 hours; who asked cannot
approve, and it takes a person of the write-off's own band.

**Starts:** by the form only.

**Run again:** clear a failed task; what cannot be ended at once goes on by `advance_resolutions`.

**Run twice:** refused: only a write-off that is done can be taken back. Marking `approve` or `record_decision` as
success approves nothing: `undo` reads the approval itself.
"""

from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import answers, resolutions
from turno_lms.orchestration.defaults import APPROVAL_WAIT, LONG, START, Pool, Tag, default_args

with DAG(
    dag_id="undo_write_off",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=20,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "write_off_ref": Param(None, type="string", minLength=5, title="Write-off", description="wof-..."),
        "reason": Param(None, type="string", minLength=3, title="Reason"),
    },
    tags=[Tag.RESOLUTIONS, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task
    def ask() -> dict[str, Any]:
        """Record the wish; returns what the approver sees."""
        return resolutions.ask_to_undo_write_off()

    @task
    def record_decision(asked: dict[str, Any], answer: Any) -> str:
        """Store who answered, and what; nobody's answer is none."""
        return resolutions.decide_undo(asked["ref"], answer)

    @task(pool=Pool.FINERACT_WRITE, execution_timeout=LONG)
    def undo(asked: dict[str, Any]) -> dict[str, Any]:
        """Read the approval again and take it back."""
        return resolutions.undo_write_off(asked["ref"])

    asked = ask()
    approve = HITLOperator(
        task_id="approve",
        subject="Take the write-off of loan {{ ti.xcom_pull('ask')['loan_id'] }} back?",
        body="{{ ti.xcom_pull('ask')['preview'] }}",
        options=[answers.APPROVE, answers.REJECT],
        defaults=[answers.REJECT],
        response_timeout=APPROVAL_WAIT,
        execution_timeout=None,
    )
    asked >> approve
    record_decision(asked, approve.output) >> undo(asked)
