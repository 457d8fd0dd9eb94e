"""
### Reverse a repayment: undo it in Fineract, with a reason, and post a correction if there is one

Requests the reversal of a posted repayment (`ask`), or says of a prepared one that the repayment stands. Then
carries out every reversal that is due (`carry_out`): under the loan's lease, undone by external id, read back,
and recorded in the ledger. A correction is posted by `post_repayments` under the original's key with `-r1`.

A NACH debit that bounced after it was posted is prepared here by `post_repayments` itself: the open question
`bounced_after_posting` names its key. For money that a gateway gave back it is `returned_after_posting`.

**Starts:** by the form only.

**Run again:** clear `carry_out`; what was sent is read back before anything else.

**Run twice:** refused: what is reversed, or being reversed, cannot be asked for again.
"""

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import repayments
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args

with DAG(
    dag_id="reverse_repayment",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "posting_key": Param(None, type="string", minLength=32, title="Posting key"),
        "action": Param("reverse", type="string", enum=list(repayments.REVERSAL_ACTIONS), title="What to do"),
        "reason": Param(None, type="string", minLength=3, title="Reason"),
        "post_a_correction": Param(False, type="boolean", title="Post a correction in its place"),
        "correct_loan_id": Param(None, type=["null", "string"], title="Its loan, if another"),
        "correct_amount": Param(None, type=["null", "string"], title="Its rupees, if others"),
        "correct_date": Param(None, type=["null", "string"], format="date", title="Its day, if another"),
    },
    tags=[Tag.POSTING, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task
    def ask() -> str | None:
        """Request it, or let the repayment stand; returns the correction's key."""
        return repayments.ask_for_reversal()

    @task(pool=Pool.FINERACT_WRITE, execution_timeout=LONG)
    def carry_out() -> dict[str, int]:
        """Undo what is due."""
        return repayments.carry_out_reversals()

    ask() >> carry_out()
