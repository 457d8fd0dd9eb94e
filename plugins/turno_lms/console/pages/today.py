"""The first page: what holds money, most urgent first, with the way to act on each."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
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
from turno_lms.console.pages.recon_days import recon_days
from turno_lms.console.sql_page import query_of, read
from turno_lms.domain.money import indian_number, indian_rupees
from turno_lms.warehouse.connection import Row

_CHART_PIXELS = 280
_AGES = (1, 3, 7)
"""Days after which waiting rupees are shown anew; the last is what the headline calls old."""
_NO_LENDER = "no lender"


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
        risks = await run_in_threadpool(_risks)
    except psycopg.errors.UndefinedTable:
        return HtmlWidget(form("nothing_built"))
    lines = [_line(request, risk) for risk in risks]
    return ColumnWidget(
        [
            HtmlWidget(form("first_thing", first=next((one for one in lines if one["needs_person"]), None))),
            _headline(risks),
            HtmlWidget(form("at_risk", lines=lines)),
            HtmlWidget(form("ageing", lenders=_ageing(risks), ages=_AGES)),
            _chart(risks),
            await recon_days(),
        ]
    )


def _risks() -> list[Row]:
    """What waits, first what only a person can end, most rupees first."""
    query = sql.SQL(
        "with payments_waiting as ({}) select * from ({}) as risk"
        " order by risk.needs_person desc, risk.rupees desc nulls last, risk.items desc"
    )
    return read(query.format(query_of("payments-waiting"), query_of("today")))


def _headline(risks: list[Row]) -> CardRowWidget:
    """The figures of the morning."""
    people = [risk for risk in risks if risk["needs_person"]]
    moving = [risk for risk in risks if not risk["needs_person"]]
    old = _rupees(risks, f"rupees_after_{_AGES[-1]}")
    return CardRowWidget(
        [
            _card("Waits for a person", _rupees(people), "rupees held until somebody decides", "danger"),
            _card("On its way", _rupees(moving), "rupees that go on by themselves", "success"),
            _card(f"Older than {_AGES[-1]} days", old, "rupees of both that have waited longest", "warning"),
            StatWidget(
                "Things to look at",
                _constant(indian_number(sum(risk["items"] for risk in people))),
                description="rows, payments, files and questions",
            ),
        ]
    )


def _card(title: str, rupees: Decimal, description: str, color: str) -> StatWidget:
    return StatWidget(
        title,
        _constant(f"₹\u00a0{indian_rupees(rupees)}"),
        description=description,
        color=color,
        countup=False,
    )


def _ageing(risks: list[Row]) -> list[dict[str, str]]:
    """Rupees that wait by lender: in all, and after so many days."""
    columns = ("rupees", *(f"rupees_after_{days}" for days in _AGES))
    return [
        {"lender": lender, **{column: indian_rupees(_rupees(theirs, column)) for column in columns}}
        for lender, theirs in _by_lender(risks).items()
    ]


def _chart(risks: list[Row]) -> ChartWidget:
    """Rupees by lender, split by whether a person must act. The table above says the same in figures."""
    lenders = _by_lender(risks)
    names = {True: "waits for a person", False: "on its way"}
    series = [
        {
            "name": names[person],
            "data": [
                str(_rupees([risk for risk in theirs if risk["needs_person"] is person]))
                for theirs in lenders.values()
            ],
        }
        for person in names
    ]
    options = {
        "xaxis": {"categories": [*lenders]},
        "yaxis": {"title": {"text": "rupees"}, "decimalsInFloat": 0},
        "chart": {"stacked": True, "toolbar": {"show": False}, "animations": {"enabled": False}},
        "plotOptions": {"bar": {"columnWidth": "40%"}},
        "colors": ["#d63939", "#2fb344"],
        "dataLabels": {"enabled": False},
    }
    return ChartWidget("Rupees by lender", "bar", _constant(series), height=_CHART_PIXELS, options=options)


def _line(request: Request, risk: Row) -> dict[str, Any]:
    """One line of the list, with the way to where it is worked on."""
    return {
        **risk,
        "items": indian_number(risk["items"]),
        "rupees": "" if risk["rupees"] is None else indian_rupees(risk["rupees"]),
        "url": _url(request, risk),
    }


def _by_lender(risks: list[Row]) -> dict[str, list[Row]]:
    lenders: dict[str, list[Row]] = defaultdict(list)
    for risk in sorted(risks, key=lambda risk: str(risk["lender"] or _NO_LENDER)):
        lenders[risk["lender"] or _NO_LENDER].append(risk)
    return lenders


def _url(request: Request, risk: Row) -> str:
    condition = risk["filter"] + (f" AND lender__is={risk['lender']}" if risk["lender"] else "")
    address = request.url_for("console:list", key=risk["page"]).include_query_params(filter=condition)
    return str(address)


def _rupees(risks: list[Row], column: str = "rupees") -> Decimal:
    return sum((risk[column] or Decimal(0) for risk in risks), Decimal(0))


def _constant(value: Any) -> Callable[[Request], Awaitable[Any]]:
    async def answer(_request: Request) -> Any:
        return value

    return answer
