"""Date formats are strict: what they accept is what they say."""

import re

import pytest

from turno_lms.lenders.date_formats import check_date_formats, format_pattern


@pytest.mark.parametrize(
    ("date_format", "text", "fits"),
    [
        ("%d/%m/%Y", "05/01/2026", True),
        ("%d/%m/%Y", "5/1/2026", True),
        ("%d/%m/%Y", "05/01/26", False),
        ("%d/%m/%y", "05/01/2026", False),
        ("%d%m%Y", "05012026", True),
        ("%d%m%Y", "5012026", False),
        ("%d-%b-%Y", "05-JAN-2026", True),
        ("%d-%b-%Y", "05-January-2026", False),
        ("%d.%m.%Y", "05x01x2026", False),
        ("%d/%m/%Y %H:%M:%S", "05/01/2026 00:01:00", True),
    ],
)
def test_the_pattern_of_a_format(date_format: str, text: str, fits: bool) -> None:
    assert bool(re.fullmatch(format_pattern(date_format), text)) is fits


@pytest.mark.parametrize(
    "formats",
    [
        ("%d/%m/%Y", "%d-%m-%Y"),
        ("%d/%m/%Y", "%d/%m/%y"),
        ("%d-%b-%Y", "excel_serial"),
        ("%d-%b-%y", "%Y-%m-%d"),
    ],
)
def test_formats_that_cannot_be_mistaken_for_each_other(formats: tuple[str, ...]) -> None:
    check_date_formats(formats)


@pytest.mark.parametrize(
    "formats",
    [("%d/%m/%y", "%y/%m/%d"), ("%d/%m/%Y", "%m/%d/%Y"), ("%Y-%m-%d", "%Y-%d-%m"), ("%d%m%y", "%y%m%d")],
)
def test_formats_that_read_one_text_as_two_days_are_refused(formats: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"ambiguous|day first"):
        check_date_formats(formats)
