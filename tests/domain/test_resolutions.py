"""Settlement figures: no rupee is lost between waivers, money and remainder, and the examples are worked by hand."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turno_lms.domain.resolutions import (
    Band,
    Charge,
    Component,
    Dues,
    Ending,
    FiguresChangedError,
    Promise,
    PromiseState,
    ResolutionFiguresError,
    Split,
    Waiver,
    band_for,
    check_promises,
    check_tolerance,
    promise_states,
    split_dues,
)

TODAY = date(2026, 1, 5)
paise = st.integers(0, 50_00_000).map(lambda number: Decimal(number) / 100)


@st.composite
def owed(draw: st.DrawFn) -> tuple[Dues, list[Charge]]:
    """A loan with up to five charges, and what it owes."""
    amounts = draw(st.lists(st.tuples(st.booleans(), paise, st.booleans()), max_size=5))
    charges = [Charge(number, *each) for number, each in enumerate(amounts, start=1)]
    penalties = sum((each.outstanding for each in charges if each.is_penalty), Decimal(0))
    fees = sum((each.outstanding for each in charges if not each.is_penalty), Decimal(0))
    return Dues(draw(paise), draw(paise), fees, penalties), charges


@given(owed(), st.integers(0, 10_000), st.sets(st.sampled_from(Component)), st.sampled_from(Ending))
def test_every_rupee_of_the_dues_is_waived_paid_or_forgiven_at_the_end(
    loan: tuple[Dues, list[Charge]], share: int, wish: set[Component], ending: Ending
) -> None:
    dues, charges = loan
    paid = (dues.total * share / 10_000).quantize(Decimal("0.01"))
    split = split_dues(dues, charges, min(paid, dues.total), wish, ending)
    assert split.waived + split.paid + split.remainder == dues.total
    assert split.forgiven == dues.total - split.paid
    assert min([split.remainder, *(waiver.amount for waiver in split.waivers)]) >= 0
    assert {waiver.component for waiver in split.waivers} <= wish


@given(owed(), st.integers(0, 10_000))
def test_nothing_of_a_later_component_is_waived_before_the_earlier_ones_are(
    loan: tuple[Dues, list[Charge]], share: int
) -> None:
    dues, charges = loan
    paid = min((dues.total * share / 10_000).quantize(Decimal("0.01")), dues.total)
    split = split_dues(dues, charges, paid, Component, Ending.WRITE_OFF)
    waived = dict.fromkeys(Component, Decimal(0))
    for waiver in split.waivers:
        waived[waiver.component] += waiver.amount
    if waived[Component.FEES]:
        assert waived[Component.PENALTIES] == dues.penalties
    if waived[Component.INTEREST]:
        assert waived[Component.FEES] == dues.fees
    if split.remainder:
        assert waived[Component.INTEREST] == dues.interest
        assert split.remainder <= dues.principal  # only principal is left to be forgiven


def test_a_settlement_worked_by_hand() -> None:
    """100000 principal, 27000 interest, fee 500, penalties 590 and 410: 128500 in all; 96000 is offered.

    32500 are not paid: penalties 590 + 410 = 1000, fee 500, interest 27000 make 28500; 4000 of principal remain.
    """
    dues = Dues(Decimal(100000), Decimal(27000), Decimal(500), Decimal(1000))
    charges = [
        Charge(1, True, Decimal(590)),
        Charge(2, False, Decimal(500)),
        Charge(3, True, Decimal(410)),
    ]
    split = split_dues(dues, charges, Decimal(96000), Component, Ending.GOODWILL_CREDIT)
    assert split.waivers == (
        Waiver(Component.PENALTIES, Decimal(590), 1),
        Waiver(Component.PENALTIES, Decimal(410), 3),
        Waiver(Component.FEES, Decimal(500), 2),
        Waiver(Component.INTEREST, Decimal(27000)),
    )
    assert (split.waived, split.remainder, split.forgiven) == (28500, 4000, 32500)


def test_a_charge_that_is_waived_in_part_or_per_installment_is_adjusted() -> None:
    """1000 of penalties 590 + 410, 700 not paid: 590 whole and 110 of the 410."""
    dues = Dues(Decimal(100), Decimal(0), Decimal(50), Decimal(1000))
    charges = [
        Charge(1, True, Decimal(590)),
        Charge(2, True, Decimal(410)),
        Charge(3, False, Decimal(50), True),
    ]
    split = split_dues(dues, charges, Decimal(450), Component, Ending.WRITE_OFF)
    assert [(each.charge_id, each.amount, each.is_whole) for each in split.waivers] == [
        (1, Decimal(590), True),
        (2, Decimal(110), False),
    ]
    split = split_dues(dues, charges, Decimal(100), [Component.FEES], Ending.WRITE_OFF)
    assert [(each.charge_id, each.amount, each.is_whole) for each in split.waivers] == [
        (3, Decimal(50), False)
    ]
    assert split.remainder == 1000


@pytest.mark.parametrize("paid", ["-0.01", "150.01"])
def test_more_than_the_dues_or_less_than_nothing_is_no_settlement(paid: str) -> None:
    dues = Dues(Decimal(100), Decimal(50), Decimal(0), Decimal(0))
    with pytest.raises(ResolutionFiguresError, match="not between 0 and the dues of 150.00"):
        split_dues(dues, [], Decimal(paid), Component, Ending.WRITE_OFF)


def test_charges_that_do_not_add_up_are_not_guessed_at() -> None:
    dues = Dues(Decimal(100), Decimal(50), Decimal(0), Decimal(20))
    with pytest.raises(
        ResolutionFiguresError, match=r"20.00 rupees of penalties, its charges add up to 19.00"
    ):
        split_dues(dues, [Charge(1, True, Decimal(19))], Decimal(150), Component, Ending.WRITE_OFF)


BANDS = (
    Band("team_lead", Decimal(5000), Decimal(10), ("Meera",)),
    Band("finance", Decimal(50000), Decimal(40), ("ravi", "sunita")),
)


@pytest.mark.parametrize(
    ("forgiven", "dues", "name"),
    [
        ("5000.00", "50000.00", "team_lead"),  # exactly 5000 and exactly 10 %
        ("5000.01", "60000.00", "finance"),
        ("5000.00", "49999.99", "finance"),  # a hair above 10 %
        ("50000.00", "125000.00", "finance"),  # exactly 40 %
    ],
)
def test_a_band_reaches_as_far_as_both_its_limits(forgiven: str, dues: str, name: str) -> None:
    assert band_for(BANDS, Decimal(forgiven), Decimal(dues)).name == name


@pytest.mark.parametrize(("forgiven", "dues"), [("50000.01", "900000"), ("50000.00", "124999.99")])
def test_what_no_band_covers_cannot_be_asked_for(forgiven: str, dues: str) -> None:
    with pytest.raises(ResolutionFiguresError, match="beyond every approval band"):
        band_for(BANDS, Decimal(forgiven), Decimal(dues))


def test_a_band_names_who_may_approve() -> None:
    lead, _ = BANDS
    assert lead.allows(" meera ")
    assert not lead.allows("ravi")
    assert Band("any", Decimal(1), Decimal(1)).allows("ravi")


@pytest.mark.parametrize(("now", "paid"), [("1000.00", "0"), ("1050.00", "0"), ("749.99", "200.01")])
def test_dues_within_the_tolerance_are_the_quoted_ones(now: str, paid: str) -> None:
    check_tolerance(Decimal(1000), Decimal(now), Decimal(paid), Decimal(50))


@pytest.mark.parametrize(("now", "paid"), [("1050.01", "0"), ("949.99", "0"), ("1000.00", "50.01")])
def test_dues_beyond_the_tolerance_stop_it(now: str, paid: str) -> None:
    with pytest.raises(FiguresChangedError, match="beyond the tolerance of 50.00"):
        check_tolerance(Decimal(1000), Decimal(now), Decimal(paid), Decimal(50))


def _plan(*amounts: int) -> list[Promise]:
    return [
        Promise(number, TODAY + timedelta(days=10 * number), Decimal(amount))
        for number, amount in enumerate(amounts, start=1)
    ]


def test_money_counts_for_the_earliest_promise_first() -> None:
    plan = _plan(300, 300, 400)  # due on 15 and 25 January and 4 February
    met, still, missed = PromiseState.MET, PromiseState.OPEN, PromiseState.MISSED
    assert promise_states(plan, Decimal(0), TODAY) == (still, still, still)
    assert promise_states(plan, Decimal("299.99"), date(2026, 1, 15)) == (still, still, still)
    assert promise_states(plan, Decimal("299.99"), date(2026, 1, 16)) == (missed, still, still)
    assert promise_states(plan, Decimal(600), date(2026, 2, 4)) == (met, met, still)
    assert promise_states(plan, Decimal(1000), date(2026, 3, 1)) == (met, met, met)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6), st.integers(0, 6000), st.integers(0, 90))
def test_met_promises_come_first_and_are_covered(amounts: list[int], collected: int, days: int) -> None:
    states = promise_states(_plan(*amounts), Decimal(collected), TODAY + timedelta(days=days))
    met = states.count(PromiseState.MET)
    assert states[:met] == (PromiseState.MET,) * met
    assert sum(amounts[:met]) <= collected
    assert met == len(amounts) or sum(amounts[: met + 1]) > collected


@pytest.mark.parametrize(
    ("plan", "fault"),
    [
        (_plan(300, 300), "add up to 600.00, not 1000.00"),
        (
            [Promise(1, TODAY, Decimal(1100)), Promise(2, TODAY, Decimal(-100))],
            "every one must be above zero",
        ),
        ([Promise(1, TODAY, Decimal(500)), Promise(2, TODAY, Decimal(500))], "their days must rise"),
        ([Promise(1, TODAY - timedelta(days=1), Decimal(1000))], "2026-01-04 is past"),
        ([Promise(1, TODAY + timedelta(days=91), Decimal(1000))], "more than 90 days away"),
    ],
)
def test_promises_that_make_no_plan_are_refused(plan: list[Promise], fault: str) -> None:
    with pytest.raises(ResolutionFiguresError, match=fault):
        check_promises(plan, Decimal(1000), TODAY, 90)


def test_a_plan_and_one_payment_are_checked_alike() -> None:
    check_promises(_plan(300, 300, 400), Decimal(1000), TODAY, 90)
    check_promises([Promise(1, TODAY, Decimal(1000))], Decimal(1000), TODAY, 7)


def test_a_split_says_what_nobody_pays() -> None:
    dues = Dues(Decimal(10), Decimal(5), Decimal(0), Decimal(0))
    split = Split(dues, Decimal(8), (Waiver(Component.INTEREST, Decimal(5)),), Decimal(2), Ending.WRITE_OFF)
    assert split.forgiven == 7
