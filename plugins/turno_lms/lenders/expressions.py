"""The arithmetic of a mapping's `compute`: sums, differences and whole multiples of amounts.

A formula is parsed to Python's syntax tree and only the nodes below pass; nothing is ever evaluated as Python.
Amounts are integer paise, so every result is exact: there is no division and no fraction to round.
"""

import ast
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, cast

from turno_lms.domain.money import AmountError, rupees_to_paise

MAX_FORMULA = 200
MAX_MULTIPLE = 1000
Operator = Literal["+", "-", "*"]
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


Formula = Amount | Constant | Multiple | Sum


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
    if isinstance(formula, Multiple):
        return amounts_in(formula.of)
    if isinstance(formula, Sum):
        return amounts_in(formula.left) | amounts_in(formula.right)
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
    raise FormulaError(
        f"{_source(node, text)!r} is not allowed: use names of amount columns, numbers, +, - and *"
    )


def _operation(node: ast.BinOp, operator: Operator, text: str) -> Formula:
    if operator != "*":
        return Sum(operator, _formula(node.left, text), _formula(node.right, text))
    if isinstance(node.left, ast.Constant):
        return Multiple(_whole_number(node.left, text), _formula(node.right, text))
    return Multiple(_whole_number(node.right, text), _formula(node.left, text))


def _constant_paise(node: ast.Constant, text: str) -> int:
    try:
        return rupees_to_paise(_number(node, text))
    except AmountError as error:
        raise FormulaError(f"{_source(node, text)!r} is not a sum in rupees and paise") from error


def _whole_number(node: ast.expr, text: str) -> int:
    number = _number(node, text) if isinstance(node, ast.Constant) else None
    if number is None or number != int(number) or number > MAX_MULTIPLE:
        raise FormulaError(
            f"{_source(node, text)!r}: an amount is multiplied only by a whole number up to {MAX_MULTIPLE}"
        )
    return int(number)


def _number(node: ast.Constant, text: str) -> Decimal:
    """The number as it is written: from the text, since Python's own literal would be a float."""
    written = _source(node, text)
    if not all(character in "0123456789." for character in written):
        raise FormulaError(f"{written!r} is not a number")
    return Decimal(written)


def _source(node: ast.expr, text: str) -> str:
    return cast(str, ast.get_source_segment(text, node))
