"""
### Show all that is known of one loan

Reads the loan from Fineract (schedule, transactions, charges) and from the warehouse (loan master, operations, queue,
posted payments, open exceptions, who holds it, the last calls that wrote to it). The return value of `show` has it
all, personal data masked. On the command line: `turno los show-loan LOAN`.

**Starts:** by the form only.

**Run again:** trigger it.

**Run twice:** it only reads.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import los_operations
from turno_lms.orchestration.defaults import START, Pool, Tag, default_args

with DAG(
    dag_id="show_loan",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={"loan_id": Param(None, type=["null", "string"], maxLength=100, title="Loan")},
    tags=[Tag.LOS, Tag.OPERATOR_FORM],
):

    @task(pool=Pool.FINERACT_READ)
    def show() -> dict[str, Any]:
        """Read it; the return value is the page."""
        return los_operations.show_loan()

    show()
