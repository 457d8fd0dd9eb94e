"""The first page: what holds money, most urgent first, with the way to act on each."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import psycopg
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette_admin import route
from starlette_admin.views import CustomView
from starlette_admin.widgets import (
    BaseWidget,
    CardRowWidget,
    ChartWidget,
    ColumnWidget,
    HtmlWidget,
    StatWidget,
)
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.forms import form
from turno_lms.console.sql_page import query_of, read
from turno_lms.domain.money import indian_rupees
from turno_lms.warehouse.connection import Row

_CHART_PIXELS = 280
_OLD_DAYS = 3


class Today(CustomView):
    """Money at risk by what holds it, by lender and by age."""

    def __init__(self) -> None:
        super().__init__(menu_label="Today", icon="fa fa-sun", widget=_widget, add_to_menu=True)

    @override
    def is_accessible(self, request: Request) -> bool:
        """Whoever may see posting's runs."""
        return user_of(request).may_see("post_repayments")

    @route("")
    @override
    async def index(self, request: Request) -> Any:
        """The page."""
        return await super().index(request)


async def _widget(request: Request) -> BaseWidget:
    try:
        risks = await run_in_threadpool(lambda: read(query_of("today")))
    except psycopg.errors.UndefinedTable:
        return HtmlWidget(form("nothing_built"))
    return ColumnWidget([_headline(risks), HtmlWidget(_table(request, risks)), _chart(risks)])


def _headline(risks: list[Row]) -> CardRowWidget:
    """The figures of the morning."""
    people = [risk for risk in risks if risk["needs_person"]]
    moving = [risk for risk in risks if not risk["needs_person"]]
    old = [risk for risk in risks if (risk["oldest_days"] or 0) >= _OLD_DAYS]
    return CardRowWidget(
        [
            _card("Waits for a person", people, "rupees held until somebody decides", "danger"),
            _card("On its way", moving, "rupees that go on by themselves", "success"),
            _card(f"Older than {_OLD_DAYS} days", old, "rupees among what has waited longest", "warning"),
            StatWidget(
                "Things to look at",
                _constant(f"{sum(risk['items'] for risk in people):,}"),
                description="rows, payments, files and questions",
            ),
        ]
    )


def _card(title: str, risks: list[Row], description: str, color: str) -> StatWidget:
    return StatWidget(
        title, _constant(f"₹ {indian_rupees(_rupees(risks))}"), description=description, color=color
    )


def _chart(risks: list[Row]) -> ChartWidget:
    """Rupees by lender, split by whether a person must act."""
    lenders = sorted({str(risk["lender"]) for risk in risks})
    split: dict[bool, dict[str, Decimal]] = {True: defaultdict(Decimal), False: defaultdict(Decimal)}
    for risk in risks:
        split[risk["needs_person"]][str(risk["lender"])] += risk["rupees"] or 0
    names = {True: "waits for a person", False: "on its way"}
    series = [
        {"name": names[person], "data": [str(split[person][lender]) for lender in lenders]}
        for person in names
    ]
    options = {
        "xaxis": {"categories": lenders},
        "chart": {"stacked": True, "toolbar": {"show": False}},
        "colors": ["#d63939", "#2fb344"],
        "dataLabels": {"enabled": False},
    }
    return ChartWidget("Rupees by lender", "bar", _constant(series), height=_CHART_PIXELS, options=options)


def _table(request: Request, risks: list[Row]) -> str:
    """What to do first, each line a way to its list."""
    lines = [
        {
            **risk,
            "rupees": "" if risk["rupees"] is None else indian_rupees(risk["rupees"]),
            "url": _url(request, risk),
        }
        for risk in risks
    ]
    return form("at_risk", lines=lines)


def _url(request: Request, risk: Row) -> str:
    condition = risk["filter"] + (f" AND lender__is={risk['lender']}" if risk["lender"] else "")
    address = request.url_for("console:list", key=risk["page"]).include_query_params(filter=condition)
    return str(address)


def _rupees(risks: list[Row]) -> Decimal:
    return sum((risk["rupees"] or Decimal(0) for risk in risks), Decimal(0))


def _constant(value: Any) -> Callable[[Request], Awaitable[Any]]:
    async def answer(_request: Request) -> Any:
        return value

    return answer
