"""The figures of a settlement: what is owed, what is waived in which order, what remains, who may approve it, and how a
plan of promised payments stands. Rupees as Decimal throughout.

Conservation holds by construction: waived + paid + remainder = dues, for every split that is returned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from turno_lms.domain.money import canonical_amount

NOTHING = Decimal(0)
_HUNDRED = 100


class Component(StrEnum):
    """A part of the dues that may be waived by itself. Principal may not: it is forgiven at the end or not at all."""

    PENALTIES = "penalties"
    FEES = "fees"
    INTEREST = "interest"


WAIVER_ORDER = (Component.PENALTIES, Component.FEES, Component.INTEREST)
"""Charges before interest, so that the repayment which follows is not eaten by penalties."""


class Ending(StrEnum):
    """How what remains after waivers and money is ended in Fineract."""

    GOODWILL_CREDIT = "goodwill_credit"  # the loan closes, the rest is an expense
    WRITE_OFF = "write_off"  # the loan is written off, later money is a recovery


class PromiseState(StrEnum):
    """How a promised payment stands."""

    OPEN = "open"
    MET = "met"
    MISSED = "missed"


class ResolutionFiguresError(ValueError):
    """Figures that make no settlement; the message says which rule they break."""


class FiguresChangedError(ResolutionFiguresError):
    """The dues moved by more than the tolerance between the quote and the execution."""


@dataclass(frozen=True)
class Dues:
    """Rupees outstanding, by component, future installments included: what Fineract would have to be paid."""

    principal: Decimal
    interest: Decimal
    fees: Decimal
    penalties: Decimal

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.principal + self.interest + self.fees + self.penalties


@dataclass(frozen=True)
class Charge:
    """A charge with money outstanding, by Fineract's number. One `is_per_installment` cannot be waived as a whole."""

    charge_id: int
    is_penalty: bool
    outstanding: Decimal
    is_per_installment: bool = False

    @property
    def component(self) -> Component:
        """What it counts as."""
        return Component.PENALTIES if self.is_penalty else Component.FEES


@dataclass(frozen=True)
class Waiver:
    """Rupees of one component that are waived: of one charge, or of the interest. A part of a charge is adjusted."""

    component: Component
    amount: Decimal
    charge_id: int | None = None
    is_whole: bool = True


@dataclass(frozen=True)
class Split:
    """How the dues end: in waivers, in money, and in a remainder that is forgiven at the end."""

    dues: Dues
    paid: Decimal
    waivers: tuple[Waiver, ...]
    remainder: Decimal
    ending: Ending

    @property
    def waived(self) -> Decimal:
        """Rupees of all waivers."""
        return sum((waiver.amount for waiver in self.waivers), NOTHING)

    @property
    def forgiven(self) -> Decimal:
        """Rupees that nobody pays: waivers and remainder."""
        return self.waived + self.remainder


@dataclass(frozen=True)
class Band:
    """Who may approve forgiving up to so many rupees and up to so many percent of the dues.

    `approvers` are user names of Airflow; without any, every person but the requester.
    """

    name: str
    up_to_rupees: Decimal
    up_to_percent: Decimal
    approvers: tuple[str, ...] = ()

    def covers(self, forgiven: Decimal, dues: Decimal) -> bool:
        """Whether it reaches so far."""
        return forgiven <= self.up_to_rupees and forgiven * _HUNDRED <= self.up_to_percent * dues

    def allows(self, person: str) -> bool:
        """Whether this person may approve under it."""
        return not self.approvers or person.strip().lower() in {name.lower() for name in self.approvers}


@dataclass(frozen=True)
class Promise:
    """A promised payment: rupees by the end of an IST day."""

    number: int
    due_on: date
    amount: Decimal


def split_dues(
    dues: Dues, charges: Sequence[Charge], paid: Decimal, wish: Iterable[Component], ending: Ending
) -> Split:
    """Spread what is not paid over the components that may be waived, in the order of WAIVER_ORDER; the rest remains.

    Raises ResolutionFiguresError if nothing or more than the dues is paid, or the charges do not add up to them.
    """
    if paid < NOTHING or paid > dues.total:
        raise ResolutionFiguresError(
            f"{canonical_amount(paid)} rupees is not between 0 and the dues of {canonical_amount(dues.total)}"
        )
    _check_charges(dues, charges)
    left = dues.total - paid
    waivers: list[Waiver] = []
    wanted = set(wish)
    for component in (each for each in WAIVER_ORDER if each in wanted):
        found = _waive(component, dues, charges, left)
        left -= sum((waiver.amount for waiver in found), NOTHING)
        waivers += found
    return Split(dues, paid, tuple(waivers), left, ending)


