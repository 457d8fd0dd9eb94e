"""The business date is the date in India."""

from datetime import UTC, date, datetime

import pytest

from turno_lms.domain.dates import ist_date, ist_date_of_epoch


def test_half_past_six_in_the_evening_utc_is_already_tomorrow_in_india() -> None:
    # India is UTC+5:30: 18:29:59 UTC is 23:59:59 IST, one second later is midnight
    assert ist_date(datetime(2026, 1, 5, 18, 29, 59, tzinfo=UTC)) == date(2026, 1, 5)
    assert ist_date(datetime(2026, 1, 5, 18, 30, 0, tzinfo=UTC)) == date(2026, 1, 6)


def test_epoch_seconds_are_read_as_utc() -> None:
    # 1767637800 = 2026-01-05T18:30:00Z: 20458 days of 86400 s, and 66600 s = 18.5 h
    assert 20458 * 86400 + 66600 == 1767637800
    assert ist_date_of_epoch(1767637800) == date(2026, 1, 6)
    assert ist_date_of_epoch(1767637799) == date(2026, 1, 5)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        ist_date(datetime(2026, 1, 5, 12, 0))  # noqa: DTZ001  # the naive moment is what is under test
