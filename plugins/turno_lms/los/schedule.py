"""The figures of a schedule as Fineract tells it, and how they compare with what was promised. Pure."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from turno_lms.domain.money import rupees
from turno_lms.fineract.repayments import iso_date


@dataclass(frozen=True)
class ScheduleFigures:
    """Rupees. The installment amount is principal and interest of the regular instalment: the amount that most
    instalments have, of two equally frequent ones the earlier.
    """

    installments: int
    installment_amount: Decimal
    first_due_on: date
    last_due_on: date
    principal: Decimal
    interest: Decimal
    fees: Decimal
    penalties: Decimal

    def to_dict(self) -> dict[str, Any]:
        """For a result: rupees and days as text."""
        return {
            "installments": self.installments,
            "installment_amount": f"{self.installment_amount:f}",
            "first_due_on": self.first_due_on.isoformat(),
            "last_due_on": self.last_due_on.isoformat(),
            "total_interest": f"{self.interest:f}",
            "total_fees": f"{self.fees + self.penalties:f}",
        }


def figures_of(schedule: dict[str, Any] | None) -> ScheduleFigures | None:
    """The figures of a `repaymentSchedule`, or of what calculateLoanSchedule answers; None where there is none."""
    periods = [period for period in (schedule or {}).get("periods", ()) if period.get("period")]
    days = [day for day in (iso_date(period.get("dueDate")) for period in periods) if day]
    if not periods or len(days) != len(periods):
        return None
    amounts = [_money(period, "principalDue") + _money(period, "interestDue") for period in periods]
    ((regular, _),) = Counter(amounts).most_common(1)
    return ScheduleFigures(
        installments=len(periods),
        installment_amount=regular,
        first_due_on=days[0],
        last_due_on=days[-1],
        principal=_total(periods, "principalDue"),
        interest=_total(periods, "interestDue"),
        fees=_total(periods, "feeChargesDue"),
        penalties=_total(periods, "penaltyChargesDue"),
    )


def _money(period: dict[str, Any], field: str) -> Decimal:
    return rupees(period.get(field) or 0)


def _total(periods: list[dict[str, Any]], field: str) -> Decimal:
    return sum((_money(period, field) for period in periods), Decimal("0.00"))
