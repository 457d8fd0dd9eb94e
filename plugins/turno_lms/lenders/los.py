"""What a mapping says about loans that the loan origination system hands over: what they get beyond their product."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, StringConstraints

from turno_lms.lenders.parts import Part

Rupees = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,2})?$")]
Rate = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,3}(\.[0-9]{1,6})?$")]


class LoanTerms(Part):
    """Terms in place of the product's, under Fineract's numbers. What is left out is as the product proposes it."""

    repayment_every: int | None = Field(default=None, ge=1, le=365)
    repayment_frequency_type: int | None = Field(default=None, ge=0, le=3)
    """0 days, 1 weeks, 2 months, 3 years."""
    interest_rate_per_period: Rate | None = None
    amortization_type: int | None = Field(default=None, ge=0, le=1)
    """0 equal principal, 1 equal instalments."""
    interest_type: int | None = Field(default=None, ge=0, le=1)
    """0 declining balance, 1 flat."""
    interest_calculation_period_type: int | None = Field(default=None, ge=0, le=1)
    """0 daily, 1 as the instalments."""
    transaction_processing_strategy_code: (
        Annotated[str, StringConstraints(min_length=1, max_length=100)] | None
    ) = None
    grace_on_principal_payment: int | None = Field(default=None, ge=0, le=600)


class LoanCharge(Part):
    """A charge that every new loan of the lender gets."""

    charge_id: int = Field(gt=0)
    amount: Rupees


class LoanOperations(Part):
    """How operations of the loan origination system are carried out for this lender."""

    office_id: int = Field(default=1, gt=0)
    """The office of new clients."""
    terms: LoanTerms = LoanTerms()
    charges: Annotated[tuple[LoanCharge, ...], Field(strict=False)] = ()
    disbursal_payment_type_id: int | None = Field(default=None, gt=0)
    atomic_chain: bool = False
    """Whether creation, approval and disbursal that were submitted together are one transaction in Fineract."""
    instalment_tolerance: Rupees = "1.00"
    """How far the schedule's instalment may be from the one submitted."""
    amount_tolerance: Rupees = "0.00"
    """The same for the amount disbursed against the amount approved, and for money received to foreclose."""

    @property
    def most_off(self) -> tuple[Decimal, Decimal]:
        """The tolerances in rupees: of the instalment, and of amounts."""
        return Decimal(self.instalment_tolerance), Decimal(self.amount_tolerance)
