"""
### Report what was waived, written off, recovered and foreclosed

Derives `core.core_resolution_report`: by lender and month, the rupees waived (interest, charges), credited, written
off and recovered, and the loans settled, written off and paid off early.

**Starts:** daily at 07:30 IST; by hand when finance asks.

**Run again:** trigger it, or clear a failed task.

**Run twice:** the same report.
"""

from airflow.sdk import DAG

from turno_lms.orchestration.dbt import ROUTINE, dbt_group
from turno_lms.orchestration.defaults import Tag, default_args, ist

with DAG(
    dag_id="report_resolutions",
    doc_md=__doc__,
    schedule=ist("30 7 * * *"),
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    tags=[Tag.RESOLUTIONS],
):
    dbt_group("report", tag="resolutions", weight=ROUTINE)
