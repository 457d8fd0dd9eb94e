"""
### Work on exceptions: assign, wait, note, resolve, write off, reopen; match and unmatch by hand

Takes exceptions by number, or all open ones of a lender and kind (with `most_rupees`, only the small ones), and does
one thing to all of them. To `match` or `unmatch`, name the records (native references; for `unmatch` the
`match_group`): another person approves it under Required Actions, and what was approved is read again before it is
done. A write-off gives the difference up and moves no money. `turno exceptions` does the same, and lists, shows,
exports and tells how any past day stood.

**Starts:** by the form only.

**Run again:** clear a failed task; a refused form is filled in anew.

**Run twice:** an action that was done already is refused or changes nothing; a match is made once. Marking `approve`
as success approves nothing: `execute` reads the approval itself.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import exceptions, repayments
from turno_lms.orchestration.assets import TRANSACTIONS_RECONCILED
from turno_lms.orchestration.defaults import START, Tag, default_args
from turno_lms.orchestration.second_person import ask_second_person

EMPTY: Any = {"type": ["null", "string"]}
LINES: Any = {"type": ["null", "array"], "items": {"type": ["string", "integer"]}}

with DAG(
    dag_id="work_recon_exceptions",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=20,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "action": Param("assign", type="string", enum=list(exceptions.ACTIONS), title="What to do"),
        "exception_ids": Param([], **LINES, title="Exceptions", description="Their numbers, one a line."),
        "lender": Param(None, **EMPTY, title="or all open ones of a lender"),
        "kind": Param(None, **EMPTY, title="and of a kind"),
        "most_rupees": Param(None, **EMPTY, title="up to so many rupees"),
        "owner": Param(None, **EMPTY, title="assign: to whom"),
        "until": Param(None, type=["null", "string"], format="date", title="wait: until which day"),
        "records": Param([], **LINES, title="match: native references; unmatch: the match_group"),
        "reason": Param(None, type=["null", "string"], maxLength=1000, title="Reason or note"),
    },
    tags=[Tag.RECONCILIATION, Tag.OPERATOR_FORM],
):

    @task
    def act() -> dict[str, Any]:
        """Do it, or ask another person."""
        return exceptions.act()

    @task.branch
    def choose_path(done: dict[str, Any]) -> str:
        """A match needs a second person."""
        return "approve" if "approval_id" in done else "announce"

    @task.short_circuit
    def record_decision(done: dict[str, Any], answer: Any) -> bool:
        """Store who answered, and what; the requester may not. Without an approval it ends here."""
        return repayments.record_answer(done["approval_id"], answer)

    @task(outlets=[TRANSACTIONS_RECONCILED])
    def execute(done: dict[str, Any]) -> dict[str, Any]:
        """Match or unmatch what was approved."""
        return exceptions.execute_match(done["approval_id"])

    @task(outlets=[TRANSACTIONS_RECONCILED])
    def announce(done: dict[str, Any]) -> int:
        """Let the next build carry the statuses into the transactions."""
        return int(done["exceptions"])

    done = act()
    path = choose_path(done)
    approve = ask_second_person(done, "Exceptions: {action} records, asked for by {requested_by}?")
    path >> [approve, announce(done)]
    approve >> record_decision(done, approve.output) >> execute(done)
