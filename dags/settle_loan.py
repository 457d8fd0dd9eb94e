"""
### Settle a loan: close it for less than it owes, with another person's approval

`quote` asks Fineract for the dues of this moment, splits what is not paid into waivers and a remainder, and finds
the approval band of the lender's mapping. `approve` waits under Required Actions, for 24 hours; who asked cannot
approve. From the approval on the loan's incoming money is held. When it is all there (now, or later by
`advance_resolutions`) the dues are quoted again, and the loan is settled step by step: charges and interest waived,
the money posted by the posting ledger, the remainder credited or written off, the end verified.

What is not paid in time lapses by itself: Fineract is untouched, and the money is posted as ordinary repayments of
its own days. Instalments are lines such as `2026-02-05 5000.00`; a missed one lapses the plan.

**Starts:** by the form only.

**Run again:** clear a failed task. A refused form is filled in anew: what a run asked for never changes.

**Run twice:** a run asks once, and a loan has one settlement, write-off or foreclosure at a time. Marking
`approve` or `record_decision` as success approves nothing: `accept` and the execution read the approval itself.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import resolutions
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args
from turno_lms.orchestration.second_person import decided_by_second_person

EMPTY: Any = {"type": ["null", "string"]}

with DAG(
    dag_id="settle_loan",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=20,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "lender": Param(None, type="string", title="Lender", description="Its slug, such as gb."),
        "loan_id": Param(None, type="string", title="Loan"),
        "amount": Param(None, type="string", title="Rupees offered", description="Such as 96000.00."),
        "instalments": Param(
            None, **EMPTY, format="multiline", title="Instalments, if several",
            description="One a line: the day by whose end, and the rupees. 2026-02-05 5000.00",
        ),
        "waive": Param(
            list(resolutions.WAIVABLE), type="array", title="May be waived",
            items={"type": "string", "enum": list(resolutions.WAIVABLE)}, examples=list(resolutions.WAIVABLE),
        ),
        "reason": Param(None, type="string", minLength=3, title="Reason"),
        "evidence": Param(None, type="string", minLength=3, title="Evidence (letter, mail, ticket)"),
        "override_reason": Param(None, **EMPTY, title="Why open questions about the loan may be passed over"),
    },
    tags=[Tag.RESOLUTIONS, Tag.MONEY, Tag.OPERATOR_FORM],
):  # fmt: skip

    @task(pool=Pool.FINERACT_READ)
    def quote() -> dict[str, Any]:
        """Fineract's figures, the split, the band; recorded and shown to the approver."""
        return resolutions.quote_settlement()

    @task(pool=Pool.FINERACT_WRITE, execution_timeout=LONG)
    def accept(asked: dict[str, Any]) -> dict[str, Any]:
        """Read the approval again, hold the loan's money, and settle if it is there."""
        return resolutions.accept_settlement(asked["ref"])

    asked = quote()
    question = "Settle loan {loan_id} for {rupees} rupees (band {band}), asked for by {requested_by}?"
    decided_by_second_person(asked, question, resolutions.decide_settlement) >> accept(asked)
