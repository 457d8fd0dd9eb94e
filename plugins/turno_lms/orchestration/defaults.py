"""What every DAG shares: its owner, tags, pools, retries and limits of time.

Retries are safe for every task of these DAGs: each one takes its work from the warehouse and finds what an earlier
try has already done. A task that must not be repeated has no place here.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from itertools import islice, pairwise
from typing import Any

from airflow.sdk import CronTriggerTimetable, MultipleCronTriggerTimetable
from croniter import croniter  # type: ignore[import-untyped]  # ships no types

from turno_lms.domain.dates import IST

OWNER = "turno-lms"
START = datetime(2026, 1, 1, tzinfo=IST)
"""The clock makes no run before it. No DAG catches up by itself; a backfill may ask for any days.

A daily DAG has no start: with one, Airflow would make up for the last missed moment at its first start, and a deploy in
the afternoon would set off every report of the morning at once.
"""


class Tag(StrEnum):
    """What a DAG is about: the filters of the DAG list."""

    INGESTION = "ingestion"
    WAREHOUSE = "warehouse"
    POSTING = "posting"
    GATEWAYS = "gateways"
    LOS = "los"
    RECONCILIATION = "reconciliation"
    RESOLUTIONS = "resolutions"
    MONEY = "moves-money"
    OPERATOR_FORM = "operator-form"


class Pool(StrEnum):
    """Shared limits. Their sizes are in deploy/pools.json, which `airflow pools import` applies."""

    FINERACT_WRITE = "fineract_write"
    FINERACT_READ = "fineract_read"
    DBT = "dbt"
    WAREHOUSE_HEAVY = "warehouse_heavy"
    FILE_WAIT = "file_wait"


SHORT = timedelta(minutes=5)
"""For a step that reads or writes a few rows."""
LONG = timedelta(hours=1)
"""For a step that works through a file, a model or a queue."""
APPROVAL_WAIT = timedelta(hours=24)
"""How long an approval task waits for a person; the approval itself expires then too."""


def default_args(**overrides: Any) -> dict[str, Any]:
    """The `default_args` of a DAG: three tries, a minute apart at first, and an end to every step."""
    return {
        "owner": OWNER,
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": SHORT,
        **overrides,
    }


def ist(*crons: str) -> CronTriggerTimetable | MultipleCronTriggerTimetable:
    """A schedule in Indian time, whatever the time zone of the server."""
    if len(crons) == 1:
        return CronTriggerTimetable(crons[0], timezone=IST.key)
    return MultipleCronTriggerTimetable(*crons, timezone=IST.key)


@cache
def longest_gap(*crons: str) -> timedelta:
    """The longest time between two runs of a schedule, as its first 50 runs after START have it; zero without one."""
    runs = [list(islice(croniter(cron, START).all_next(datetime), 50)) for cron in crons]
    known_until = min((moments[-1] for moments in runs), default=START)
    together = sorted({moment for moments in runs for moment in moments if moment <= known_until})
    return max((later - earlier for earlier, later in pairwise(together)), default=timedelta(0))
