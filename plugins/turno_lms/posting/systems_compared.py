"""What two systems make of the same days, payment by payment. No I/O."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import product


class Verdict(StrEnum):
    """What the two systems make of one payment."""

    SAME = "same"  # both post it
    OTHER_DAY = "other_day"  # both post it, with different dates
    HELD_HERE = "held_here"  # posted there; here something holds it
    ONLY_HERE = "only_here"  # would be posted here, and was not there
    ONLY_THERE = "only_there"  # posted there; this system knows nothing of it


@dataclass(frozen=True)
class Compared:
    """One payment in either system or in both. `amount` in rupees; `held_by` keeps it from being posted here."""

    lender: str
    loan_id: str
    amount: Decimal
    date_here: date | None
    date_there: date | None
    held_by: str | None
    key_here: str | None
    key_there: str | None

    @property
    def day(self) -> date:
        """The former system's day, else ours; ValueError for a payment of neither."""
        day = self.date_there or self.date_here
        if day is None:
            raise ValueError("a payment is in one of the systems")
        return day

    @property
    def verdict(self) -> Verdict:
        """Rules of docs/deploy.md, Go live."""
        if self.key_here is None:
            return Verdict.ONLY_THERE
        if self.key_there is None:
            return Verdict.ONLY_HERE
        if self.held_by is not None:
            return Verdict.HELD_HERE
        return Verdict.SAME if self.date_here == self.date_there else Verdict.OTHER_DAY

    @property
    def is_told(self) -> bool:
        """What neither system posts is no difference."""
        return self.key_there is not None or self.held_by is None


def pair_near(rows: Iterable[Compared], days: int) -> list[Compared]:
    """Join the payments that only one system has under its key: same loan and rupees, at most `days` apart.

    The nearest are joined first, each once; where several are as near, what nothing holds here comes first.
    """
    whole: list[Compared] = []
    alone: dict[tuple[str, str, Decimal], list[Compared]] = defaultdict(list)
    for row in rows:
        if row.key_here and row.key_there:
            whole.append(row)
        else:
            alone[row.lender, row.loan_id, row.amount].append(row)
    for group in alone.values():
        whole += _paired(group, days)
    return sorted(whole, key=lambda row: (row.lender, row.loan_id, row.day, row.verdict, row.key_here or ""))


def _paired(group: Sequence[Compared], days: int) -> Iterator[Compared]:
    here = [row for row in group if row.key_here]
    there = [row for row in group if row.key_there]
    used: set[Compared] = set()
    for ours, theirs in sorted(product(here, there), key=_by_nearness):
        if abs(ours.day - theirs.day) > timedelta(days) or not used.isdisjoint((ours, theirs)):
            continue
        used |= {ours, theirs}
        yield replace(ours, date_there=theirs.date_there, key_there=theirs.key_there)
    yield from (row for row in group if row not in used)


def _by_nearness(pair: tuple[Compared, Compared]) -> tuple[timedelta, bool, date, str, str]:
    ours, theirs = pair
    return (
        abs(ours.day - theirs.day),
        ours.held_by is not None,
        ours.day,
        str(ours.key_here),
        str(theirs.key_there),
    )
