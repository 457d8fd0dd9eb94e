"""The stand-in's own arithmetic where HTTP would be a detour: schedules, allocation and notation."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_stack.fineract import wire
from local_stack.fineract.allocation import STRATEGIES, Installment, Portions, allocate
from local_stack.fineract.enums import Amortization, Frequency, InterestMethod, InterestPeriod
from local_stack.fineract.schedule import Terms, repayment_schedule

ORDER = STRATEGIES["mifos-standard-strategy"]
START = date(2025, 1, 5)
terms = st.builds(
    Terms,
    principal=st.integers(100_00, 50_00_000_00),
    annual_rate=st.decimals(0, 48, places=2),
    repayments=st.integers(2, 60),
    every=st.integers(1, 3),
    frequency=st.sampled_from([Frequency.WEEKS, Frequency.MONTHS]),
    amortization=st.sampled_from(Amortization),
    interest_method=st.sampled_from(InterestMethod),
    interest_period=st.sampled_from(InterestPeriod),
    disbursed_on=st.dates(date(2020, 1, 1), date(2030, 12, 31)),
    days_in_year=st.sampled_from([1, 360, 365]),
    days_in_month=st.sampled_from([1, 30]),
    principal_grace=st.integers(0, 1),
)


@given(terms)
def test_a_schedule_repays_the_principal_to_the_paisa_in_periods_without_gaps(loan: Terms) -> None:
    periods = repayment_schedule(loan)
    assert sum(p.principal for p in periods) == loan.principal
    assert all(p.principal >= 0 and p.interest >= 0 for p in periods)
    assert [p.from_date for p in periods] == [loan.disbursed_on, *(p.due_date for p in periods[:-1])]
    assert [p.number for p in periods] == list(range(1, len(periods) + 1))


def test_a_long_first_period_is_charged_for_one_regular_month_only() -> None:
    # 36500 at 10 % is 10 a day; the first due date of 15 March makes its month begin on 15 February: 28 days = 280
    loan = Terms(
        principal=36_500_00,
        annual_rate=Decimal(10),
        repayments=5,
        every=1,
        frequency=Frequency.MONTHS,
        amortization=Amortization.EQUAL_PRINCIPAL,
        interest_method=InterestMethod.DECLINING_BALANCE,
        interest_period=InterestPeriod.DAILY,
        disbursed_on=date(2025, 1, 10),
        days_in_year=365,
        first_due=date(2025, 3, 15),
    )
    assert repayment_schedule(loan)[0].interest == 280_00


def _installments() -> list[Installment]:
    due = Portions(principal=1000_00, interest=120_00, fee=30_00, penalty=20_00)
    return [Installment(n, START, date(2025, 1 + n, 5), due) for n in (1, 2)]


def test_penalty_then_fee_then_interest_then_principal_of_the_oldest_installment() -> None:
    # 200 = 20 penalty + 30 fee + 120 interest + 30 principal
    after, paid = allocate(_installments(), 200_00, date(2025, 2, 5), ORDER)
    assert paid == Portions(principal=30_00, interest=120_00, fee=30_00, penalty=20_00)
    assert after[1] == _installments()[1]


def test_a_later_installments_penalty_waits_for_the_older_principal() -> None:
    # 1170 clears the first installment; 25 more pay the second one's penalty of 20 and 5 of its fee
    _, paid = allocate(_installments(), 1195_00, date(2025, 2, 5), ORDER)
    assert paid == Portions(principal=1000_00, interest=120_00, fee=35_00, penalty=40_00)


def test_early_and_late_money_is_counted_by_the_due_date() -> None:
    after, _ = allocate(_installments(), 100_00, date(2025, 2, 4), ORDER)
    after, _ = allocate(after, 50_00, date(2025, 2, 5), ORDER)
    after, _ = allocate(after, 1020_00, date(2025, 2, 6), ORDER)
    assert (after[0].paid_in_advance, after[0].paid_late, after[0].met_on) == (
        100_00,
        1020_00,
        date(2025, 2, 6),
    )


@given(st.lists(st.integers(1, 3000_00), max_size=8))
def test_every_paisa_is_allocated_or_overpaid(amounts: list[int]) -> None:
    installments, total = _installments(), Portions()
    for amount in amounts:
        installments, paid = allocate(installments, amount, date(2025, 2, 5), ORDER)
        assert paid.repaid + paid.overpayment == amount
        total = total.plus(paid)
    assert sum(i.paid.repaid for i in installments) == total.repaid
    assert not (total.overpayment and any(i.outstanding for i in installments))


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en", "1,234,567.5"), ("en_IN", "12,34,567.5"), ("de", "1.234.567,5")],
)
def test_numbers_are_written_and_read_by_locale(locale: str, text: str) -> None:
    found = wire.number_locale(locale)
    assert found is not None
    assert found.format(Decimal("1234567.50")) == text
    assert found.parse(text) == Decimal("1234567.5")


@pytest.mark.parametrize(
    ("text", "pattern", "day"),
    [
        ("2025-02-28", "yyyy-MM-dd", date(2025, 2, 28)),
        ("28 February 2025", "dd MMMM yyyy", date(2025, 2, 28)),
        ("5-feb-25", "d-MMM-yy", date(2025, 2, 5)),
        ("2025-02-29", "yyyy-MM-dd", None),
        ("2025-2-28", "yyyy-MM-dd", None),
        ("28/02/2025", "dd-MM-yyyy", None),
        ("2025-02-28", "no pattern", None),
        ("2025-02", "yyyy-MM", None),
    ],
)
def test_dates_are_read_strictly_by_their_pattern(text: str, pattern: str, day: date | None) -> None:
    assert wire.parse_date(text, pattern) == day


def test_sums_reach_the_wire_digit_for_digit() -> None:
    assert wire.encode({"amount": wire.rupees(100_10)}) == b'{"amount":100.100000}'
    assert wire.decode(b'{"amount":0.1}') == {"amount": Decimal("0.1")}
