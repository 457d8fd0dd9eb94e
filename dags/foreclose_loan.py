"""
### Foreclose a loan: pay it off early with Fineract's figure of the day

`quote` asks Fineract what ends the loan today and keeps the figure; from then on the loan's incoming money is held.
`foreclose` ends it if a payment of exactly that figure is there; when it comes later on the same day,
`advance_resolutions` does. A quote holds on its day alone: unpaid, it lapses, and the money becomes ordinary
repayments. The return value of `foreclose` is what a no-objection certificate says: paid, when, by which reference.

A product that recalculates interest cannot be foreclosed in Fineract: post its prepayment figure as a repayment. Short
money goes by `settle_loan`.

**Starts:** by the form only.

**Run again:** clear `foreclose`; it goes on where it stopped.

**Run twice:** a run quotes once, and a loan has one settlement, write-off or foreclosure at a time.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import resolutions
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args

with DAG(
    dag_id="foreclose_loan",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "lender": Param(None, type="string", title="Lender", description="Its slug, such as gb."),
        "loan_id": Param(None, type="string", title="Loan"),
        "reason": Param(None, type="string", minLength=3, title="Who asked for it"),
        "override_reason": Param(
            None, type=["null", "string"], title="Why open questions about the loan may be passed over"
        ),
    },
    tags=[Tag.RESOLUTIONS, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task(pool=Pool.FINERACT_READ)
    def quote() -> dict[str, Any]:
        """Fineract's figure of the day."""
        return resolutions.quote_foreclosure()

    @task(pool=Pool.FINERACT_WRITE, execution_timeout=LONG)
    def foreclose(asked: dict[str, Any]) -> dict[str, Any]:
        """End the loan if the money is there."""
        return resolutions.foreclose(asked["ref"])

    foreclose(quote())
