"""Text that a spreadsheet program will show and not run."""

from datetime import date, datetime
from decimal import Decimal

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Cell = str | int | Decimal | date | datetime | bool | None


def safe_cell(value: Cell) -> Cell:
    """`value` as it may stand in a CSV or workbook: text that would start a formula gets an apostrophe before it.

    Numbers, days and blanks stay what they are, and so does text that is a plain number with a sign.
    """
    if not isinstance(value, str) or not value.lstrip(" ").startswith(_STARTS_A_FORMULA):
        return value
    return value if _is_number(value) else f"'{value}"


def _is_number(text: str) -> bool:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    whole, _, fraction = digits.partition(".")
    return (
        whole.isascii() and whole.isdigit() and (not fraction or (fraction.isascii() and fraction.isdigit()))
    )
