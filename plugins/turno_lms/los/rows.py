"""A row of a file or form as a submission: cells to the types its schema asks for; the schema judges the rest."""

import json
from typing import Any

from turno_lms.los.schemas import schema_of


def payload_of(operation: str, cells: dict[str, Any]) -> dict[str, Any]:
    """The submission that a row of texts means: blank cells are absent, `charge.amount` is a field inside `charge`."""
    payload: dict[str, Any] = {}
    schema = schema_of(operation)
    for heading, cell in cells.items():
        text = cell.strip() if isinstance(cell, str) else cell
        if text in ("", None):
            continue
        *parents, name = heading.strip().split(".")
        place = payload
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = _typed(text, _declared(schema, [*parents, name]))
    return payload


def _declared(schema: dict[str, Any], path: list[str]) -> str | None:
    """The type that the schema declares for a field, through its references."""
    part: dict[str, Any] = schema
    for name in path:
        part = _resolved(part.get("properties", {}).get(name, {}), schema)
    return part.get("type")


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else part


def _typed(text: Any, declared: str | None) -> Any:
    if not isinstance(text, str):
        return text
    if declared == "integer" and text.isascii() and text.isdigit():
        return int(text)
    if declared in {"array", "object"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
