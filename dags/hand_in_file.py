"""
### Hand in a lender's file without access to S3

Puts what is pasted into the form (text, or base64 for a workbook) where the lender's own files arrive, with the name of
the person who did it (`handed_in_by` in `raw.raw_s3_file_processing_log`), and wakes `ingest__<lender>` for it. Under a
name that is there already it is a new version of that file: a correction.

The form's content stays in Airflow's database with the run; files beyond 5 MB go into the bucket directly.

**Starts:** by hand.

**Run again:** trigger it, or clear a failed task.

**Run twice:** no-op; the same bytes under the same name are the same version, which is loaded once.
"""

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param, task

from turno_lms.domain.names import INGEST
from turno_lms.orchestration import repairs
from turno_lms.orchestration.defaults import START, Tag, default_args

with DAG(
    dag_id="hand_in_file",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "lender": repairs.lender_param(),
        "kind": Param(
            None, type=["null", "string"], title="Kind of file", description_md="If there are several."
        ),
        "name": Param(None, type=["null", "string"], maxLength=150, title="Name of the file"),
        "encoding": Param("text", type="string", enum=["text", "base64"]),
        "content": Param(
            None, type=["null", "string"], format="multiline", maxLength=7_000_000, title="Content"
        ),
    },
    tags=[Tag.INGESTION, Tag.OPERATOR_FORM],
):

    @task
    def put_file() -> str:
        """Put it into the bucket."""
        return repairs.hand_in_file()

    put_file() >> TriggerDagRunOperator(
        task_id="wake_ingest",
        trigger_dag_id=f"{INGEST}{{{{ params.lender }}}}",
        conf={"key": "{{ ti.xcom_pull(task_ids='put_file') }}"},
    )
