"""
### Post a manual repayment: money that came outside every file and gateway

The form takes one repayment or a CSV of them. They are checked against Fineract's loans and shown with their
effect (`check_entries`: see its log and return value); above the limit of one person another one approves them
under Required Actions (`approve`), which is stored as data (`record_decision`); then they are landed in RAW
(`land_entries`) and go the way of every payment: `build_warehouse`, identity, `post_repayments`.

A payment of the same loan and amount within days holds the entry, or is held by it, until `turno payments
release` says that it is other money or `turno payments link` that it is the same.

**Starts:** by the form only.

**Run again:** clear a failed task. A refused form is filled in anew: a run's entries never change.

**Run twice:** the same run lands nothing again. The same entries in another run are probable duplicates and
refused unless confirmed. Marking `approve` or `record_decision` as success approves nothing, because
`land_entries` and the claim read the approval itself.
"""

from typing import Any

from airflow.sdk import DAG, Param, TriggerRule, task

from turno_lms.orchestration import repayments
from turno_lms.orchestration.assets import MANUAL_REPAYMENTS_ENTERED
from turno_lms.orchestration.defaults import START, Pool, Tag, default_args
from turno_lms.orchestration.second_person import ask_second_person

MODES = ["upi", "neft", "rtgs", "imps", "cheque", "cash", "other"]
EMPTY: Any = {"type": ["null", "string"]}

with DAG(
    dag_id="post_manual_repayment",
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
        "amount": Param(None, **EMPTY, title="Rupees", description="Such as 5499.00; no grouping."),
        "date": Param(
            None, type=["null", "string"], format="date", title="Day on which the money came (IST)"
        ),
        "mode": Param("upi", type="string", enum=MODES, title="How it came"),
        "reference": Param(None, **EMPTY, title="Bank reference (RRN, UTR)"),
        "note": Param(None, **EMPTY, title="Note"),
        "csv": Param(
            None, **EMPTY, format="multiline", title="Several, as CSV",
            description="Instead of the fields above. Heading: lender,loan_id,amount,date,mode,reference,note",
        ),
        "dry_run": Param(False, type="boolean", title="Only show what it would do"),
        "duplicates_confirmed": Param(False, type="boolean", title="Probable duplicates are other money"),
        "excess_confirmed": Param(False, type="boolean", title="Money beyond the outstanding is meant"),
    },
    tags=[Tag.POSTING, Tag.MONEY, Tag.OPERATOR_FORM],
):  # fmt: skip

    @task(pool=Pool.FINERACT_READ)
    def check_entries() -> dict[str, Any]:
        """Validate the form and show the effect on each loan."""
        return repayments.check_manual_entries()

    @task.branch
    def choose_path(request: dict[str, Any]) -> str | None:
        """Above the limit a second person approves; a dry run ends here."""
        if request["dry_run"]:
            return None
        return "approve" if request["needs_approval"] else "land_entries"

    @task.short_circuit
    def record_decision(request: dict[str, Any], answer: Any) -> bool:
        """Store who answered, and what; the requester may not. Without an approval it ends here."""
        return repayments.record_answer(request["approval_id"], answer)

    @task(outlets=[MANUAL_REPAYMENTS_ENTERED], trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    def land_entries(request: dict[str, Any]) -> dict[str, Any]:
        """Read the approval again and land the entries, in one transaction."""
        return repayments.land_manual_entries(request["approval_id"])

    request = check_entries()
    path = choose_path(request)
    approve = ask_second_person(request, "Post {rupees} rupees by hand, asked for by {requested_by}?")
    landed = land_entries(request)
    path >> [approve, landed]
    approve >> record_decision(request, approve.output) >> landed
