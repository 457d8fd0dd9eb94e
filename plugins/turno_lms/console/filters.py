"""Filters of the lists, as conditions of psycopg: names of columns are quoted, values are parameters."""

from datetime import date
from typing import Any

from psycopg import sql
from starlette_admin.filters.base import (
    BaseFilter,
    FilterApplyContext,
    FilterDataType,
    FilterGroup,
    FilterRule,
    FilterValidationError,
)
from typing_extensions import override

from turno_lms.domain.dates import IST

Condition = tuple[sql.Composable, list[Any]]


class _Compare(BaseFilter):
    """A column beside one value."""

    data_type = FilterDataType.STRING
    operator: str

    @override
    def apply(self, ctx: FilterApplyContext) -> Condition:
        """The comparison; PostgreSQL reads the text as the column's type."""
        comparison = sql.SQL("{} {} %s").format(sql.Identifier(ctx.field_name), sql.SQL(self.operator))
        return comparison, [ctx.value]


class Equals(_Compare):
    """The column is the value."""

    name = "is"
    label = "is"
    operator = "="


class GreaterEqual(_Compare):
    """The column is the value or more."""

    name = "from"
    label = "is at least"
    operator = ">="


class LessEqual(_Compare):
    """The column is the value or less."""

    name = "to"
    label = "is at most"
    operator = "<="


class StartsWith(BaseFilter):
    """The column begins with the value, as written."""

    name = "starts"
    label = "starts with"
    data_type = FilterDataType.STRING

    @override
    def apply(self, ctx: FilterApplyContext) -> Condition:
        """The condition."""
        return sql.SQL("starts_with({}, %s)").format(sql.Identifier(ctx.field_name)), [ctx.value]


class IsEmpty(BaseFilter):
    """The column has no value."""

    name = "empty"
    label = "is empty"
    data_type = FilterDataType.NONE

    @override
    def apply(self, ctx: FilterApplyContext) -> Condition:
        """The condition."""
        return sql.SQL("{} is null").format(sql.Identifier(ctx.field_name)), []


class NotEnded(BaseFilter):
    """What the row is about is still open, however far a person has come with it (its column `state`)."""

    name = "not_ended"
    label = "has not ended"
    data_type = FilterDataType.NONE

    @override
    def apply(self, ctx: FilterApplyContext) -> Condition:
        """The condition."""
        return sql.SQL("state = 'open'"), []


class DateBetween(BaseFilter):
    """The column's day in India lies between two days, both included."""

    name = "between"
    label = "is between"
    data_type = FilterDataType.DATE
    has_value2 = True

    @override
    def parse_value(self, raw: str) -> date:
        """An ISO date; FilterValidationError for anything else."""
        try:
            return date.fromisoformat(raw)
        except ValueError:
            raise FilterValidationError(f"{raw} is no date: write it as 2026-01-31") from None

    @override
    def apply(self, ctx: FilterApplyContext) -> Condition:
        """Bounds on the column itself, so that an index on it serves."""
        column = sql.Identifier(ctx.field_name)
        bounds = sql.SQL(
            "({0} >= %s::timestamp at time zone %s and {0} < (%s::date + 1)::timestamp at time zone %s)"
        )
        return bounds.format(column), [ctx.value, str(IST), ctx.value2, str(IST)]


def condition(node: FilterGroup | FilterRule, filters: dict[tuple[str, str], type[BaseFilter]]) -> Condition:
    """The condition of a filter tree; `filters` finds the filter of a field by its name."""
    if isinstance(node, FilterRule):
        chosen = filters[node.field, node.filter]()
        applied: Condition = chosen.apply(FilterApplyContext(None, node.field, node.value, node.value2))
        return applied
    parts = [condition(rule, filters) for rule in node.rules]
    if not parts:
        return sql.SQL("true"), []
    joined = sql.SQL(" and " if node.logic == "and" else " or ").join([part for part, _values in parts])
    return sql.SQL("({})").format(joined), [value for _part, values in parts for value in values]
