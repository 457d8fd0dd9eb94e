"""How a repayment is spread over the installments. Pure; all sums are whole paise.

The default strategy (`mifos-standard-strategy`) takes the oldest installment first and inside it penalty,
fee, interest, principal, late or early alike; what is left when nothing is outstanding is an overpayment.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Literal

Component = Literal["penalty", "fee", "interest", "principal"]

COMPONENTS: Final[tuple[Component, ...]] = ("penalty", "fee", "interest", "principal")

STRATEGIES: Final[dict[str, tuple[Component, ...]]] = {
    "mifos-standard-strategy": ("penalty", "fee", "interest", "principal"),
    "interest-principal-penalties-fees-order-strategy": ("interest", "principal", "penalty", "fee"),
    "principal-interest-penalties-fees-order-strategy": ("principal", "interest", "penalty", "fee"),
}


@dataclass(frozen=True, slots=True)
class Portions:
    """A sum of money by what it paid, in paise."""

    principal: int = 0
    interest: int = 0
    fee: int = 0
    penalty: int = 0
    overpayment: int = 0

    @property
    def repaid(self) -> int:
        """What went to installments: everything but the overpayment."""
        return self.principal + self.interest + self.fee + self.penalty

    def plus(self, other: "Portions") -> "Portions":
        """The two sums together, component by component."""
        return Portions(
            self.principal + other.principal,
            self.interest + other.interest,
            self.fee + other.fee,
            self.penalty + other.penalty,
            self.overpayment + other.overpayment,
        )


@dataclass(frozen=True, slots=True)
class Installment:
    """One period's dues and what has been paid towards them."""

    number: int
    from_date: date
    due_date: date
    due: Portions
    paid: Portions = field(default_factory=Portions)
    waived: Portions = field(default_factory=Portions)
    paid_in_advance: int = 0
    paid_late: int = 0
    met_on: date | None = None

    @property
    def outstanding(self) -> int:
        """What is still to be paid."""
        return self.due.repaid - self.paid.repaid - self.waived.repaid

    def owed(self, component: Component) -> int:
        """What of one component is still to be paid."""
        due, paid, waived = (getattr(sums, component) for sums in (self.due, self.paid, self.waived))
        return int(due - paid - waived)

    def unpaid(self) -> "Installment":
        """The installment as it was before any money or waiver came."""
        return Installment(self.number, self.from_date, self.due_date, self.due)


def unpaid(installments: Iterable[Installment]) -> Portions:
    """What is still to be paid of these installments, by what it is."""
    left = Portions()
    for installment in installments:
        owed: dict[str, int] = {component: installment.owed(component) for component in COMPONENTS}
        left = left.plus(Portions(**owed))
    return left


def allocate(
    installments: Sequence[Installment], paise: int, on: date, order: tuple[Component, ...]
) -> tuple[list[Installment], Portions]:
    """The installments after `paise` arrived on that date, and what they paid; untouched ones are the same objects."""
    left, total = paise, Portions()
    after: list[Installment] = []
    for installment in installments:
        paid = _take(installment, left, order) if left else Portions()
        after.append(_pay(installment, paid, on) if paid.repaid else installment)
        left -= paid.repaid
        total = total.plus(paid)
    return after, replace(total, overpayment=left)


def _take(installment: Installment, paise: int, order: tuple[Component, ...]) -> Portions:
    taken: dict[str, int] = {}
    for component in order:
        taken[component] = min(installment.owed(component), paise)
        paise -= taken[component]
    return Portions(**taken)


def _pay(installment: Installment, paid: Portions, on: date) -> Installment:
    total = installment.paid.plus(paid)
    return replace(
        installment,
        paid=total,
        paid_in_advance=installment.paid_in_advance + (paid.repaid if on < installment.due_date else 0),
        paid_late=installment.paid_late + (paid.repaid if on > installment.due_date else 0),
        met_on=on if total.repaid + installment.waived.repaid == installment.due.repaid else None,
    )


def waive(
    installments: Sequence[Installment], paise: int, on: date, component: Component, falling_due: date
) -> tuple[list[Installment], Portions]:
    """The installments after up to `paise` of one component were waived, and what was waived.

    The first one that is due on or after `falling_due` comes first.
    """
    left = paise
    after: list[Installment] = []
    for installment in installments:
        part = 0 if installment.due_date < falling_due else min(installment.owed(component), left)
        after.append(_waive(installment, component, part, on) if part else installment)
        left -= part
    return after, _of(component, paise - left)


def _waive(installment: Installment, component: Component, paise: int, on: date) -> Installment:
    waived = replace(installment, waived=installment.waived.plus(_of(component, paise)))
    return replace(waived, met_on=waived.met_on if waived.outstanding else on)


def _of(component: Component, paise: int) -> Portions:
    amounts: dict[str, int] = {component: paise}
    return Portions(**amounts)
