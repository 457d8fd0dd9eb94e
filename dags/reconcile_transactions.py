"""
### Reconcile transactions: lender files against gateway records

Lays what the files and the gateways report side by side by `recon_match_key`, as a multiset, and records
matches and exceptions (`core.core_recon_match`, `core.core_recon_exception`). Emits
`transactions_reconciled`: `build_warehouse` carries the statuses into the transactions, and what a match
releases is posted by `post_repayments`.

**Starts:** daily at 11:00 IST, when the morning's files are in; by hand at any time.

**Run again:** trigger it, or clear a failed task.

**Run twice:** converges; a match or exception that is recorded already stays as it is.
"""

from typing import Any

from airflow.sdk import DAG, task

from turno_lms.orchestration.assets import TRANSACTIONS_RECONCILED
from turno_lms.orchestration.dbt import ROUTINE, dbt_group
from turno_lms.orchestration.defaults import LONG, START, Tag, default_args, ist
from turno_lms.orchestration.runs import current_run

with DAG(
    dag_id="reconcile_transactions",
    doc_md=__doc__,
    schedule=ist("0 11 * * *"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    tags=[Tag.RECONCILIATION],
):

    @task(outlets=[TRANSACTIONS_RECONCILED], execution_timeout=LONG)
    def record_matches() -> dict[str, Any]:
        """Turn what the models propose into matches and exceptions that stay."""
        from turno_lms.reconciliation.matches import record_matches
        from turno_lms.warehouse.connection import connect

        with connect() as conn:
            return record_matches(conn, current_run()).to_dict()

    dbt_group("reconciliation", tag="reconciliation", weight=ROUTINE) >> record_matches()
