"""
### Decide about a settlement, write-off or foreclosure that cannot go on by itself

For a reference such as `stl-0123456789abcdef` (the open question `resolution_stuck` names it):

- **go on**: the trouble is gone. A step in doubt is looked up once more, and sent again if Fineract has it not.
- **take back**: undo what was done, the last step first; the money becomes ordinary repayments of its own days.
- **give up**: end one that has not touched Fineract yet; held money is released.

**Starts:** by the form only.

**Run again:** trigger it anew.

**Run twice:** refused, because it is no longer in the state that the action is for.
"""

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import resolutions
from turno_lms.orchestration.defaults import START, Tag, default_args

with DAG(
    dag_id="decide_resolution",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "ref": Param(None, type="string", minLength=5, title="Reference"),
        "action": Param("go on", type="string", enum=list(resolutions.STUCK_ACTIONS), title="What to do"),
        "reason": Param(None, type="string", minLength=3, title="Reason or evidence"),
    },
    tags=[Tag.RESOLUTIONS, Tag.MONEY, Tag.OPERATOR_FORM],
):

    @task
    def decide() -> str:
        """Do it; the next run of advance_resolutions carries it on."""
        return resolutions.decide_stuck()

    decide()
