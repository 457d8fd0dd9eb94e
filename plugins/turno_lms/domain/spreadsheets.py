"""What spreadsheet programs do to text: how ours is kept from running in them, and what they did to others'."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

GUARD = r"""^(?:'|="?)|"$"""
"""What keeps a number as text in a spreadsheet: ' or ="..." around it."""
ROUNDED = r"^\d(?:\.\d+)?[Ee]\+?\d+$"
"""A long number as a spreadsheet has rounded it (5.02E+13): its last digits are lost."""

_SERIAL = re.compile(r"(\d{5})(?:\.\d+)?")
_DAY_ZERO = date(1899, 12, 30)
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


def exact_reference(text: str) -> str:
    """A reference without a spreadsheet's guards. Raises ValueError for one that it has rounded."""
    bare = re.sub(GUARD, "", text.strip()).strip()
    if re.match(ROUNDED, bare):
        raise ValueError(f"{bare} was a longer number: a spreadsheet has cut its digits off")
    return bare


def serial_day(text: str) -> date | None:
    """The day that a spreadsheet's serial number stands for (46027 is 2026-01-05); None for any other text."""
    found = _SERIAL.fullmatch(text)
    return _DAY_ZERO + timedelta(days=int(found[1])) if found else None
