"""
### Load a lender's payment files from S3 into RAW

Finds the file versions (key and etag) under the lender's prefixes that the processing log has not finished
with, and loads each in a task of its own, labelled with its key: rows, rejected rows and the mark `loaded` in
one transaction, or none of them. A file that cannot be taken fails its task with the reason and fails the
run, but holds up no other file. When rows were loaded the asset `lender_files_loaded` wakes
`build_warehouse`.

**Starts:** at the times in the lender's YAML (IST); such a run waits, without using a worker, until there is
a new file or the next run is due. By hand or by backfill it takes what is there at once.

**Run again:** trigger it. To load one file again after its mapping or the file was mended, give its `key` in
the form. Clearing a failed task is safe as well.

**Run twice:** no-op; a version that is loaded is left alone, and so is the same content under another name. New content
under a known name is a correction: rows it has in common with the version before are duplicates, and those that it
lacks or changes become exceptions, never un-posted.
"""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, task

from turno_lms.domain.names import INGEST
from turno_lms.ingestion.files import places_of
from turno_lms.lenders.schema import Lender
from turno_lms.orchestration import files
from turno_lms.orchestration.assets import LENDER_FILES_LOADED
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args, ist
from turno_lms.orchestration.runs import LABEL


def ingest_dag(lender: Lender) -> None:
    """The DAG of one lender. Its id holds the slug, which never changes."""
    places = places_of(lender)
    with DAG(
        dag_id=f"{INGEST}{lender.slug}",
        doc_md=__doc__,
        schedule=ist(*lender.schedules) if places else None,
        start_date=START,
        catchup=False,
        max_active_runs=files.SIDE_BY_SIDE,
        rerun_with_latest_version=True,
        default_args=default_args(),
        params={"key": files.key_param(places)},
        tags=[Tag.INGESTION, Tag.OPERATOR_FORM],
    ):

        @task(trigger_rule=TriggerRule.NONE_FAILED)
        def find_files() -> list[dict[str, Any]]:
            """List what this run is to load."""
            return files.find_lender_files(lender)

        @task(pool=Pool.WAREHOUSE_HEAVY, execution_timeout=LONG, map_index_template=LABEL)
        def ingest_file(file: dict[str, Any]) -> dict[str, Any]:
            """Load one file."""
            return files.load_lender_file(lender, file)

        @task(outlets=[LENDER_FILES_LOADED], trigger_rule=TriggerRule.ALL_DONE)
        def announce(reports: Any) -> int:
            """Emit the asset when rows were loaded, whatever became of other files."""
            return files.count_loaded(reports)

        found = find_files()
        loaded = ingest_file.expand(file=found)
        files.wait_for_new_file(places, *lender.schedules) >> found
        announce(loaded)
        # a refused file must fail the run, which `announce` would otherwise end as a success
        loaded >> EmptyOperator(task_id="every_file_taken", trigger_rule=TriggerRule.NONE_FAILED)


for each in files.lenders_to_parse():
    ingest_dag(each)
