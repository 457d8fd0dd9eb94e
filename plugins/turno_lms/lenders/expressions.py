"""The arithmetic of a mapping's `compute`: sums, differences, multiples and bounds of amounts.

A formula is parsed to Python's syntax tree and only the nodes below pass; nothing is ever evaluated as Python.
Amounts are integer paise, so every result is exact. What would leave a fraction of a paisa (a division, a rate) stands
inside a function that says how it is rounded: `half_up(amount * 0.18)`.
"""

import ast
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, cast, get_args

from turno_lms.domain.money import AmountError, rupees_to_paise

MAX_FORMULA = 200
MAX_MULTIPLE = 1000
MAX_CONSTANT = 10_000_000
MAX_RATE = 100
RATE_DECIMALS = 4
Operator = Literal["+", "-", "*"]
Rounding = Literal["half_up", "half_even", "down", "up"]
"""To the nearest paisa, a half away from zero or to the even one; always towards zero; always away from it."""
Bound = Literal["min", "max"]
_OPERATORS: dict[type[ast.operator], Operator] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


class FormulaError(ValueError):
    """A formula that is not plain arithmetic on amounts."""


@dataclass(frozen=True)
class Amount:
    """An amount column, by name."""

    name: str


@dataclass(frozen=True)
class Constant:
    """A constant sum, in paise."""

    paise: int


@dataclass(frozen=True)
class Multiple:
    """An amount taken a whole number of times."""

    times: int
    of: "Formula"


@dataclass(frozen=True)
class Sum:
    """Left plus, or minus, right."""

    operator: Literal["+", "-"]
    left: "Formula"
    right: "Formula"


@dataclass(frozen=True)
class Extreme:
    """The least or the greatest of several."""

    bound: Bound
    of: tuple["Formula", ...]


@dataclass(frozen=True)
class Share:
    """An amount times numerator over denominator, rounded to whole paise as said."""

    rounding: Rounding
    of: "Formula"
    numerator: int
    denominator: int


Formula = Amount | Constant | Multiple | Sum | Extreme | Share


def parse_formula(text: str) -> Formula:
    """Parse `text`, such as `net + fee + tax`. Raises FormulaError naming the part that is not allowed."""
    if len(text) > MAX_FORMULA:
        raise FormulaError(f"longer than {MAX_FORMULA} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(f"{text!r} is not arithmetic") from error
    return _formula(tree.body, text.strip())


def amounts_in(formula: Formula) -> frozenset[str]:
    """The names of the amount columns a formula reads."""
    if isinstance(formula, Amount):
        return frozenset({formula.name})
    if isinstance(formula, Multiple | Share):
        return amounts_in(formula.of)
    if isinstance(formula, Sum):
        return amounts_in(formula.left) | amounts_in(formula.right)
    if isinstance(formula, Extreme):
        return frozenset[str]().union(*map(amounts_in, formula.of))
    return frozenset()


def _formula(node: ast.expr, text: str) -> Formula:
    if isinstance(node, ast.Name):
        return Amount(node.id)
    if isinstance(node, ast.Constant):
        return Constant(_constant_paise(node, text))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return Multiple(-1, _formula(node.operand, text))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _operation(node, _OPERATORS[type(node.op)], text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node, node.func.id, text)
    advice = "use names of amount columns, numbers, +, - and *, min, max"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        advice = (
            f"a division says how it is rounded: one of {', '.join(get_args(Rounding))}, as in half_up(a / 3)"
        )
    raise FormulaError(f"{_source(node, text)!r} is not allowed: {advice}")


def _operation(node: ast.BinOp, operator: Operator, text: str) -> Formula:
    if operator != "*":
        return Sum(operator, _formula(node.left, text), _formula(node.right, text))
    if isinstance(node.left, ast.Constant):
        return Multiple(_whole_number(node.left, text), _formula(node.right, text))
    return Multiple(_whole_number(node.right, text), _formula(node.left, text))


def _call(node: ast.Call, function: str, text: str) -> Formula:
    if function in get_args(Bound) and len(node.args) > 1:
        return Extreme(cast(Bound, function), tuple(_formula(part, text) for part in node.args))
    if function in get_args(Rounding) and len(node.args) == 1:
        return _share(node.args[0], cast(Rounding, function), text)
    known = "min(a, b), max(a, b), and half_up, half_even, down or up around one division or rate"
    raise FormulaError(f"{_source(node, text)!r} is not allowed: the functions are {known}")


def _share(node: ast.expr, rounding: Rounding, text: str) -> Formula:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return Share(rounding, _formula(node.left, text), 1, _divisor(node.right, text))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        rate, of = (node.left, node.right) if isinstance(node.left, ast.Constant) else (node.right, node.left)
        scale = 10**RATE_DECIMALS
        return Share(rounding, _formula(of, text), int(_rate(rate, text) * scale), scale)
    raise FormulaError(
        f"{_source(node, text)!r} leaves nothing to round: {rounding} stands around a / number or a * rate"
    )


def _divisor(node: ast.expr, text: str) -> int:
    number = _whole_number(node, text)
    if number == 0:
        raise FormulaError(f"{_source(node, text)!r}: nothing is divided by zero")
    return number


def _rate(node: ast.expr, text: str) -> Decimal:
    number = _number(node, text) if isinstance(node, ast.Constant) else None
    if number is None or number > MAX_RATE or number != round(number, RATE_DECIMALS):
        raise FormulaError(
            f"{_source(node, text)!r}: a rate is a number up to {MAX_RATE} with at most {RATE_DECIMALS} decimals"
        )
    return number


def _constant_paise(node: ast.Constant, text: str) -> int:
    number = _number(node, text)
    if number > MAX_CONSTANT:
        raise FormulaError(f"{_source(node, text)!r}: a constant goes up to {MAX_CONSTANT} rupees")
    try:
        return rupees_to_paise(number)
    except AmountError as error:
        raise FormulaError(f"{_source(node, text)!r} is not a sum in rupees and paise") from error


def _whole_number(node: ast.expr, text: str) -> int:
    number = _number(node, text) if isinstance(node, ast.Constant) else None
    if number is None or number != int(number) or number > MAX_MULTIPLE:
        raise FormulaError(
            f"{_source(node, text)!r}: an amount is multiplied or divided only by a whole number up to {MAX_MULTIPLE}"
        )
    return int(number)


def _number(node: ast.Constant, text: str) -> Decimal:
    """The number as it is written: from the text, since Python's own literal would be a float."""
    written = _source(node, text)
    if not all(character in "0123456789." for character in written) or written == ".":
        raise FormulaError(f"{written!r} is not a number")
    return Decimal(written)


def _source(node: ast.expr, text: str) -> str:
    return cast(str, ast.get_source_segment(text, node))
