"""The keys of a payment: fixed check values, canonical text, and what must never collide."""

import hashlib
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turno_lms.domain import keys

loan_ids = st.from_regex(r"[A-Z]{2,3}[0-9]{6}", fullmatch=True)
dates = st.dates(date(2000, 1, 1), date(2100, 12, 31))
amounts = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("99999999.99"), places=2)


@pytest.mark.parametrize(
    ("loan_id", "day", "amount", "expected"),
    [
        ("GB100234", date(2026, 1, 5), "5499.00", "aeadc250024562542b3ed6ba8b557226"),
        ("GB100777", date(2026, 1, 6), "2000.00", "d5bd4d37a1d2660a0a4671f353bd420d"),
        ("GB100234", date(2026, 2, 1), "1234.56", "5b0f9905f5b890fc310547a190344f88"),
        ("UGR200160", date(2026, 1, 7), "123456.00", "173946843ee79cd426f02c95377b986f"),
    ],
)
def test_recon_match_key_has_the_agreed_check_values(
    loan_id: str, day: date, amount: str, expected: str
) -> None:
    assert keys.recon_match_key(loan_id, day, amount) == expected


def test_source_key_is_the_match_key_text_with_the_lender_before_it() -> None:
    by_hand = hashlib.md5(b"gbGB1002342026-01-055499.00", usedforsecurity=False).hexdigest()
    assert keys.source_key(" GB ", "gb100234", date(2026, 1, 5), Decimal(5499)) == by_hand


@given(loan_ids, dates, amounts)
def test_keys_do_not_depend_on_how_the_text_was_written(loan_id: str, day: date, amount: Decimal) -> None:
    plain = keys.recon_match_key(loan_id, day, amount)
    assert keys.recon_match_key(f"  {loan_id.lower()} ", day, f"{amount:.2f}") == plain
    assert keys.recon_match_key(loan_id, day, amount.normalize()) == plain


@given(loan_ids, dates, amounts)
def test_another_day_or_another_paisa_is_another_key(loan_id: str, day: date, amount: Decimal) -> None:
    key = keys.source_key("gb", loan_id, day, amount)
    assert keys.source_key("gb", loan_id, day + timedelta(days=1), amount) != key
    assert keys.source_key("gb", loan_id, day, amount + Decimal("0.01")) != key
    assert keys.source_key("ugro", loan_id, day, amount) != key


def test_posting_key_names_occurrence_and_correction_only_when_there_is_one() -> None:
    assert keys.posting_key("k") == "k"
    assert keys.posting_key("k", occurrence=2) == "k-o2"
    assert keys.posting_key("k", occurrence=3, correction=1) == "k-o3-r1"
    with pytest.raises(ValueError, match="at least 1"):
        keys.posting_key("k", occurrence=0)


@given(st.integers(1, 999), st.integers(0, 99), st.integers(1, 99))
def test_every_idempotency_key_in_use_fits_fineracts_column(
    occurrence: int, correction: int, attempt: int
) -> None:
    header = keys.idempotency_key(keys.posting_key("0" * 32, occurrence, correction), attempt)
    assert len(header) <= 50
    assert header.endswith(f"-a{attempt}")


def test_a_key_too_long_for_fineract_is_refused_here_rather_than_there() -> None:
    with pytest.raises(ValueError, match="50"):
        keys.idempotency_key("x" * 48, 1)
