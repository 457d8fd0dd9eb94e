"""Formulas are plain, exact arithmetic on amounts and nothing else."""

import pytest

from turno_lms.lenders.expressions import (
    Amount,
    Constant,
    FormulaError,
    Multiple,
    Sum,
    amounts_in,
    parse_formula,
)


def test_precedence_is_that_of_arithmetic() -> None:
    assert parse_formula("net + 2 * fee - 1.50") == Sum(
        "-", Sum("+", Amount("net"), Multiple(2, Amount("fee"))), Constant(150)
    )


def test_brackets_and_signs() -> None:
    assert parse_formula("-(net - fee) * 3") == Multiple(
        3, Multiple(-1, Sum("-", Amount("net"), Amount("fee")))
    )


def test_constants_are_exact_rupees() -> None:
    assert parse_formula("0.1 + 0.2") == Sum("+", Constant(10), Constant(20))


def test_the_amounts_a_formula_reads() -> None:
    assert amounts_in(parse_formula("net + 2 * (fee - tax) + 1")) == {"net", "fee", "tax"}


@pytest.mark.parametrize(
    "text",
    [
        "", "net +", "net / 2", "net ** 2", "net % 2", "net // 2", "net if fee else tax", "net and fee", "net < fee",
        "f(net)", "min(net)", "max()", "half_up(net)", "half_up(net + fee)", "half_up(net / 0)", "half_up(net / fee)",
        "half_up(net * 0.00001)", "half_up(net * 101)", "min(net, key=fee)", "round(net / 2)", "half_up(net / 2) / 2", "99999999", ".",
        "net.real", "net[0]", "[net]", "'net'", "True", "None", "1e3", "0x10", "1_000", "1j", "0.005",
        "net * 0.18", "net * fee", "net * -2", "net * 1001", "(lambda: 1)()", "net := fee", "*net", "net; fee",
        "__import__('os')", "net" + " + net" * 60, "(" * 100 + "net" + ")" * 100,
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        parse_formula(text)
