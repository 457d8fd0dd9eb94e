"""JSON whose numbers stay exact: a fraction is a Decimal in both directions, never a float."""

import json
from datetime import date
from decimal import Decimal
from typing import Any


def loads(text: str) -> Any:
    """Parse JSON; numbers with a fraction become Decimal. Raises ValueError for anything that is no JSON."""
    return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def dumps(value: Any) -> str:
    """Write JSON: a Decimal as a plain number with the digits it has, a date as `YYYY-MM-DD`.

    Raises TypeError for a float, whose digits would be a guess.
    """
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(dumps, value)) + "]"
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, date):
        return f'"{value:%Y-%m-%d}"'
    if value is None or isinstance(value, str | int):
        return json.dumps(value)
    raise TypeError(f"{value!r} has no exact JSON form")
