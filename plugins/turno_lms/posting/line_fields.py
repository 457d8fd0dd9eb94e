"""Fields of a line that a person typed or exported: read strictly, faults collected for all lines."""

from datetime import date
from decimal import Decimal

from turno_lms.domain.money import AmountError, rupees


def read_amount(line: int, text: str, faults: list[str]) -> Decimal | None:
    """Rupees above zero, with at most two decimals; None adds a fault that names the line."""
    try:
        amount = rupees(text)
    except AmountError:
        faults.append(
            f"line {line}: amount {text!r} is not rupees with at most two decimals, such as 5499.00"
        )
        return None
    if amount <= 0:
        faults.append(f"line {line}: amount {text} is not above zero")
        return None
    return amount


def read_day(line: int, text: str, faults: list[str]) -> date | None:
    """A day written as 2026-01-31; None adds a fault that names the line."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        faults.append(f"line {line}: date {text!r} is not a day written as 2026-01-31")
        return None
