"""
### Switch posting: stop, drain or open it for a lender and channel

`stopped` claims nothing new and sends nothing more: calls in flight end, what may have been sent is still read
back. `draining` claims nothing new and posts what is in the queue. `open` lets both go on. The newest word on a
pair of lender and channel stands; `*` is a pair of its own, so open what was closed under the same names.

**Starts:** by the form only.

**Run again:** trigger it with another state.

**Run twice:** the same state again, with the later reason.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import repayments
from turno_lms.orchestration.defaults import START, Tag, default_args

with DAG(
    dag_id="switch_posting",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "state": Param("stopped", type="string", enum=["stopped", "draining", "open"], title="State"),
        "lender": Param("*", type="string", title="Lender", description="A slug, or * for all."),
        "channel": Param(
            "*",
            type="string",
            title="Channel",
            description="A channel that posts, such as file:nach_response, or *.",
        ),
        "reason": Param(None, type="string", minLength=3, title="Reason"),
    },
    tags=[Tag.POSTING, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task
    def set_switch() -> list[dict[str, Any]]:
        """Set it; the return value lists every switch that is not open."""
        return repayments.set_posting_switch()

    set_switch()
