"""
### Take a settlement or write-off that is done back, with another person's approval

`ask` looks in Fineract whether everything that was done can be undone, and says why where it cannot: money that was
refunded or charged back since, a loan that was foreclosed, later transactions of a product that recalculates interest.
`approve` waits under Required Actions, for 24 hours; who asked cannot approve, and it takes a person of the band that
approved it. `undo` then takes the steps back, the last first, and verifies in Fineract that the loan owes again what it
owed before:

- **a settlement**: the goodwill credit or write-off, the money (reversed, and posted anew as ordinary repayments of its
  own days, unless it went back itself), the waivers.
- **a write-off**: the loan is active again with its dues as they were; a charge-off that came first is taken back, too.
  Recoveries that were posted meanwhile stay what they are.

**Starts:** by the form only.

**Run again:** clear a failed task; what cannot be ended at once goes on by `advance_resolutions`.

**Run twice:** refused: only what is done can be taken back. Marking `approve` or `record_decision` as success approves
nothing: `undo` reads the approval itself.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import resolutions
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args
from turno_lms.orchestration.second_person import decided_by_second_person

with DAG(
    dag_id="undo_resolution",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=20,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "ref": Param(
            None,
            type="string",
            minLength=5,
            title="Settlement or write-off",
            description="stl-... or wof-...",
        ),
        "reason": Param(None, type="string", minLength=3, title="Reason"),
    },
    tags=[Tag.RESOLUTIONS, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task
    def ask() -> dict[str, Any]:
        """Record the wish; returns what the approver sees."""
        return resolutions.ask_to_undo()

    @task(pool=Pool.FINERACT_WRITE, execution_timeout=LONG)
    def undo(asked: dict[str, Any]) -> dict[str, Any]:
        """Read the approval again and take it back."""
        return resolutions.undo(asked)

    asked = ask()
    question = "Take the {kind} of loan {loan_id} back, asked for by {requested_by}?"
    decided_by_second_person(asked, question, resolutions.decide_undo) >> undo(asked)
