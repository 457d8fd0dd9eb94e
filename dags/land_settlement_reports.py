"""
### Land settlement reports: which payments reached the bank, under which UTR, and what was kept of them

Takes the gateways' reports from the bucket (`settlements/<gateway>/<lender>/*.csv` or `*.xlsx`, as saved from the
dashboard) and from their APIs, for each account with an Airflow connection `turno_<gateway>_<lender>`, into
`raw.raw_gateway_settlement_line`. `reconcile_transactions` then ties payments to UTRs, and holds fees and GST against
the lender's rate card and sums against what was transferred.

**Starts:** daily at 10:15 IST; by hand with the `key` of one file.

**Run again:** trigger it, or clear a failed task. A report that cannot be taken, or whose lines do not
add up to the totals it states, fails its task with line and reason; the others are landed.

**Run twice:** no-op; a report lands once, and a settled line once whichever way it comes.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import settlements
from turno_lms.orchestration.defaults import LONG, Tag, default_args, ist
from turno_lms.orchestration.runs import LABEL, label_task

with DAG(
    dag_id="land_settlement_reports",
    doc_md=__doc__,
    schedule=ist("15 10 * * *"),
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "key": Param(None, type=["null", "string"], title="One file", description="Its key in the bucket.")
    },
    tags=[Tag.RECONCILIATION, Tag.GATEWAYS, Tag.OPERATOR_FORM],
):

    @task(execution_timeout=LONG)
    def land_files() -> list[dict[str, Any]]:
        """Every new file under settlements/."""
        return settlements.land_files()

    @task
    def list_accounts() -> list[dict[str, str]]:
        """Every gateway of every lender's mapping."""
        return settlements.accounts()

    @task(execution_timeout=LONG, map_index_template=LABEL)
    def land_account(account: dict[str, str]) -> list[dict[str, Any]]:
        """Ask one account for the settlements of the last days."""
        label_task(f"{account['lender']} at {account['gateway']}")
        return settlements.land_account(account)

    land_files()
    land_account.expand(account=list_accounts())
