"""
### Remove what is old and proves nothing

Lists read from Fineract, polls of payment links, superseded looks at loans, old sweeps, discarded dead letters: what
docs/retention.md lets go, after the time it says. Files, payments, webhooks, postings, decisions and every call that
wrote anything stay. What went is a row of `core.core_removal` and this run's result.

**Starts:** on Sundays at 03:30. The form can count without removing.

**Run again:** any time.

**Run twice:** the second finds nothing.
"""

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration.defaults import LONG, Tag, default_args, ist
from turno_lms.orchestration.runs import current_run, flag_param

with DAG(
    dag_id="maintain_warehouse",
    doc_md=__doc__,
    schedule=ist("30 3 * * 0"),
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={"trial": Param(False, type="boolean", title="Count only")},
    tags=[Tag.WAREHOUSE],
):

    @task(execution_timeout=LONG)
    def remove_expired() -> dict[str, int]:
        """Remove it, and say how many rows of each kind went."""
        from turno_lms.warehouse.connection import Role, connect
        from turno_lms.warehouse.retention import remove_expired

        with connect(Role.INGESTION) as conn:
            return remove_expired(conn, current_run().label, is_trial=flag_param("trial"))

    remove_expired()
