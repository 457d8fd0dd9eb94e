"""Money: exact, in paise inside and in two-decimal rupees outside."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turno_lms.domain import money


@given(st.integers(-(10**15), 10**15))
def test_paise_to_rupees_and_back_is_the_same_paise(paise: int) -> None:
    assert money.rupees_to_paise(money.paise_to_rupees(paise)) == paise


@pytest.mark.parametrize("text", ["12.345", "0.001", "NaN", "Infinity", "", "1,234.00", "12 rupees"])
def test_what_is_not_whole_paise_is_refused_and_never_rounded(text: str) -> None:
    with pytest.raises(money.AmountError):
        money.rupees(text)


def test_canonical_amount_always_has_two_decimals_and_no_grouping() -> None:
    assert money.canonical_amount("5499") == "5499.00"
    assert money.canonical_amount(Decimal("5499.5")) == "5499.50"
    assert money.canonical_amount("1E+5") == "100000.00"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0", "0.00"),
        ("999.9", "999.90"),
        ("1000", "1,000.00"),
        ("123456", "1,23,456.00"),
        ("12345678.9", "1,23,45,678.90"),
        ("-123456.01", "-1,23,456.01"),
    ],
)
def test_rupees_are_grouped_the_indian_way(value: str, shown: str) -> None:
    assert money.indian_rupees(Decimal(value)) == shown


def test_counts_are_grouped_the_indian_way() -> None:
    assert [money.indian_number(count) for count in (0, 999, 1000, 1234567)] == [
        "0",
        "999",
        "1,000",
        "12,34,567",
    ]
