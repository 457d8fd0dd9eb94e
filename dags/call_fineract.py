"""
### Run one raw call of Fineract's API

For what no form here does. A read (GET) is answered at once; a write (POST, PUT) is shown to another person under
Required Actions, stored as data (`record_decision`), and sent once under the loan's lease. Deleting, and whatever
moves money, is refused: that has its own forms. Every call is in `raw.raw_fineract_api_log` under the purpose
`raw_call`; personal data is masked there and in what the task returns.

**Starts:** by the form only.

**Run again:** trigger it anew; an approval is good for one call.

**Run twice:** a read reads again. A write that was sent is not sent again: `send` says so. Marking `approve` or
`record_decision` as success approves nothing, because `send` reads the approval itself.
"""

from typing import Any

from airflow.sdk import DAG, Param, TriggerRule, task

from turno_lms.orchestration import los_operations, repayments
from turno_lms.orchestration.defaults import START, Pool, Tag, default_args
from turno_lms.orchestration.second_person import ask_second_person

with DAG(
    dag_id="call_fineract",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=20,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "method": Param("GET", type="string", enum=["GET", "POST", "PUT"], title="Method"),
        "path": Param(
            "/loans/external-id/...",
            type="string",
            maxLength=1000,
            title="Path under /api/v1, with its query",
        ),
        "body": Param(None, type=["null", "string"], format="multiline", title="Body (a JSON object)"),
        "reason": Param(None, type=["null", "string"], title="Reason (of a write)"),
    },
    tags=[Tag.LOS, Tag.OPERATOR_FORM],
):

    @task
    def check_call() -> dict[str, Any]:
        """Hold the call against what may be called; a write is put on record."""
        return los_operations.prepare_raw_call()

    @task.branch
    def choose_path(prepared: dict[str, Any]) -> str:
        """A write is approved by a second person."""
        return "approve" if prepared["approval_id"] else "send"

    @task.short_circuit
    def record_decision(prepared: dict[str, Any], answer: Any) -> bool:
        """Store who answered, and what; the requester may not. Without an approval it ends here."""
        return repayments.record_answer(prepared["approval_id"], answer)

    @task(pool=Pool.FINERACT_WRITE, trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    def send(prepared: dict[str, Any]) -> dict[str, Any]:
        """Read the approval again and send."""
        return los_operations.send_raw_call(prepared)

    prepared = check_call()
    path = choose_path(prepared)
    approve = ask_second_person(
        prepared, "Send a raw call to Fineract, asked for by {requested_by}?", shown="shown"
    )
    sent = send(prepared)
    path >> [approve, sent]
    approve >> record_decision(prepared, approve.output) >> sent
