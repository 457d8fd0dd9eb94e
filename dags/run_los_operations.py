"""
### Carry out the operations of the loan origination system

Takes in what is new (`take_files`: files under `los/<operation>/`, CSV, XLSX or JSON; `take_form`), each row checked
by the operation's JSON Schema; a bad row is refused with field and reason in `raw.raw_los_refused_row`, the rest go
on. Then it claims every submission, the receiver's too, and works: first clients, then loans, many at once, each in
life-cycle order. What waits, is held or refused says why in `core.core_<operation>_los_processed`; `report` counts
them with the age of the oldest. When loans changed in Fineract `loans_snapshotted` wakes `build_warehouse`.

**Starts:** when the receiver has stored submissions, and every 15 minutes; by the form with rows of one operation.

**Run again:** trigger it, or clear any task at any moment, even one that was killed: what may have been sent is
looked up in Fineract before anything is sent again.

**Run twice:** no-op. A file version is taken once, a reference is one submission, and what Fineract has already is
recognised, not done twice.
"""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule, task

from turno_lms.orchestration import los_operations
from turno_lms.orchestration.assets import LOANS_SNAPSHOTTED
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args, ist
from turno_lms.orchestration.runs import LABEL, label_task

CHUNKS = 4
THREADS = 4
"""Calls in flight per chunk, and so its slots in the pool, which posting shares."""

with DAG(
    dag_id="run_los_operations",
    doc_md=__doc__,
    schedule=ist("*/15 * * * *"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params=los_operations.form_params(),
    tags=[Tag.LOS, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task
    def find_files() -> list[dict[str, Any]]:
        """List the file versions that were not dealt with."""
        return los_operations.find_los_files()

    @task(pool=Pool.WAREHOUSE_HEAVY, execution_timeout=LONG, map_index_template=LABEL)
    def take_file(file: dict[str, Any]) -> dict[str, Any]:
        """Land one file."""
        label_task(file["key"])
        return los_operations.take_los_file(file)

    @task
    def take_form() -> dict[str, Any]:
        """Land what was typed in."""
        return los_operations.take_los_form()

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def claim() -> dict[str, Any]:
        """Make a row of state for every new submission, whatever became of some file."""
        return los_operations.claim_operations()

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def plan(kind: str) -> list[list[str]]:
        """The clients or loans with something to do, in chunks."""
        return los_operations.plan_operations(kind, CHUNKS)

    @task(pool=Pool.FINERACT_WRITE, pool_slots=THREADS, execution_timeout=LONG, map_index_template=LABEL)
    def run_chunk(subjects: list[str]) -> dict[str, Any]:
        """Carry out what is due for these."""
        label_task(f"{subjects[0]} and {len(subjects) - 1} more")
        return los_operations.run_operations(subjects, THREADS)

    @task(outlets=[LOANS_SNAPSHOTTED], trigger_rule=TriggerRule.ALL_DONE)
    def announce(reports: Any) -> int:
        """Emit the asset when a loan changed."""
        return los_operations.announce_loans(reports)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def report() -> list[dict[str, Any]]:
        """How all operations stand, with the age of the oldest."""
        return los_operations.report_operations()

    files, form = take_file.expand(file=find_files()), take_form()
    clients = plan.override(task_id="plan_clients")("client")
    clients_done = run_chunk.override(task_id="run_clients").expand(subjects=clients)
    loans = plan.override(task_id="plan_loans")("loan")
    loans_done = run_chunk.override(task_id="run_loans").expand(subjects=loans)
    [files, form] >> claim() >> clients
    clients_done >> loans
    announce(loans_done)
    loans_done >> report()
    # what failed must fail the run, which the tasks after it would otherwise end as a success
    nothing_failed = EmptyOperator(task_id="nothing_failed", trigger_rule=TriggerRule.NONE_FAILED)
    [files, form, clients_done, loans_done] >> nothing_failed
