"""Repayment schedules of cumulative loans without interest recalculation. Pure; all sums are whole paise.

Rules, as Fineract applies them: rates carry 19 significant digits; every sum is rounded half-even to the
currency's digits when it is made; the installment (equal installments) or the principal part (equal
principal, flat) is worked out once and the last period absorbs what rounding left; `multiples_of` rounds the
installment, so a schedule that rounds up may end early.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import Final

from local_stack.fineract.enums import Amortization, Frequency, InterestMethod, InterestPeriod

ACTUAL: Final = 1
_PAISE_PER_RUPEE: Final = 100
_MONTHS_IN_YEAR: Final = 12
_DAYS_IN_MONTH: Final = 30
_RATES: Final = Context(prec=19, rounding=ROUND_HALF_EVEN)
_POWERS: Final = Context(prec=50, rounding=ROUND_HALF_EVEN)
_PERIODS_IN_YEAR: Final = {
    Frequency.DAYS: 365,
    Frequency.WEEKS: 52,
    Frequency.MONTHS: 12,
    Frequency.YEARS: 1,
}
_DAYS_IN_UNIT: Final = {Frequency.DAYS: 1, Frequency.WEEKS: 7, Frequency.MONTHS: 30, Frequency.YEARS: 365}


class ScheduleError(ValueError):
    """Terms that no schedule satisfies: the installment does not even cover the interest."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a schedule is computed from. Principal in paise, the rate in percent a year, `multiples_of` in rupees.

    `days_in_year` and `days_in_month` are Fineract's types: 1 means actual. `first_due` moves the whole
    calendar of due dates.
    """

    principal: int
    annual_rate: Decimal
    repayments: int
    every: int
    frequency: Frequency
    amortization: Amortization
    interest_method: InterestMethod
    interest_period: InterestPeriod
    disbursed_on: date
    days_in_year: int = ACTUAL
    days_in_month: int = ACTUAL
    principal_grace: int = 0
    multiples_of: int | None = None
    first_due: date | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """One repayment period: what falls due on `due_date`, in paise. Interest runs from `interest_from`."""

    number: int
    from_date: date
    due_date: date
    principal: int
    interest: int


def repayment_schedule(terms: Terms) -> tuple[Period, ...]:
    """The periods of a loan with these terms; raises ScheduleError when an installment is less than its interest."""
    flat = terms.interest_method is InterestMethod.FLAT
    return tuple(_flat(terms) if flat else _declining(terms))


def shift(start: date, frequency: Frequency, count: int, anchor_day: int) -> date:
    """`start` moved by `count` units; months and years keep `anchor_day`, or the last day of a shorter month."""
    if frequency is Frequency.DAYS:
        return start + timedelta(days=count)
    if frequency is Frequency.WEEKS:
        return start + timedelta(weeks=count)
    months = count * (_MONTHS_IN_YEAR if frequency is Frequency.YEARS else 1)
    year, month = divmod(start.year * _MONTHS_IN_YEAR + start.month - 1 + months, _MONTHS_IN_YEAR)
    return date(year, month + 1, min(anchor_day, monthrange(year, month + 1)[1]))


def _due_dates(terms: Terms) -> list[date]:
    seed = terms.first_due or terms.disbursed_on
    first = 0 if terms.first_due else 1
    return [
        shift(seed, terms.frequency, (first + index) * terms.every, seed.day)
        for index in range(terms.repayments)
    ]


def _spans(terms: Terms) -> Iterator[tuple[int, date, date]]:
    start = terms.disbursed_on
    for number, due in enumerate(_due_dates(terms), start=1):
        yield number, start, due
        start = due


def _declining(terms: Terms) -> Iterator[Period]:
    equal_principal = terms.amortization is Amortization.EQUAL_PRINCIPAL
    share = _equal_share(terms) if equal_principal else _installment(terms)
    balance = terms.principal
    for number, start, due in _spans(terms):
        interest = _percentage(balance, _period_rate(terms, _interest_start(terms, start, due), due))
        part = share if equal_principal else share - interest
        if part < 0:
            raise ScheduleError(f"installment {number} is less than its interest")
        principal = _capped(
            0 if number <= terms.principal_grace else part, balance, number == terms.repayments
        )
        yield Period(number, start, due, principal, interest)
        balance -= principal
        if not balance:
            return


def _flat(terms: Terms) -> Iterator[Period]:
    interest_left = _percentage(terms.principal, _flat_rate(terms))
    interest_part = _rounded(Decimal(interest_left) / terms.repayments)
    principal_part = _flat_principal(terms, interest_part)
    balance = terms.principal
    for number, start, due in _spans(terms):
        last = number == terms.repayments
        interest = _capped(interest_part, interest_left, last)
        principal = _capped(0 if number <= terms.principal_grace else principal_part, balance, last)
        yield Period(number, start, due, principal, interest)
        balance -= principal
        interest_left -= interest
        if not balance:
            return


def _capped(amount: int, left: int, last: bool) -> int:
    return left if last else min(amount, left)


def _equal_share(terms: Terms) -> int:
    return _rounded(Decimal(terms.principal) / (terms.repayments - terms.principal_grace))


def _flat_principal(terms: Terms, interest_part: int) -> int:
    share = _equal_share(terms)
    if terms.multiples_of is None:
        return share
    # the installment as a whole lands on the multiple, so the principal part gives back what the interest part lost
    return (
        _in_multiples(share, terms.multiples_of)
        + _in_multiples(interest_part, terms.multiples_of)
        - interest_part
    )


def _installment(terms: Terms) -> int:
    """The equal installment P*r*(1+r)^n / ((1+r)^n - 1), n counting only the periods that repay principal."""
    rate = _installment_rate(terms)
    count = terms.repayments - terms.principal_grace
    with localcontext(_POWERS):
        if rate:
            growth = (1 + rate) ** count
            amount = terms.principal * rate * growth / (growth - 1)
        else:
            amount = Decimal(terms.principal) / count
        return _rounded(amount) if terms.multiples_of is None else _in_multiples(amount, terms.multiples_of)


def _installment_rate(terms: Terms) -> Decimal:
    if terms.interest_period is InterestPeriod.SAME_AS_REPAYMENT_PERIOD:
        return _whole_period_rate(terms)
    # the installment takes 30-day months and 365-day years, whatever the product counts interest by
    return _RATES.multiply(_daily_rate(terms), Decimal(_DAYS_IN_UNIT[terms.frequency] * terms.every))


def _period_rate(terms: Terms, start: date, due: date) -> Decimal:
    if terms.interest_period is InterestPeriod.SAME_AS_REPAYMENT_PERIOD:
        return _whole_period_rate(terms)
    return _RATES.multiply(_daily_rate(terms), _days(terms, start, due))


def _flat_rate(terms: Terms) -> Decimal:
    if terms.interest_period is InterestPeriod.SAME_AS_REPAYMENT_PERIOD:
        return _whole_period_rate(terms) * terms.repayments
    return _daily_rate(terms) * (_due_dates(terms)[-1] - terms.disbursed_on).days


def _whole_period_rate(terms: Terms) -> Decimal:
    by_days = terms.frequency is Frequency.DAYS and terms.days_in_year != ACTUAL
    periods = terms.days_in_year if by_days else _PERIODS_IN_YEAR[terms.frequency]
    return _fraction(terms.annual_rate, periods) * terms.every


def _daily_rate(terms: Terms) -> Decimal:
    days = _PERIODS_IN_YEAR[Frequency.DAYS] if terms.days_in_year == ACTUAL else terms.days_in_year
    return _fraction(terms.annual_rate, days)


def _fraction(annual_rate: Decimal, periods: int) -> Decimal:
    return _RATES.divide(_RATES.divide(annual_rate, Decimal(periods)), Decimal(100))


def _days(terms: Terms, start: date, due: date) -> Decimal:
    if terms.frequency is Frequency.MONTHS and terms.days_in_month != ACTUAL:
        return _RATES.multiply(_periods_between(terms, start, due), Decimal(_DAYS_IN_MONTH))
    if terms.frequency is Frequency.YEARS and terms.days_in_year != ACTUAL:
        return _RATES.multiply(_periods_between(terms, start, due), Decimal(terms.days_in_year))
    return Decimal((due - start).days)


def _periods_between(terms: Terms, start: date, due: date) -> Decimal:
    """Whole units from start to due plus the broken unit's share of its own days."""
    anchor = (terms.first_due or terms.disbursed_on).day
    whole = 0
    while shift(start, terms.frequency, whole + 1, anchor) <= due:
        whole += 1
    floor = shift(start, terms.frequency, whole, anchor)
    ceiling = shift(start, terms.frequency, whole + 1, anchor)
    return whole + _RATES.divide(Decimal((due - floor).days), Decimal((ceiling - floor).days))


def _interest_start(terms: Terms, start: date, due: date) -> date:
    """A first period longer than the others is charged for one regular period only; a shorter one from its start."""
    if terms.first_due is None or start != terms.disbursed_on:
        return start
    return max(start, shift(due, terms.frequency, -terms.every, due.day))


def _percentage(paise: int, rate: Decimal) -> int:
    return _rounded(_RATES.multiply(Decimal(paise), rate))


def _rounded(paise: Decimal) -> int:
    return int(paise.to_integral_value(rounding=ROUND_HALF_EVEN))


def _in_multiples(paise: Decimal | int, rupees: int) -> int:
    step = rupees * _PAISE_PER_RUPEE
    return _rounded(Decimal(paise) / step) * step
