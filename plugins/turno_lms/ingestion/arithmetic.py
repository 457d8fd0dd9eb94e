"""The formulas of a mapping's `compute` as expressions over integer paise: exact, and null rather than out of range."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turno_lms.ingestion.columns import MAX_PAISE
from turno_lms.lenders.expressions import Amount, Constant, Extreme, Formula, Multiple, Share, Sum

if TYPE_CHECKING:
    import polars as pl


def computed(formula: Formula) -> pl.Expr:
    """The paise that a formula gives; null where a part is unreadable, or it or a step of it is out of range."""
    return _in_range(_paise(formula))


def _in_range(paise: pl.Expr) -> pl.Expr:
    """Null at a thousand crore and more. Nothing greater is ever added or multiplied, by a thousand at most: what is
    tested here has not overrun 64 bits before.
    """
    import polars as pl

    return pl.when(paise.abs() < MAX_PAISE).then(paise)


def _paise(formula: Formula) -> pl.Expr:
    import polars as pl

    if isinstance(formula, Amount):
        return pl.col(formula.name)
    if isinstance(formula, Constant):
        return pl.lit(formula.paise, dtype=pl.Int64)
    if isinstance(formula, Multiple):
        return _in_range(_paise(formula.of)) * formula.times
    if isinstance(formula, Share):
        return _rounded(formula)
    if isinstance(formula, Extreme):
        return _extreme(formula)
    return _sum(formula)


def _sum(formula: Sum) -> pl.Expr:
    left, right = _in_range(_paise(formula.left)), _in_range(_paise(formula.right))
    return left + right if formula.operator == "+" else left - right


def _extreme(formula: Extreme) -> pl.Expr:
    """The least or greatest part; null if any part is: an unreadable one might have been it."""
    import polars as pl

    parts = [_paise(part) for part in formula.of]
    found = pl.min_horizontal(parts) if formula.bound == "min" else pl.max_horizontal(parts)
    return pl.when(pl.all_horizontal(part.is_not_null() for part in parts)).then(found)


def _rounded(formula: Share) -> pl.Expr:
    """Whole paise of a fraction, worked out on its size and given its sign back: alike on both sides of zero."""
    import polars as pl

    paise = _in_range(_paise(formula.of))
    scaled, divisor = paise.abs() * formula.numerator, formula.denominator
    down, rest = scaled // divisor, scaled % divisor
    up = {
        "down": pl.lit(value=False),
        "up": rest > 0,
        "half_up": rest * 2 >= divisor,
        "half_even": (rest * 2 > divisor) | ((rest * 2 == divisor) & (down % 2 == 1)),
    }[formula.rounding]
    size = down + up.cast(pl.Int64)
    return pl.when(paise < 0).then(-size).otherwise(size)
