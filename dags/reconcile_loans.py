"""
### Reconcile loans: Fineract's loans into RAW, each against our ledger and its lender's statement, then the proof

Reads all loans from Fineract, appends those that changed to `raw.raw_fineract_loan_snapshot`, and emits
`loans_snapshotted` when there were any: `build_warehouse` then resolves payments that waited for their loan. Loans
that changed are fetched with their transactions first, then those not looked at for longest, a fourteenth of all.
Lenders' statements (`statements/<lender>/*.csv`, where the mapping says how to read them) are landed, and
`core.core_recon_loan` lays it side by side: rupees posted by us and there, outstanding by component, days past due,
status. Differences are exceptions that close when the loan agrees again. Afterwards it proves that Fineract's
repayments and the ledger are in bijection: for the loans that changed in Fineract or in the ledger since their last
proof, and for all of them when the form asks for `every_loan`.

**Starts:** daily at 06:00 IST; by hand after loans were created.

**Run again:** trigger it, or clear a failed task; the fetching goes on where it was.

**Run twice:** no change; a loan that is as it was is not stored again. A difference is one open exception, however
often it is found; one found by the proof fails the run each time.
"""

from typing import Any

from airflow.sdk import DAG, Param, TriggerRule, task
from airflow.sdk.exceptions import AirflowSkipException

from turno_lms.orchestration import loans
from turno_lms.orchestration.alerts import Alert
from turno_lms.orchestration.assets import LOANS_SNAPSHOTTED
from turno_lms.orchestration.connections import fineract_client
from turno_lms.orchestration.dbt import ROUTINE, dbt_group
from turno_lms.orchestration.defaults import LONG, Pool, Tag, default_args, ist
from turno_lms.orchestration.runs import current_run, flag_param

with DAG(
    dag_id="reconcile_loans",
    doc_md=__doc__,
    schedule=ist("0 6 * * *"),
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    on_failure_callback=Alert("The daily proof or comparison of loans failed", "proof-difference.md"),
    params={"every_loan": Param(False, type="boolean", title="Prove every loan, changed or not")},
    tags=[Tag.RECONCILIATION],
):

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG)
    def snapshot_loans() -> dict[str, Any]:
        """Store the loans that changed since they were last looked at."""
        from turno_lms.fineract.snapshots import snapshot_loans
        from turno_lms.warehouse.connection import Role, connect

        run = current_run()
        with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
            return snapshot_loans(conn, client, run).to_dict()

    @task(outlets=[LOANS_SNAPSHOTTED])
    def announce(report: Any) -> None:
        """Emit the asset when a loan changed."""
        if not report["changed"]:
            raise AirflowSkipException("no loan has changed")

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG, trigger_rule=TriggerRule.ALL_DONE)
    def prove() -> dict[str, Any]:
        """Compare the ledger with the changed loans in Fineract, or with all; a difference fails the run."""
        from turno_lms.posting.proof import changed_loans, prove
        from turno_lms.warehouse.connection import Role, connect

        run = current_run()
        with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
            loan_ids = None if flag_param("every_loan") else changed_loans(conn)
            report = prove(conn, client, loan_ids, run)
        report.raise_for_differences()
        return report.to_dict()

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG)
    def fetch_details() -> dict[str, int]:
        """Fetch changed loans with their transactions, and a share of the others."""
        return loans.fetch_details()

    @task(execution_timeout=LONG)
    def land_statements() -> list[dict[str, Any]]:
        """Land the balances that lenders sent."""
        return loans.land_statements()

    @task
    def record_loans() -> dict[str, int]:
        """Keep the differences as exceptions."""
        return loans.record_loans()

    snapshot = snapshot_loans()
    announce(snapshot)
    details = fetch_details()
    snapshot >> [details, prove()]
    (
        [details, land_statements()]
        >> dbt_group("loans", tag="reconciliation_loans", weight=ROUTINE)
        >> record_loans()
    )