def _check_charges(dues: Dues, charges: Sequence[Charge]) -> None:
    for component, owed in ((Component.PENALTIES, dues.penalties), (Component.FEES, dues.fees)):
        listed = sum((charge.outstanding for charge in charges if charge.component is component), NOTHING)
        if listed != owed:
            raise ResolutionFiguresError(
                f"Fineract says {canonical_amount(owed)} rupees of {component}, its charges add up to "
                f"{canonical_amount(listed)}: waive them in Fineract by hand first"
            )


def _waive(component: Component, dues: Dues, charges: Sequence[Charge], left: Decimal) -> list[Waiver]:
    if component is Component.INTEREST:
        amount = min(dues.interest, left)
        return [Waiver(component, amount)] if amount else []
    waivers: list[Waiver] = []
    for charge in charges:
        amount = min(charge.outstanding, left)
        if charge.component is not component or not amount:
            continue
        whole = amount == charge.outstanding and not charge.is_per_installment
        waivers.append(Waiver(component, amount, charge.charge_id, whole))
        left -= amount
    return waivers


def band_for(bands: Sequence[Band], forgiven: Decimal, dues: Decimal) -> Band:
    """The first band that reaches so far; raises ResolutionFiguresError if none does."""
    for band in bands:
        if band.covers(forgiven, dues):
            return band
    percent = (forgiven * _HUNDRED / dues).quantize(Decimal("0.01")) if dues else NOTHING
    raise ResolutionFiguresError(
        f"forgiving {canonical_amount(forgiven)} of {canonical_amount(dues)} rupees ({percent} %) is beyond every "
        "approval band of the lender's mapping"
    )


def check_tolerance(
    quoted: Decimal, now: Decimal, paid_since: Decimal, tolerance: Decimal, *, less_is_fine: bool = False
) -> None:
    """Raise FiguresChangedError if the dues now, and what was paid since, are not the quoted ones in the tolerance.

    `less_is_fine` for dues that were quoted for the last day on which they may be paid: before it less is owed.
    """
    moved = now + paid_since - quoted
    if moved > tolerance or (moved < -tolerance and not less_is_fine):
        raise FiguresChangedError(
            f"the dues were {canonical_amount(quoted)} when quoted and are {canonical_amount(now)} after "
            f"{canonical_amount(paid_since)} paid since: {canonical_amount(moved)} is beyond the tolerance of "
            f"{canonical_amount(tolerance)} rupees"
        )


def check_promises(promises: Sequence[Promise], amount: Decimal, today: date, longest_days: int) -> None:
    """Raise ResolutionFiguresError unless the promises add up to `amount`, in order, none before today or too late."""
    faults: list[str] = []
    total = sum((promise.amount for promise in promises), NOTHING)
    if total != amount:
        faults.append(f"they add up to {canonical_amount(total)}, not {canonical_amount(amount)}")
    if any(promise.amount <= NOTHING for promise in promises):
        faults.append("every one must be above zero")
    days = [promise.due_on for promise in promises]
    if days != sorted(set(days)):
        faults.append("their days must rise")
    if days and min(days) < today:
        faults.append(f"{min(days)} is past")
    if days and (max(days) - today).days > longest_days:
        faults.append(f"{max(days)} is more than {longest_days} days away")
    if faults:
        raise ResolutionFiguresError(f"the promised payments: {'; '.join(faults)}")


def promise_states(promises: Sequence[Promise], collected: Decimal, today: date) -> tuple[PromiseState, ...]:
    """How each promise stands after `collected` rupees: money counts for the earliest ones first."""
    states: list[PromiseState] = []
    expected = NOTHING
    for promise in promises:
        expected += promise.amount
        if collected >= expected:
            states.append(PromiseState.MET)
        else:
            states.append(PromiseState.MISSED if promise.due_on < today else PromiseState.OPEN)
    return tuple(states)
