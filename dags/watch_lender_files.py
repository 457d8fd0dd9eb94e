"""
### Watch for the files that lenders are expected to send

Holds the calendars of the lenders' YAML (`expected`) against the processing log: each deadline's file came on time,
early or late, is awaited, overdue or missing; an empty or refused one says so. What is overdue is an open exception
`file_overdue` in `core.core_recon_exception`, which clears by itself when the file comes.

**Starts:** every 15 minutes. The run that finds a file overdue fails, with the names: that is the alert. Later runs do
not repeat it.

**Run again:** trigger it, or clear the failed task, which then succeeds: the exception is open.

**Run twice:** converges; one exception per deadline.
"""

from typing import Any

from airflow.sdk import DAG, task

from turno_lms.orchestration import repairs
from turno_lms.orchestration.alerts import Alert
from turno_lms.orchestration.defaults import START, Tag, default_args, ist

with DAG(
    dag_id="watch_lender_files",
    doc_md=__doc__,
    schedule=ist("*/15 * * * *"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    on_failure_callback=Alert("A lender file is late", "lender-file-late.md"),
    tags=[Tag.INGESTION],
):

    @task
    def watch() -> dict[str, Any]:
        """Compare what came with what was expected."""
        return repairs.watch()

    watch()
