"""
### Write loans off, one or many, with another person's approval

`check` quotes each loan in Fineract and holds it against the lender's policy (days past due, rupees); all loans of
the request or none. `approve` waits under Required Actions, for 24 hours; who asked cannot approve. `write_off`
reads the approval again, quotes again (the dues must be the approved ones to the paisa), charges off first where the
mapping says so, writes off, and verifies the end. Money that comes in afterwards is posted as a recovery.

**Starts:** by the form only.

**Run again:** clear a failed task. A loan that could not be ended at once goes on by `advance_resolutions`.

**Run twice:** a run asks once, and a loan has one settlement, write-off or foreclosure at a time. Marking
`approve` or `record_decision` as success approves nothing: `write_off` reads the approval itself.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import resolutions
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args
from turno_lms.orchestration.second_person import decided_by_second_person

EMPTY: Any = {"type": ["null", "string"]}

with DAG(
    dag_id="write_off_loan",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=20,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "lender": Param(None, **EMPTY, title="Lender", description="Its slug, such as gb."),
        "loan_id": Param(None, **EMPTY, title="Loan"),
        "reason": Param(None, **EMPTY, title="Reason"),
        "csv": Param(
            None,
            **EMPTY,
            format="multiline",
            title="Several of one lender, as CSV",
            description="Instead of the fields above. Heading: lender,loan_id,reason",
        ),
        "override_reason": Param(
            None, **EMPTY, title="Why open questions about the loans may be passed over"
        ),
    },
    tags=[Tag.RESOLUTIONS, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG)
    def check() -> dict[str, Any]:
        """Fineract's figures and the policy; recorded and shown to the approver."""
        return resolutions.check_write_offs()

    @task(pool=Pool.FINERACT_WRITE, execution_timeout=LONG)
    def write_off(asked: dict[str, Any]) -> list[dict[str, Any]]:
        """Read the approval again and write off."""
        return resolutions.write_off(asked["request_key"])

    asked = check()
    question = "Write off {rupees} rupees of {loans} loans (band {band}), asked for by {requested_by}?"
    decided_by_second_person(asked, question, resolutions.decide_write_offs) >> write_off(asked)
