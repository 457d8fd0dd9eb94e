"""Rupees and paise. Money is integer paise inside, rupees text with two decimals at the edges, never a float."""

from decimal import ROUND_HALF_EVEN, Decimal

PAISE_PER_RUPEE = 100
_PAISA = Decimal("0.01")


class AmountError(ValueError):
    """An amount that is not a finite number of whole paise."""


def rupees(value: Decimal | int | str) -> Decimal:
    """Return `value` (rupees) as a Decimal with exactly two decimals.

    Raises AmountError for text that is no plain number and for fractions of a paisa: nothing is rounded away.
    """
    try:
        amount = Decimal(value)
    except ArithmeticError as error:
        raise AmountError(f"{value!r} is not an amount in rupees") from error
    if not amount.is_finite():
        raise AmountError(f"{value!r} is not an amount in rupees")
    exact = amount.quantize(_PAISA, rounding=ROUND_HALF_EVEN)
    if exact != amount:
        raise AmountError(f"{value!r} rupees holds a fraction of a paisa")
    return exact


def rupees_to_paise(value: Decimal | int | str) -> int:
    """Rupees to integer paise; raises AmountError as `rupees` does."""
    return int(rupees(value) * PAISE_PER_RUPEE)


def paise_to_rupees(paise: int) -> Decimal:
    """Integer paise to rupees with exactly two decimals."""
    return (Decimal(paise) / PAISE_PER_RUPEE).quantize(_PAISA)


def canonical_amount(value: Decimal | int | str) -> str:
    """The amount's text inside keys and RAW: rupees, exactly two decimals, no grouping (`5499.00`)."""
    return f"{rupees(value):f}"


def indian_rupees(value: Decimal) -> str:
    """Rupees for a person, grouped the Indian way: `1,23,456.00`."""
    sign, digits = ("-", -value) if value < 0 else ("", value)
    whole, _, fraction = f"{rupees(digits):f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    pairs: list[str] = []
    while head:
        pairs.insert(0, head[-2:])
        head = head[:-2]
    return f"{sign}{','.join([*pairs, tail])}.{fraction}"


def indian_number(value: int) -> str:
    """A count for a person, grouped the Indian way: `1,23,456`."""
    return indian_rupees(Decimal(value)).removesuffix(".00")
