"""
### Hold the loan master against Fineract

`read_schedules` reads the schedules that the warehouse lacks or that changed, into `raw.raw_fineract_loan_schedule`,
and wakes `build_warehouse` when there were any. `report_drift` compares `core.core_loan_master` with every loan that
Fineract lists, before the day's snapshot (`reconcile_loans`) would hide a difference: each loan that differs is one
open exception `loan_drift` with both sides of each field; it clears by itself when they agree again.

**Starts:** daily at 05:30 IST.

**Run again:** trigger it, or clear a failed task.

**Run twice:** nothing is read twice, and a difference stays one exception.
"""

from typing import Any

from airflow.sdk import DAG, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException

from turno_lms.orchestration import los_operations
from turno_lms.orchestration.assets import LOANS_SNAPSHOTTED
from turno_lms.orchestration.defaults import LONG, Pool, Tag, default_args, ist

with DAG(
    dag_id="check_loan_master",
    doc_md=__doc__,
    schedule=ist("30 5 * * *"),
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    tags=[Tag.LOS, Tag.RECONCILIATION],
):

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG)
    def read_schedules() -> dict[str, Any]:
        """Read the schedules that are missing or out of date."""
        return los_operations.read_loan_schedules()

    @task(outlets=[LOANS_SNAPSHOTTED])
    def announce(read: Any) -> None:
        """Emit the asset when a schedule changed."""
        if not read["changed"]:
            raise AirflowSkipException("no schedule has changed")

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG, trigger_rule=TriggerRule.ALL_DONE)
    def report_drift() -> dict[str, Any]:
        """Compare the loan master with Fineract."""
        return los_operations.report_loan_drift()

    read = read_schedules()
    announce(read)
    read >> report_drift()
