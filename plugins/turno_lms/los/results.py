"""The result of an operation: fields by the registry's paths, from what Fineract shows afterwards. No personal data."""

from decimal import Decimal
from typing import Any

from turno_lms.domain.money import canonical_amount
from turno_lms.fineract.repayments import iso_date
from turno_lms.los.model import Json, Subject, View
from turno_lms.los.registry import Operation
from turno_lms.los.schedule import figures_of


def result_of(operation: Operation, view: View) -> Json:
    """Rupees and days as text; what Fineract does not show is left out."""
    source = view.client if operation.subject is Subject.CLIENT else view.loan
    result: Json = {}
    for name, path in operation.results:
        value = _at(source or {}, path)
        if name == "schedule":
            figures = figures_of(value)
            result |= figures.to_dict() if figures else {}
        elif value is not None:
            result[name] = value if name.endswith("_id") else _plain(value)
    return result


def _at(source: Any, path: str) -> Any:
    for step in path.split("."):
        source = source.get(step) if isinstance(source, dict) else None
    return source


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        day = iso_date(value)
        return day.isoformat() if day else None
    return canonical_amount(value) if isinstance(value, Decimal | int) else value
