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

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import resolutions
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args
from turno_lms.orchestration.second_person import decided_by_second_person

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
        return resolutions.ask_to_undo("write_off_ref")

    @task(pool=Pool.FINERACT_WRITE, execution_timeout=LONG)
    def undo(asked: dict[str, Any]) -> dict[str, Any]:
        """Read the approval again and take it back."""
        return resolutions.undo(asked)

    asked = ask()
    question = "Take the write-off of loan {loan_id} back, asked for by {requested_by}?"
    decided_by_second_person(asked, question, resolutions.decide_undo) >> undo(asked)
