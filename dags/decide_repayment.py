"""
### Decide about a repayment that posting could not end

For a posting key that is in doubt, or that Fineract refused (`turno posting parked` lists them with their age).
`look_up` shows what Fineract holds under it; `decide` does what the form says:

- **retry**: back into the queue; it is read back before anything is sent.
- **settle as posted** (with Fineract's transaction id) or **settle as failed**: end what is in doubt, on evidence.
- **post again**, **post as recovery**: another attempt at what Fineract refused, on a written-off loan as a recovery.
- **excess settled**: the overpaid rupees were given back, or stay by agreement.

**Starts:** by the form only.

**Run again:** trigger it anew; clear `look_up` to look again.

**Run twice:** refused, because the repayment is no longer in the state that the action is for.
"""

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import repayments
from turno_lms.orchestration.defaults import START, Pool, Tag, default_args

with DAG(
    dag_id="decide_repayment",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "posting_key": Param(None, type="string", minLength=32, title="Posting key"),
        "action": Param("retry", type="string", enum=list(repayments.CASE_ACTIONS), title="What to do"),
        "fineract_transaction_id": Param(
            None, type=["null", "string"], title="Fineract's transaction id, to settle as posted"
        ),
        "reason": Param(None, type="string", minLength=3, title="Reason or evidence"),
    },
    tags=[Tag.POSTING, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task(pool=Pool.FINERACT_READ)
    def look_up() -> str:
        """What Fineract holds under the key."""
        return repayments.look_at_case()

    @task
    def decide() -> str:
        """Do it; the next run of post_repayments sends what is to be sent."""
        return repayments.decide_case()

    look_up() >> decide()
