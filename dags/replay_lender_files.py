"""
### Read a lender's files again, under the mapping of today or an earlier one

Takes the archived bytes of one key, or of all files received on some days (IST), and judges every row again. With
`dry_run` (the default) nothing is written: the log and the XCom `return_value` of `replay` show rows and rupees by fate
then and now, and each row that changes. Without it rows that were rejected or filtered and pass now are loaded and
their rejects marked `replayed`; rows that are loaded are recognised and never loaded twice; a loaded row that would now
be another payment, or none, stays and becomes an exception `replay_difference`.

**Starts:** by hand. Trigger it with `dry_run` first, read the report, then trigger it without.

**Run again:** trigger it, or clear the failed task; each file is one transaction.

**Run twice:** no-op; the second run finds nothing to change.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import repairs
from turno_lms.orchestration.assets import LENDER_FILES_LOADED
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args

with DAG(
    dag_id="replay_lender_files",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "lender": repairs.lender_param(),
        "key": Param(None, type=["null", "string"], maxLength=1024, title="Key of one file"),
        "first_day": Param(None, **repairs.DAY, title="Or: received from (IST)"),
        "last_day": Param(None, **repairs.DAY, title="to (IST)"),
        "mapping_version": Param(
            None,
            type=["null", "string"],
            maxLength=12,
            title="Mapping version",
            description_md="Empty: the mapping of today. Earlier ones: `turno files mappings LENDER`.",
        ),
        "dry_run": Param(True, type="boolean", title="Only show what it would do"),
    },
    tags=[Tag.INGESTION, Tag.OPERATOR_FORM],
):

    @task(pool=Pool.WAREHOUSE_HEAVY, execution_timeout=LONG)
    def replay() -> dict[str, Any]:
        """Replay the files, or show what that would do."""
        return repairs.replay()

    @task(outlets=[LENDER_FILES_LOADED])
    def announce(report: Any) -> int:
        """Emit the asset when rows were loaded."""
        return repairs.skip_without_rows(report)

    @task
    def every_file_replayed(report: Any) -> None:
        """Fail the run when a file was refused; the others are done."""
        repairs.fail_for_refused(report)

    replayed = replay()
    announce(replayed)
    every_file_replayed(replayed)
