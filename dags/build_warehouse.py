"""
### Build the warehouse: from landing to `core.core_transaction_data`

Types and resolves what has landed (`base`), gives every payment the posting key it keeps for ever
(`assign_identities`), derives one row per payment (`core`), and counts (`check_evidence`). Only when RAW,
sightings, identities and transactions agree is the asset `transactions_built` emitted, which wakes
`post_repayments`. Payments that the gateway gave back become exceptions, with the reversal of what was posted
prepared (`raise_returns`). The tests of each model run with it; one that fails stops what follows.

It takes its work from tables, never from the event that woke it.

**Starts:** when lender files, the UMRN master, loans, manual entries, swept or replayed gateway events or
reconciliation results have changed, when the webhook receiver asks, and every 30 minutes.

**Run again:** trigger it, or clear a failed task; any point is safe. To derive everything anew, run `dbt
build --full-refresh` while this DAG is paused: nothing decided is lost, since identities and postings
are not dbt's.

**Run twice:** the second run finds nothing to do and ends in the same state.
"""

from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, task

from turno_lms.orchestration.alerts import Alert
from turno_lms.orchestration.assets import (
    GATEWAY_EVENTS_LANDED,
    LENDER_FILES_LOADED,
    LOANS_SNAPSHOTTED,
    MANUAL_REPAYMENTS_ENTERED,
    TRANSACTIONS_BUILT,
    TRANSACTIONS_RECONCILED,
    UMRN_MASTER_LOADED,
)
from turno_lms.orchestration.dbt import URGENT, dbt_group
from turno_lms.orchestration.defaults import LONG, START, Tag, default_args, ist
from turno_lms.orchestration.runs import current_run

with DAG(
    dag_id="build_warehouse",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(
        timetable=ist("*/30 * * * *"),
        assets=(
            LENDER_FILES_LOADED
            | UMRN_MASTER_LOADED
            | LOANS_SNAPSHOTTED
            | GATEWAY_EVENTS_LANDED
            | MANUAL_REPAYMENTS_ENTERED
            | TRANSACTIONS_RECONCILED
        ),
    ),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    on_failure_callback=Alert("The money path was not built", "posting-behind.md"),
    tags=[Tag.WAREHOUSE],
):

    @task(execution_timeout=LONG)
    def assign_identities() -> dict[str, Any]:
        """Give every new sighting its posting key; dbt reads them and never works them out itself."""
        from turno_lms.identity.assign import assign_identities
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.RECONCILER) as conn:
            return assign_identities(conn, current_run()).to_dict()

    @task(outlets=[TRANSACTIONS_BUILT])
    def check_evidence() -> dict[str, Any]:
        """Count in the warehouse what was built; the colour of a task is no proof."""
        from turno_lms.identity.evidence import check_money_path
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.RECONCILER) as conn:
            return check_money_path(conn).to_dict()

    @task(execution_timeout=LONG)
    def raise_returns() -> dict[str, Any]:
        """Ask a person about money that went back; posting does not wait for this."""
        from turno_lms.gateways.returns import raise_returns
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.RECONCILER) as conn:
            return raise_returns(conn, current_run()).to_dict()

    (
        dbt_group("base", tag="money_path_base", weight=URGENT)
        >> assign_identities()
        >> dbt_group("core", tag="money_path_core", weight=URGENT)
        >> [check_evidence(), raise_returns()]
    )
