"""Which submission of a subject comes next. Pure: rows and what Fineract has in, one turn out.

Submissions of one client or loan are taken in the order in which they were submitted, those that came together by
their rank in the life cycle. One may overtake an earlier one only while that one cannot be done yet: so files may come
in any order, and an approval that was taken back can be given again. What may have been sent is looked at first.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from turno_lms.domain.states import LosReason
from turno_lms.los.model import ABSENT, Hold, Refuse, Row, Subject, View, Wait
from turno_lms.los.registry import REGISTRY


@dataclass(frozen=True)
class Take:
    """Draft this row and send it."""

    row: Row


@dataclass(frozen=True)
class Recognised:
    """Fineract has it as submitted."""

    row: Row


@dataclass(frozen=True)
class Settle:
    """It cannot be done any more."""

    row: Row
    outcome: Hold | Refuse


@dataclass(frozen=True)
class AllWait:
    """Nothing can be done now; each row with what it waits for."""

    waits: tuple[tuple[Row, Wait], ...]


Turn = Take | Recognised | Settle | AllWait


def in_order(rows: Iterable[Row]) -> list[Row]:
    """The rows of one subject in the order in which they are looked at."""
    return sorted(
        rows, key=lambda row: (not row.sent, row.submitted_at, REGISTRY[row.operation].rank, row.reference)
    )


def next_turn(rows: Iterable[Row], view: View) -> Turn:
    """The first row that can be done, is done already, or cannot be done any more."""
    waits: list[tuple[Row, Wait]] = []
    for row in in_order(rows):
        operation = REGISTRY[row.operation]
        status = view.client_status if operation.subject is Subject.CLIENT else view.loan_status
        if operation.is_done(row, view):
            return Recognised(row)
        if status in operation.ready:
            return Take(row)
        if status not in operation.early:
            return Settle(row, operation.otherwise(row, view))
        waits.append((row, _wait(row, status, view)))
    return AllWait(tuple(waits))


def _wait(row: Row, status: int | None, view: View) -> Wait:
    if REGISTRY[row.operation].subject is Subject.CLIENT:
        return Wait(LosReason.CLIENT_MISSING, f"Fineract has no client {row.payload['client_id']} yet")
    loan_id = row.payload["loan_id"]
    if status is ABSENT:
        return Wait(LosReason.LOAN_MISSING, f"Fineract has no loan {loan_id} yet")
    name = ((view.loan or {}).get("status") or {}).get("value")
    return Wait(LosReason.LOAN_NOT_READY, f"loan {loan_id} is {name}: too early for {row.operation}")
