"""How reconciliation stood, day by day: the daily summary as two charts of the first page."""

from collections.abc import Sequence
from typing import Any

from psycopg import sql
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette_admin.widgets import CardRowWidget, ChartWidget, HtmlWidget

from turno_lms.console.forms import form
from turno_lms.console.sql_page import read
from turno_lms.reconciliation.reports import today
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.connection import Row

_DAYS = 30
_PIXELS = 260
_OPEN = {"expected": "#f59f00", "mismatched": "#d63939", "resolved": "#4299e1"}
_MATCHED = {"matched": "#2fb344"}


async def recon_days() -> CardRowWidget | HtmlWidget:
    """What is matched, and beside it on a scale of its own what is not: a day's open rupees are few among them."""
    rows = await run_in_threadpool(
        lambda: read(sql.SQL(STATEMENTS["stood_by_day"]), {"last": today(), "days": _DAYS})
    )
    if not rows:
        return HtmlWidget(form("no_summary"))
    return CardRowWidget(
        [
            _chart("Rupees matched, by day", _MATCHED, rows),
            _chart("Rupees not matched, by day", _OPEN, rows),
        ]
    )


def _chart(title: str, colors: dict[str, str], rows: Sequence[Row]) -> ChartWidget:
    series = [{"name": name, "data": [str(row[name]) for row in rows]} for name in colors]

    async def answer(_request: Request) -> Any:
        return series

    options = {
        "xaxis": {"categories": [f"{row['day']:%d %b}" for row in rows]},
        "yaxis": {"title": {"text": "rupees"}, "decimalsInFloat": 0},
        "chart": {"stacked": True, "toolbar": {"show": False}, "animations": {"enabled": False}},
        "colors": [*colors.values()],
        "dataLabels": {"enabled": False},
    }
    return ChartWidget(title, "bar", answer, height=_PIXELS, options=options)
