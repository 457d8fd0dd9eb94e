"""Operators load a stretch of days with the backfill of the UI: what its form makes of an ingest DAG, by Airflow itself."""

import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from turno_lms.domain.dates import IST

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.fixture
def known_to_the_scheduler(dag_bag: "DagBag") -> "DagBag":
    """The bag with two DAGs alone, written to Airflow's database as the DAG processor does."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db

    bag = copy.copy(dag_bag)
    bag.dags = {name: dag_bag.dags[name] for name in ("ingest__gb", "ingest__ugro")}
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(bag, "dags-folder", None)
    return bag


def backfill(dag_id: str, first: datetime, last: datetime, **options: Any) -> list[Any]:
    """The runs that `POST /api/v2/backfills` makes."""
    from airflow.models.backfill import ReprocessBehavior, _create_backfill
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    made = _create_backfill(
        dag_id=dag_id, from_date=first, to_date=last, max_active_runs=4, dag_run_conf={}, triggering_user_name="asha",
        **{"reverse": False, "reprocess_behavior": ReprocessBehavior.NONE} | options,
    )  # fmt: skip
    with create_session() as session:
        runs = select(DagRun).where(DagRun.backfill_id == made.id).order_by(DagRun.logical_date)
        return list(session.scalars(runs))


def test_a_backfill_makes_one_run_for_every_time_of_the_schedule(known_to_the_scheduler: "DagBag") -> None:
    """GB's files come at 08:30 IST; three days are three runs, which take what is there and do not wait."""
    runs = backfill("ingest__gb", datetime(2026, 2, 2, tzinfo=IST), datetime(2026, 2, 5, tzinfo=IST))
    assert [run.logical_date.astimezone(IST) for run in runs] == [
        datetime(2026, 2, day, 8, 30, tzinfo=IST) for day in (2, 3, 4)
    ]
    assert {str(run.run_type) for run in runs} == {"backfill"}
