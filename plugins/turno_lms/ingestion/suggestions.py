"""What the columns of a sample seem to be: suggestions for a draft, each with what speaks for it.

Nothing is chosen where the sample allows two readings: the answer is then a decision, which only a person can make.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from turno_lms.lenders.date_formats import format_pattern

_MOST_PERCENT = 60
"""So many of the values must agree before anything is suggested: a sample has its bad rows."""
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y")
_TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M %p", ", %I:%M %p")
_BASES = ("%Y-%m-%d", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d/%b/%Y", "%d%m%Y", "%Y%m%d")
_ISO_TIMES = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")
_FORMATS = (
    *(base + time for base in (*_DAY_FIRST, *_BASES) for time in _TIMES),
    *_ISO_TIMES,
)
_AMOUNT = re.compile(
    r"\(?-?\s*(?:₹|rs\.?|inr)?\s*-?(\d[\d,]*)(\.\d{1,2})?\s*(?:/-)?\)?\s*([A-Za-z]{1,2}\.?)?", re.IGNORECASE
)
_UMRN = re.compile(r"[A-Z]{4}[A-Z0-9]{16}")
_LONG_ID = re.compile(r"[A-Z0-9]{12,20}")
_LOAN = re.compile(r"([A-Z]{2,6})(\d{4,12})")
_PLACEHOLDERS = {"na", "n/a", "nil", "-", "--", "null", "none"}
_MOST_STATUSES = 12
_HINTS = {
    "umrn": r"umrn|mandate",
    "loan_id": r"loan|\blan\b|agreement|account no|contract|receipt",
    "amount": r"amount|amt|deposit|credit|paid|received|collected",
    "date": r"date|\bdt\b|time|created",
    "status": r"status|result|entity|outcome|state",
    "payment_id": r"utr|rrn|\bref|reference|txn|transaction id|receipt|payment id|entity_id|\bid\b",
    "note": r"remark|narration|reason|descri|note|particular",
}


@dataclass(frozen=True)
class SampleColumn:
    """One column of a sample: heading and the values below it that are not blank."""

    heading: str
    texts: tuple[str, ...]
    position: int
    nth: int | None = None
    """Which of several columns with this heading it is, from the left."""

    @property
    def named(self) -> str:
        """The column as a comment names it."""
        return f'"{self.heading}"' + (f" (nth: {self.nth})" if self.nth else "")

    @cached_property
    def placeholders(self) -> tuple[str, ...]:
        """Texts that seem to mean nothing."""
        return tuple(sorted({text for text in self.texts if text.casefold() in _PLACEHOLDERS}))

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The texts without placeholders."""
        return tuple(text for text in self.texts if text.casefold() not in _PLACEHOLDERS)

    def hinted(self, role: str) -> bool:
        """Whether the heading speaks for a role."""
        return re.search(_HINTS[role], self.heading, re.IGNORECASE) is not None

    def mostly(self, pattern: re.Pattern[str]) -> bool:
        """Whether most values have a form."""
        fitting = [value for value in self.values if pattern.fullmatch(value.strip("'").upper())]
        return is_most(len(fitting), len(self.values))


def date_formats(values: Sequence[str]) -> list[str]:
    """The formats under which the values read as dates, as few as possible; none if most values are no dates."""
    fitting: dict[str, set[str]] = {}
    for name in _FORMATS:
        read = {value for value in values if _reads(value, name)}
        if read:
            fitting[name] = read
    chosen: list[str] = []
    left = set().union(*fitting.values()) if fitting else set()
    if not is_most(len(left), len(set(values))):
        return []
    while left:
        best = max(fitting, key=lambda name: (len(fitting[name] & left), -_FORMATS.index(name)))
        chosen.append(best)
        left -= fitting[best]
    return chosen


def month_first(date_format: str) -> str | None:
    """The format with day and month changed over, for one that begins with the day in figures."""
    if not date_format.startswith("%d") or "%m" not in date_format or "%d%m" in date_format:
        return None
    return date_format.replace("%d", "%x", 1).replace("%m", "%d", 1).replace("%x", "%m", 1)


def also_month_first(values: Sequence[str], date_format: str) -> bool:
    """Whether no value speaks against the month being in front."""
    other = month_first(date_format)
    read = [value for value in values if _reads(value, date_format)]
    return other is not None and all(_reads(value, other) for value in read)


def only_month_first(values: Sequence[str]) -> list[str]:
    """The formats with the month in front, if only they read all values."""
    for date_format in _FORMATS:
        other = month_first(date_format)
        if other and values and all(_reads(value, other) for value in values):
            return [other]
    return []


def _reads(value: str, date_format: str) -> bool:
    if not re.fullmatch(format_pattern(date_format), value):
        return False
    try:
        datetime.strptime(value, date_format)  # noqa: DTZ007  # only whether it is one
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class AmountLook:
    """Whether a column seems to hold amounts, and how they are written; `grouping` is None where that is left open."""

    fits: bool
    grouping: str | None
    suffixes: tuple[str, ...]


def amount_look(values: Sequence[str]) -> AmountLook:
    """What the values tell about their form."""
    found = [match for match in map(_AMOUNT.fullmatch, values) if match]
    wholes = [match[1] for match in found if "," in match[1]]
    suffixes = tuple(sorted({match[3].strip(".").casefold() for match in found if match[3]}))
    return AmountLook(is_most(len(found), len(values)), _grouping(wholes), suffixes)


def _grouping(wholes: Iterable[str]) -> str | None:
    grouped = list(wholes)
    indian = [re.fullmatch(r"\d{1,2}(?:,\d{2})*,\d{3}", whole) for whole in grouped]
    western = [re.fullmatch(r"\d{1,3}(?:,\d{3})+", whole) for whole in grouped]
    if not grouped:
        return "none"
    if all(indian) and not all(western):
        return "indian"
    if all(western) and not all(indian):
        return "western"
    return None


def looks_like_umrn(column: SampleColumn) -> bool:
    """Whether the values are mandates, by their form or by the heading."""
    return column.mostly(_UMRN) or (column.hinted("umrn") and column.mostly(_LONG_ID))


def loan_pattern(values: Sequence[str]) -> str | None:
    """A pattern of loan ids: letters most share, and figures of one length; None where there is no such form."""
    forms = Counter((match[1], len(match[2])) for match in map(_LOAN.search, map(str.upper, values)) if match)
    ((letters, digits), times), *_ = forms.most_common(1) or [(("", 0), 0)]
    return rf"{letters}\d{{{digits}}}" if is_most(times, len(values)) else None


def stands_alone(column: SampleColumn, pattern: str) -> bool:
    """Whether the loan ids are the whole of the texts."""
    return column.mostly(re.compile(pattern))


def looks_like_status(column: SampleColumn) -> bool:
    """Whether few different words stand in the column, and often."""
    different = {value.casefold() for value in column.values}
    words = all(any(map(str.isalpha, value)) for value in different)
    return (
        bool(different)
        and words
        and len(different) <= min(_MOST_STATUSES, max(1, len(column.values) * 2 // 3))
    )


def looks_like_reference(column: SampleColumn) -> bool:
    """Whether hardly a value comes twice."""
    return bool(column.values) and len(set(column.values)) * 5 >= len(column.values) * 4


def is_most(part: int, whole: int) -> bool:
    """Whether enough of the values agree."""
    return whole > 0 and part * 100 > whole * _MOST_PERCENT
