"""No amount passes through a float on its way to or from Fineract."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turno_lms.fineract import exact_json

MONEY = st.decimals(min_value=-(10**16), max_value=10**16, places=2, allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | MONEY,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_is_written_is_read_back_digit_for_digit(value: object) -> None:
    assert exact_json.loads(exact_json.dumps(value)) == value


def test_an_amount_keeps_its_digits() -> None:
    # a float would make 9007199254740993.10 of neither digit after the point, and 0.1 + 0.2 of a third
    text = exact_json.dumps({"amount": Decimal("9007199254740993.10")})
    assert text == '{"amount":9007199254740993.10}'
    assert exact_json.loads('{"amount": 0.1}')["amount"] + exact_json.loads("0.2") == Decimal("0.3")


def test_dates_are_written_as_fineract_is_told_to_read_them() -> None:
    assert json.loads(exact_json.dumps({"on": date(2026, 1, 5)})) == {"on": "2026-01-05"}


@pytest.mark.parametrize("value", [0.1, Decimal("NaN"), Decimal("Infinity"), object()])
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no exact JSON form"):
        exact_json.dumps([value])


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "<html>", ""])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        exact_json.loads(text)
