"""
### Post repayments to Fineract, each exactly once

Claims every transaction that may be posted and has no outcome yet, unless its lender and channel are switched
off (`claim`, which also prepares the reversal of posted money that bounced, for a person to confirm), spreads
the loans with due calls over chunks (`plan`), posts them, one call in flight per loan and oldest payment first
(`post_chunk`), and proves for the loans it touched that Fineract and the ledger are in bijection (`prove`). The
proof runs even when a chunk failed. A difference, or a chunk that failed, fails the run; the queue keeps what
is left.

The ledger in PostgreSQL decides what is sent, not the state of these tasks. If Fineract is down the calls
stay queued and a later run goes on.

**Starts:** when `build_warehouse` emits `transactions_built`, and every 30 minutes.

**Run again:** trigger it, or clear any task at any moment, even one that was killed while it posted: what is
unknown is read back from Fineract before anything is sent.

**Run twice:** no-op. Marking a task as success posts and hides nothing; the next run's proof finds it.
"""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, AssetOrTimeSchedule, TriggerRule, task

from turno_lms.orchestration.alerts import Alert, late
from turno_lms.orchestration.assets import TRANSACTIONS_BUILT
from turno_lms.orchestration.connections import fineract_client
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args, ist
from turno_lms.orchestration.runs import LABEL, current_run, label_task

CHUNKS = 4
THREADS = 4
"""Calls in flight per chunk, and so its slots in the pool: all chunks together fill fineract_write."""
WAIT_LIMIT = 600.0
"""Seconds a chunk waits for a Fineract that does not answer before it leaves the rest to a later run."""

with DAG(
    dag_id="post_repayments",
    doc_md=__doc__,
    schedule=AssetOrTimeSchedule(timetable=ist("*/30 * * * *"), assets=TRANSACTIONS_BUILT),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    on_failure_callback=Alert("Posting or its proof failed", "posting-behind.md"),
    deadline=late("Posting is behind", "posting-behind.md", hours=1),
    tags=[Tag.POSTING, Tag.MONEY],
):

    @task(execution_timeout=LONG)
    def claim() -> dict[str, Any]:
        """Make an intent for every transaction that may be posted, and prepare the reversal of what went back."""
        from turno_lms.posting.claim import claim
        from turno_lms.posting.reversals import prepare_reversals
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.POSTER) as conn:
            prepare_reversals(conn, current_run())
            return claim(conn, current_run()).to_dict()

    @task
    def plan() -> list[list[str]]:
        """The loans with calls that are due, in chunks."""
        from turno_lms.posting.plan import plan_chunks
        from turno_lms.warehouse.connection import Role, connect

        with connect(Role.POSTER) as conn:
            return plan_chunks(conn, CHUNKS)

    @task(pool=Pool.FINERACT_WRITE, pool_slots=THREADS, execution_timeout=LONG, map_index_template=LABEL)
    def post_chunk(loan_ids: list[str]) -> dict[str, Any]:
        """Post what is due for these loans."""
        from turno_lms.posting.worker import post_chunk

        label_task(f"{loan_ids[0]} and {len(loan_ids) - 1} more")
        return post_chunk(loan_ids, current_run(), threads=THREADS, wait_limit=WAIT_LIMIT).to_dict()

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG, trigger_rule=TriggerRule.ALL_DONE)
    def prove(chunks: Any) -> dict[str, Any]:
        """Compare the ledger with Fineract for the loans of this run; a difference fails the run."""
        from turno_lms.posting.proof import prove
        from turno_lms.warehouse.connection import Role, connect

        run = current_run()
        loan_ids = [loan_id for chunk in chunks or [] for loan_id in chunk]
        with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
            report = prove(conn, client, loan_ids, run)
        report.raise_for_differences()
        return report.to_dict()

    chunks = plan()
    posted = post_chunk.expand(loan_ids=chunks)
    claim() >> chunks
    posted >> prove(chunks)
    # a failed chunk must fail the run, which the proof after it would otherwise end as a success
    posted >> EmptyOperator(task_id="every_chunk_posted", trigger_rule=TriggerRule.NONE_FAILED)
