"""
### Put rejected rows of lender files right: correct one, or discard some

`fix` judges one rejected row again with corrected cells (`Heading = text`, one a line) or as a corrected line; it goes
through the pipeline of its file and, if it passes, is loaded under its own file and row number, with the correction
kept beside the reject. `discard` marks rows as settled without loading them. Both keep the reason and the person.
The numbers are the `reject_id` of `raw.raw_rejected_records` (`turno rejects list`).

**Starts:** by hand.

**Run again:** trigger it. A row that still does not pass fails the run with the reason, and nothing has changed.

**Run twice:** refused: the row was put right already, by whom and why.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import repairs
from turno_lms.orchestration.assets import LENDER_FILES_LOADED
from turno_lms.orchestration.defaults import START, Tag, default_args

TEXT = {"type": ["null", "string"], "format": "multiline", "maxLength": 20_000}

with DAG(
    dag_id="resolve_rejected_rows",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "action": Param("fix", type="string", enum=["fix", "discard"]),
        "reject_ids": Param(
            [], type=["null", "array"], items={"type": ["string", "integer"]}, title="Reject ids"
        ),
        "cells": Param(
            None, **TEXT, title="fix: corrected cells", description_md="`Heading = text`, one a line"
        ),
        "line": Param(None, **TEXT, title="fix: or the corrected line"),
        "is_other_money": Param(
            False,
            type="boolean",
            title="fix: it is other money",
            description_md="For `changed_since_loaded`: the row is no correction of the one that was loaded before.",
        ),
        "reason": Param(None, type=["null", "string"], maxLength=1000, title="Why"),
    },
    tags=[Tag.INGESTION, Tag.OPERATOR_FORM],
):

    @task
    def resolve() -> dict[str, Any]:
        """Correct or discard."""
        return repairs.resolve_rejects()

    @task(outlets=[LENDER_FILES_LOADED])
    def announce(report: Any) -> int:
        """Emit the asset when a row was loaded."""
        return repairs.skip_without_rows(report)

    announce(resolve())
