"""When a lender's files are expected, and which of those that came is which. Pure: times in, answers out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from croniter import croniter  # type: ignore[import-untyped]  # ships no types

from turno_lms.domain.dates import IST, ist_date
from turno_lms.lenders.schema import Expected


class Arrival(StrEnum):
    """How a deadline went."""

    ON_TIME = "on_time"
    EARLY = "early"
    LATE = "late"  # came, after deadline and tolerance
    AWAITED = "awaited"  # not due yet
    OVERDUE = "overdue"  # due, and not here
    MISSING = "missing"  # not here, and the time of the next file has begun


@dataclass(frozen=True)
class Slot:
    """One deadline: the file that is expected by then, if it has come (`file_id`, `came_at`)."""

    deadline: datetime
    opens: datetime
    """From when on a file is this slot's."""
    overdue_from: datetime
    file_id: int | None = None
    came_at: datetime | None = None


def slots_between(expected: Expected, first: datetime, last: datetime) -> list[Slot]:
    """The deadlines from `first` to `last` (aware), and the one after, in their order."""
    tolerance, window = (
        timedelta(minutes=expected.tolerance_minutes),
        timedelta(minutes=expected.window_minutes),
    )
    slots: list[Slot] = []
    for deadline in _deadlines(expected, first):
        opens = deadline - window
        if slots:
            opens = max(opens, slots[-1].deadline)
        slots.append(Slot(deadline, opens, deadline + tolerance))
        if deadline > last:
            return slots
    return slots


def _deadlines(expected: Expected, first: datetime) -> Iterator[datetime]:
    start = first.astimezone(IST) - timedelta(microseconds=1)
    yield from croniter(expected.by, start).all_next(datetime)


def assign(slots: Iterable[Slot], files: Iterable[tuple[int, datetime]]) -> list[Slot]:
    """Give each slot its file, from (file id, moment of arrival) in the order of arrival.

    A file belongs to the slot whose time has begun last; if that has one, to the oldest slot that lacks one; if none
    does, to the next slot of the same day (it is early). One that no slot wants is an extra and is left out.
    """
    filled = list(slots)
    for file_id, came_at in files:
        place = _place(filled, came_at)
        if place is not None:
            filled[place] = replace(filled[place], file_id=file_id, came_at=came_at)
    return filled


def _place(slots: list[Slot], came_at: datetime) -> int | None:
    open_now = [i for i, slot in enumerate(slots) if slot.opens <= came_at]
    later = [i for i, slot in enumerate(slots) if slot.opens > came_at]
    today = [i for i in later if ist_date(slots[i].deadline) == ist_date(came_at)]
    wanted = [*open_now[-1:], *open_now, *today[:1]]
    return next((i for i in wanted if slots[i].file_id is None), None)


def judge(slots: list[Slot], at: datetime) -> list[tuple[Slot, Arrival]]:
    """How each slot stands at a moment."""
    following = [*slots[1:], None]
    return [(slot, _arrival(slot, after, at)) for slot, after in zip(slots, following, strict=True)]


def _arrival(slot: Slot, after: Slot | None, at: datetime) -> Arrival:
    if slot.came_at is not None:
        if slot.came_at > slot.overdue_from:
            return Arrival.LATE
        return Arrival.EARLY if slot.came_at < slot.opens else Arrival.ON_TIME
    if at <= slot.overdue_from:
        return Arrival.AWAITED
    return (
        Arrival.MISSING
        if after is not None and at >= max(after.opens, slot.overdue_from)
        else Arrival.OVERDUE
    )
