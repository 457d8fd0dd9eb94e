"""
### Sweep the gateways: payments and refunds whose webhook never came

Asks each lender's account at Razorpay and Cashfree for its payments, by time in windows that overlap and by order
for those last heard of as open, for its refunds by time, and for the UMRN of mandates that payments name by token
only. What was collected or given back and nobody told of lands beside the webhooks, marked as swept,
and the asset `gateway_events_landed` wakes `build_warehouse`. Nothing is written to a gateway.

An account is asked with its Airflow connection `turno_<gateway>_<lender>`; one without a connection is skipped.

**Starts:** every 30 minutes. By hand with `days_back` for a longer window, as after a webhook was switched off.

**Run again:** trigger it, or clear a failed task. A window counts as swept only when all of it was asked for.

**Run twice:** no-op; a payment or refund lands once for each state it was found in, and is one payment with its webhook
should that come after all.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from turno_lms.orchestration.alerts import Alert
from turno_lms.orchestration.assets import GATEWAY_EVENTS_LANDED
from turno_lms.orchestration.defaults import LONG, START, Tag, default_args, ist
from turno_lms.orchestration.runs import LABEL, current_run, label_task

with DAG(
    dag_id="sweep_gateways",
    doc_md=__doc__,
    schedule=ist("10,40 * * * *"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    on_failure_callback=Alert("A gateway could not be asked", "gateway-webhook-disabled.md"),
    params={"days_back": Param(None, type=["null", "integer"], minimum=1, maximum=60, title="Days back")},
    tags=[Tag.GATEWAYS, Tag.OPERATOR_FORM],
):

    @task
    def list_accounts() -> list[dict[str, str]]:
        """Every gateway of every lender's mapping; none before the warehouse was built for the first time."""
        from turno_lms.gateways.connections import accounts
        from turno_lms.gateways.sweep import is_warehouse_built
        from turno_lms.lenders.registry import load_lenders
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.INGESTION) as conn:
            return accounts(load_lenders()) if is_warehouse_built(conn) else []

    @task(execution_timeout=LONG, map_index_template=LABEL)
    def sweep_account(account: dict[str, str]) -> dict[str, Any]:
        """Ask one account and land what is missing."""
        from turno_lms.gateways.connections import gateway_api
        from turno_lms.gateways.sweep import sweep
        from turno_lms.lenders.accounts import connection_id
        from turno_lms.warehouse.connection import Role, connect

        label_task(f"{account['lender']} at {account['gateway']}")
        api = gateway_api(**account)
        if api is None:
            raise AirflowSkipException(f"there is no connection {connection_id(**account)}")
        days_back = get_current_context()["params"].get("days_back")
        since = datetime.now(UTC) - timedelta(days=days_back) if days_back else None
        with connect(Role.INGESTION, autocommit=True) as conn:
            return sweep(conn, api, run=current_run(), since=since, **account).to_dict()

    @task(outlets=[GATEWAY_EVENTS_LANDED], trigger_rule=TriggerRule.ALL_DONE)
    def announce(reports: Any) -> int:
        """Emit the asset when anything landed, whatever became of other accounts."""
        landed = sum(report["landed"] for report in reports or [] if report)
        if not landed:
            raise AirflowSkipException("nothing was missing")
        return landed

    swept = sweep_account.expand(account=list_accounts())
    announce(swept)
    # a failed account must fail the run, which `announce` would otherwise end as a success
    swept >> EmptyOperator(task_id="every_account_swept", trigger_rule=TriggerRule.NONE_FAILED)
