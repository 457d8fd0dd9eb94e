"""Date formats of a mapping: strict, and refused when one text could mean two dates.

`%Y` means four digits; a lenient parser would read 05/01/26 as the year 26. Every format therefore has a pattern that
the text must match before it is parsed at all. A leading zero may be missing (5/1/2026) where separators stand between.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations, permutations

EXCEL_SERIAL = "excel_serial"
"""In place of a format: days since 1899-12-30, as a workbook stores a date (46027 is 2026-01-05)."""
EPOCH_SECONDS = "epoch_seconds"
"""In place of a format: seconds since 1970 in UTC, as Razorpay's API gives them (1767571200 is 2026-01-05 in India)."""

_DIRECTIVES = {
    "d": r"\d{2}", "m": r"\d{2}", "Y": r"\d{4}", "y": r"\d{2}", "b": "[A-Za-z]{3}", "B": "[A-Za-z]{3,9}",
    "H": r"\d{2}", "I": r"\d{2}", "M": r"\d{2}", "S": r"\d{2}", "f": r"\d{1,9}", "p": "(?:AM|PM|am|pm)",
    "z": r"(?:Z|[+-]\d{2}:?\d{2})",
}  # fmt: skip
_DIRECTIVE = re.compile("%(.)")
_UNSEPARATED = re.compile("%.%")
# Day, month and year are three different numbers that each could be any of the three: a mix-up always shows.
_TELLING = tuple(datetime(2000 + y, m, d, 9, 30, tzinfo=UTC) for y, m, d in permutations((3, 10, 12)))
_EPOCH_SAMPLE = "1767571200"
_NEEDED = (("d", "day (%d)"), ("mbB", "month (%m, %b or %B)"), ("Yy", "year (%Y or %y)"))


def format_pattern(date_format: str) -> str:
    """The regular expression of texts that have this format (whole text, case as written)."""
    parts = _DIRECTIVE.split(date_format)
    known = (
        _DIRECTIVES if _UNSEPARATED.search(date_format) else _DIRECTIVES | dict.fromkeys("dmHI", r"\d{1,2}")
    )
    return "".join(known[part] if index % 2 else re.escape(part) for index, part in enumerate(parts))


def has_time(date_format: str) -> bool:
    """Whether the format holds a time of day beside the date."""
    return bool(set(_DIRECTIVE.findall(date_format)) & set("HIMSfpz"))


def has_zone(date_format: str) -> bool:
    """Whether the text itself says its distance from UTC."""
    return "z" in _DIRECTIVE.findall(date_format)


def check_date_formats(formats: Sequence[str], *, month_first: bool = False) -> None:
    """Raise ValueError when a format is unknown, lacks part of a date, or reads another's text as another day.

    `month_first` is the mapping's word that this partner writes 01/31/2026; without it such a format is refused.
    """
    written = [name for name in formats if name not in (EXCEL_SERIAL, EPOCH_SECONDS)]
    for date_format in written:
        _check_format(date_format, month_first=month_first)
    for first, second in combinations(written, 2):
        _check_pair(first, second)
    if EPOCH_SECONDS in formats:
        for date_format in written:
            if re.fullmatch(format_pattern(date_format), _EPOCH_SAMPLE):
                raise ValueError(
                    f"{date_format!r} and {EPOCH_SECONDS} together are ambiguous: both are ten digits"
                )


def _check_format(date_format: str, *, month_first: bool) -> None:
    directives = _DIRECTIVE.findall(date_format)
    unknown = sorted(set(directives) - set(_DIRECTIVES))
    if unknown:
        raise ValueError(
            f"{date_format!r}: %{unknown[0]} is not known; use {', '.join('%' + name for name in _DIRECTIVES)}"
        )
    for letters, meaning in _NEEDED:
        if sum(directives.count(letter) for letter in letters) != 1:
            raise ValueError(f"{date_format!r} must hold exactly one {meaning}")
    if "f" in directives and ".%f" not in date_format:
        raise ValueError(f"{date_format!r}: a fraction of a second stands behind a dot, as in %S.%f")
    if ("I" in directives) != ("p" in directives):
        raise ValueError(f"{date_format!r}: an hour of twelve (%I) and AM or PM (%p) belong together")
    if directives[0] == "m" and not month_first:
        raise ValueError(
            f"{date_format!r} puts the month first, but dates in India are day first (or year first); "
            "if this partner really writes the month first, say month_first: true"
        )
    if month_first and directives[:2] == ["d", "m"]:
        raise ValueError(f"{date_format!r} puts the day first, against month_first: true")


def _check_pair(first: str, second: str) -> None:
    pattern = re.compile(format_pattern(second))
    for moment in _TELLING:
        text = moment.strftime(first)
        if pattern.fullmatch(text) and _differs(text, second, moment):
            raise ValueError(f"{first!r} and {second!r} together are ambiguous: {text!r} could be two dates")


def _differs(text: str, date_format: str, moment: datetime) -> bool:
    try:
        return datetime.strptime(text, date_format).date() != moment.date()  # noqa: DTZ007  # only the day counts
    except ValueError:
        return False
