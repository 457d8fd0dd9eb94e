"""What a mapping may say about reconciliation: tolerances, deadlines for exceptions, and what a gateway may charge."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from turno_lms.lenders.parts import Name, Part, Text, wrong

RupeeText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,12}(\.[0-9]{1,2})?$")]
PercentText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,2}(\.[0-9]{1,4})?$")]
OTHER_METHODS = "other"
"""The rate for every method that a card does not name."""


class SlaStep(Part):
    """Exceptions of at least so many rupees are to be closed within so many hours."""

    above_rupees: int = Field(ge=0)
    hours: int = Field(gt=0, le=2160)


class Rate(Part):
    """What a gateway keeps of one payment: a percentage of its amount and a flat sum, before GST."""

    percent: PercentText = "0"
    flat_rupees: RupeeText = "0"


class RateCard(Part):
    """What one gateway may charge a lender, by method of payment (upi, card, netbanking, ...; `other` for the rest)."""

    gst_percent: PercentText = "18"
    methods: Annotated[dict[Name, Rate], Field(min_length=1)]


class StatementColumns(Part):
    """The headings of a lender's statement of balances; what it does not say is not compared."""

    loan_id: Text
    as_of: Text
    total_outstanding: Text
    principal_outstanding: Text | None = None
    interest_outstanding: Text | None = None
    fees_outstanding: Text | None = None
    penalties_outstanding: Text | None = None
    days_past_due: Text | None = None
    status: Text | None = None


class LoanStatement(Part):
    """Balances that a lender sends as CSV, under statements/<lender>/ in the bucket."""

    columns: StatementColumns
    date_format: Annotated[str, StringConstraints(pattern="%d.*%Y|%Y.*%d", max_length=20)] = "%d/%m/%Y"
    statuses: dict[
        Literal["active", "closed", "written_off"], Annotated[tuple[Text, ...], Field(strict=False)]
    ] = {}

    @model_validator(mode="after")
    def _statuses_belong_to_a_column(self) -> Self:
        if (self.columns.status is None) != (not self.statuses):
            raise ValueError("status under columns and statuses belong together")
        return self


class Reconciliation(Part):
    """How this lender's records are compared. Amounts are rupees in quotes, so that no digit is lost."""

    date_tolerance_days: int = Field(default=3, ge=0, le=10)
    """How many days the two sides of one payment may be dated apart (T+0 to T+3)."""
    amount_tolerance_rupees: RupeeText = "0"
    """How many rupees they may differ by, beyond what a charge explains."""
    expected_days: int = Field(default=3, ge=0, le=31)
    """For how many days a missing other side is expected rather than wrong."""
    sla: Annotated[tuple[SlaStep, ...], Field(strict=False, min_length=1)] = (
        SlaStep(above_rupees=0, hours=72),
        SlaStep(above_rupees=100_000, hours=24),
    )
    rate_cards: dict[Literal["razorpay", "cashfree"], RateCard] = {}
    loan_statement: LoanStatement | None = None

    @field_validator("amount_tolerance_rupees")
    @classmethod
    def _small(cls, text: str) -> str:
        if Decimal(text) > _MOST_TOLERANCE:
            raise ValueError(
                f"more than {_MOST_TOLERANCE} rupees is no tolerance: it would hide short payments"
            )
        return text

    @model_validator(mode="after")
    def _one_step_for_everything(self) -> Self:
        floors = [step.above_rupees for step in self.sla]
        if min(floors) != 0 or len(set(floors)) != len(floors):
            raise wrong("needs one step above_rupees: 0, and no floor twice", "sla")
        return self


_MOST_TOLERANCE = Decimal(10)
