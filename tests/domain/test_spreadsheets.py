"""Cells that a spreadsheet program shows and does not run."""

from datetime import date
from decimal import Decimal

import pytest

from turno_lms.domain.spreadsheets import safe_cell


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "+-1", "-"]
)
def test_text_that_starts_a_formula_is_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "value", ["GB100001", "-12.50", "+7", "", "a=b", -5, Decimal("-1.50"), date(2026, 1, 5), None]
)
def test_everything_else_stays_what_it_is(value: object) -> None:
    assert safe_cell(value) == value  # type: ignore[arg-type]
