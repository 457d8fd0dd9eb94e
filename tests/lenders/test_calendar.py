"""Which file belongs to which deadline: on time, early, late, overdue, missing."""

from datetime import datetime, timedelta

import pytest

from turno_lms.domain.dates import IST
from turno_lms.lenders.calendar import Arrival, assign, judge, slots_between
from turno_lms.lenders.schema import Expected

WEEKDAYS = Expected(by="30 9 * * 1-5", tolerance_minutes=30, window_minutes=180)
"""By 09:30 on weekdays, overdue from 10:00, a file of the day from 06:30. 5 January 2026 is a Monday."""


def at(text: str) -> datetime:
    """`5 09:30` is that time on 5 January 2026, in IST."""
    day, clock = text.split()
    hour, minute = clock.split(":")
    return datetime(2026, 1, int(day), int(hour), int(minute), tzinfo=IST)


def arrivals(
    expected: Expected, came: list[str], now: str, first: str = "5 00:00"
) -> list[tuple[str, str, int | None]]:
    """Deadline, how it went, and which of `came` (from 1) was its file."""
    slots = slots_between(expected, at(first), at(now))
    filled = assign(slots, [(number, at(text)) for number, text in enumerate(came, start=1)])
    told = judge(filled, at(now))
    return [
        (f"{slot.deadline.astimezone(IST):%-d %H:%M}", str(arrival), slot.file_id) for slot, arrival in told
    ]


@pytest.mark.parametrize(
    ("came", "arrival"),
    [
        ("5 09:30", Arrival.ON_TIME),
        ("5 10:00", Arrival.ON_TIME),  # within the tolerance
        ("5 10:01", Arrival.LATE),
        ("5 06:30", Arrival.ON_TIME),
        ("5 06:29", Arrival.EARLY),
        ("5 00:01", Arrival.EARLY),
    ],
)
def test_one_file_of_one_day(came: str, arrival: Arrival) -> None:
    assert arrivals(WEEKDAYS, [came], "5 11:00")[0] == ("5 09:30", arrival, 1)


@pytest.mark.parametrize(
    ("now", "arrival"),
    [
        ("5 09:29", Arrival.AWAITED),
        ("5 10:00", Arrival.AWAITED),
        ("5 10:01", Arrival.OVERDUE),
        ("6 06:29", Arrival.OVERDUE),
        ("6 06:30", Arrival.MISSING),  # the time of the next file has begun
    ],
)
def test_a_file_that_has_not_come(now: str, arrival: Arrival) -> None:
    assert arrivals(WEEKDAYS, [], now)[0] == ("5 09:30", arrival, None)


def test_a_late_file_does_not_stand_in_for_the_next_day_s() -> None:
    """Monday's comes on Tuesday at 05:00, before Tuesday's time begins at 06:30; Tuesday's comes at 09:00."""
    assert arrivals(WEEKDAYS, ["6 05:00", "6 09:00"], "6 11:00")[:2] == [
        ("5 09:30", "late", 1),
        ("6 09:30", "on_time", 2),
    ]


def test_of_two_files_on_one_day_the_second_fills_the_gap_of_the_day_before() -> None:
    assert arrivals(WEEKDAYS, ["6 09:00", "6 09:05"], "6 11:00")[:2] == [
        ("5 09:30", "late", 2),
        ("6 09:30", "on_time", 1),
    ]


def test_an_extra_file_is_nobody_s() -> None:
    """Two on Monday: the second does not count for Tuesday."""
    assert arrivals(WEEKDAYS, ["5 09:00", "5 12:00"], "6 11:00")[:2] == [
        ("5 09:30", "on_time", 1),
        ("6 09:30", "overdue", None),
    ]


def test_nothing_is_expected_on_a_weekend() -> None:
    """Friday 9 January, then Monday 12."""
    told = arrivals(WEEKDAYS, [], "11 12:00", first="9 00:00")
    assert [slot[0] for slot in told] == ["9 09:30", "12 09:30"]


def test_two_deadlines_of_a_day_are_two_files() -> None:
    twice = Expected(by="0 10,16 * * *")
    assert arrivals(twice, ["5 09:00", "5 15:00"], "5 17:00")[:2] == [
        ("5 10:00", "on_time", 1),
        ("5 16:00", "on_time", 2),
    ]
    assert arrivals(twice, ["5 15:00"], "5 17:00")[:2] == [
        ("5 10:00", "missing", None),
        ("5 16:00", "on_time", 1),
    ]


def test_deadlines_are_in_indian_time() -> None:
    (slot, _) = slots_between(Expected(by="30 9 * * *"), at("5 00:00"), at("5 12:00"))
    assert slot.deadline.utcoffset() == timedelta(hours=5, minutes=30)
    assert slot.deadline == at("5 09:30")
