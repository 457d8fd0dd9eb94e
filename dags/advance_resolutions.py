"""
### Advance settlements, write-offs and foreclosures as far as they go

Takes every open one from the tables: what nobody decided in time expires, what was not paid in time lapses (Fineract
untouched, its money released with its own days), what is paid is executed, what was interrupted goes on, what failed
for good is taken back. Payment promises are marked as met or missed.

**Starts:** every 15 minutes; by hand when somebody waits for it.

**Run again:** clear or trigger it at any moment, even one that was killed: a step that may have been sent is read
back from Fineract before anything else.

**Run twice:** converges. One that is stuck fails the run until a person decides (`decide_resolution`).
"""

from airflow.sdk import DAG, task

from turno_lms.orchestration import resolutions
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args, ist

with DAG(
    dag_id="advance_resolutions",
    doc_md=__doc__,
    schedule=ist("*/15 * * * *"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    tags=[Tag.RESOLUTIONS, Tag.MONEY],
):

    @task(pool=Pool.FINERACT_WRITE, execution_timeout=LONG)
    def advance() -> dict[str, int]:
        """Go on with all of them; returns how many are in which state."""
        return resolutions.advance_all()

    advance()
