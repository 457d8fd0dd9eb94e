"""
### Load the UMRN master: which loan a NACH mandate pays for, and from when to when

Files of the kind `umrn/*.csv` in the bucket, with the columns umrn, loan_id, lender, valid_from, valid_to,
become the history in `raw.raw_umrn_master`, each file in one transaction. Rows that contradict the history
are kept with their reason in `raw.raw_rejected_records`. When something was taken the asset
`umrn_master_loaded` wakes `build_warehouse`, and payments that waited for a mandate find their loan.

**Starts:** daily at 07:00 IST; such a run waits, without using a worker, until there is
a new file or the next run is due. By hand it takes what is there at once.

**Run again:** trigger it; give a `key` in the form to load one file again after it was refused.

**Run twice:** no-op; a file version that is loaded is left alone.
"""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, task

from turno_lms.ingestion.umrn import UMRN_PLACE
from turno_lms.orchestration import files
from turno_lms.orchestration.assets import UMRN_MASTER_LOADED
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args, ist
from turno_lms.orchestration.runs import LABEL

DAILY = "0 7 * * *"

with DAG(
    dag_id="load_umrn_master",
    doc_md=__doc__,
    schedule=ist(DAILY),
    start_date=START,
    catchup=False,
    max_active_runs=files.SIDE_BY_SIDE,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={"key": files.key_param([UMRN_PLACE])},
    tags=[Tag.INGESTION, Tag.OPERATOR_FORM],
):

    @task(trigger_rule=TriggerRule.NONE_FAILED)
    def find_files() -> list[str]:
        """List what this run is to load."""
        return files.find_umrn_keys()

    @task(pool=Pool.WAREHOUSE_HEAVY, execution_timeout=LONG, map_index_template=LABEL)
    def load_file(key: str) -> dict[str, Any]:
        """Load one file."""
        return files.load_umrn_file(key)

    @task(outlets=[UMRN_MASTER_LOADED], trigger_rule=TriggerRule.ALL_DONE)
    def announce(reports: Any) -> int:
        """Emit the asset when mandates were taken, whatever became of other files."""
        return files.count_loaded(reports)

    found = find_files()
    loaded = load_file.expand(key=found)
    files.wait_for_new_file([UMRN_PLACE], DAILY) >> found
    announce(loaded)
    # a refused file must fail the run, which `announce` would otherwise end as a success
    loaded >> EmptyOperator(task_id="every_file_taken", trigger_rule=TriggerRule.NONE_FAILED)
