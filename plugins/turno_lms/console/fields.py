"""How values look: rupees in Indian grouping, moments and dates in IST, states as words."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette_admin import RequestAction
from starlette_admin.fields import JSONField, StringField

from turno_lms.console.filters import DateBetween, Equals, GreaterEqual, IsEmpty, LessEqual, StartsWith
from turno_lms.domain.dates import IST
from turno_lms.domain.money import indian_number, indian_rupees, paise_to_rupees

_SHOWN = (RequestAction.LIST, RequestAction.DETAIL)


def _show(how: Callable[[Any], str]) -> dict[RequestAction, Callable[[Request, Any], Any]]:
    """The value as `how` says on pages; files of the same rows hold it in one plain form (see exports)."""
    return dict.fromkeys(_SHOWN, lambda _request, value: None if value is None else how(value))


def ist_time(moment: datetime) -> str:
    """A moment as people in India write it."""
    return f"{moment.astimezone(IST):%d %b %Y, %H:%M:%S}"


FILTERS: dict[str, Callable[[Any], str]] = {
    "indian": lambda amount: indian_rupees(Decimal(amount)),
    "paise": lambda paise: indian_rupees(paise_to_rupees(paise)),
    "grouped": indian_number,
    "ist": ist_time,
}
"""The same for templates: rupees, paise as rupees, counts, moments."""


def text(name: str, label: str | None = None, **options: Any) -> StringField:
    """Text, found by its beginning or as a whole."""
    return StringField(name, label=label, filters=[Equals, StartsWith, IsEmpty], **options)


def state(name: str, label: str | None = None, **options: Any) -> StringField:
    """A word of a small set, such as a state or a reason: shown as a badge with the word in it."""
    return StringField(
        name,
        label=label,
        filters=options.pop("filters", [Equals]),
        list_template="fields/badge.html",
        detail_template="fields/badge.html",
        **options,
    )


def run(name: str, label: str | None = None, **options: Any) -> StringField:
    """A DAG run as the warehouse names it (`dag/run`): a way to the run's page."""
    return StringField(
        name,
        label=label,
        filters=[Equals, StartsWith, IsEmpty],
        list_template="fields/run.html",
        detail_template="fields/run.html",
        **options,
    )


def number(name: str, label: str | None = None, **options: Any) -> StringField:
    """A count."""
    return StringField(
        name,
        label=label,
        filters=[Equals, GreaterEqual, LessEqual],
        list_template="fields/number.html",
        formatter=_show(indian_number),
        **options,
    )


def rupees(name: str, label: str | None = None, **options: Any) -> StringField:
    """An amount in rupees (numeric in the warehouse)."""
    return StringField(
        name,
        label=label,
        filters=[Equals, GreaterEqual, LessEqual],
        list_template="fields/number.html",
        formatter=_show(lambda value: indian_rupees(Decimal(value))),
        **options,
    )


def moment(name: str, label: str | None = None, **options: Any) -> StringField:
    """A moment (timestamptz), shown in IST."""
    return StringField(name, label=label, filters=[DateBetween], formatter=_show(ist_time), **options)


def day(name: str, label: str | None = None, **options: Any) -> StringField:
    """A business date (IST)."""
    return StringField(name, label=label, filters=[DateBetween], formatter=_show(date.isoformat), **options)


def document(name: str, label: str | None = None) -> JSONField:
    """A JSON value, on the row's own page only."""
    return JSONField(name, label=label, exclude_from_list=True, exclude_from_export=True)
