"""
### Reconcile transactions: lender files against gateway records and against what was posted

Lays what files and gateways report side by side, rule by rule (docs/reconciliation-rules.md). The exact rules come
first and alone: their matches are recorded at once and emit `transactions_reconciled`, so that what they release is
posted while the other rules still run: days and rupees within tolerance, differences that a charge explains, groups
of one settlement. What is left is named and kept as exceptions (`core.core_recon_exception`), which close by
themselves when new data explains them. A match posts once, through its canonical member; nothing here posts.
`report` writes the day's summary (`core.core_recon_daily`) and fails once for each channel of a lender that was
silent, or reported much more or less than usual, on the day before: that is the alert (runbook recon-exceptions).

**Starts:** daily at 11:00 IST, when the morning's files are in; by hand at any time.

**Run again:** trigger it, or clear a failed task.

**Run twice:** converges; a match or exception that is recorded already stays as it is.
"""

from typing import Any

from airflow.sdk import DAG, task

from turno_lms.orchestration import exceptions
from turno_lms.orchestration.alerts import Alert
from turno_lms.orchestration.assets import TRANSACTIONS_RECONCILED
from turno_lms.orchestration.dbt import ROUTINE, dbt_group
from turno_lms.orchestration.defaults import LONG, Tag, default_args, ist
from turno_lms.orchestration.runs import current_run

with DAG(
    dag_id="reconcile_transactions",
    doc_md=__doc__,
    schedule=ist("0 11 * * *"),
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    on_failure_callback=Alert("Reconciliation failed, or a source was silent", "recon-exceptions.md"),
    tags=[Tag.RECONCILIATION],
):

    @task(outlets=[TRANSACTIONS_RECONCILED], execution_timeout=LONG)
    def record_exact() -> int:
        """Record the pairs of the exact rules, which posting may be waiting for."""
        from turno_lms.reconciliation.matches import record_exact
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.RECONCILER) as conn:
            return record_exact(conn, current_run())

    @task(outlets=[TRANSACTIONS_RECONCILED], execution_timeout=LONG)
    def record_matches() -> dict[str, Any]:
        """Turn what the other rules propose into matches, and what is left into exceptions."""
        from turno_lms.reconciliation.matches import record_matches
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.RECONCILER) as conn:
            return record_matches(conn, current_run()).to_dict()

    @task
    def record_settlements() -> dict[str, int]:
        """Keep what settlements say otherwise than the gateway's events and the rate cards."""
        from turno_lms.reconciliation.findings import record_settlements
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.RECONCILER) as conn:
            return record_settlements(conn, current_run()).to_dict()

    @task(execution_timeout=LONG)
    def report() -> dict[str, Any]:
        """Write the day's summary; fail once for a channel that was silent or not as usual yesterday."""
        return exceptions.report()

    (
        dbt_group("exact", tag="reconciliation_exact", weight=ROUTINE)
        >> record_exact()
        >> dbt_group("other_rules", tag="reconciliation_rest", weight=ROUTINE)
        >> record_matches()
        >> record_settlements()
        >> report()
    )
