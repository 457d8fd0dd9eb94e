"""What a lender allows for settlements and write-offs: the part `resolutions` of its mapping. Without it, none.

Rupees are whole ones. The figures themselves are in `domain.resolutions`.
"""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from turno_lms.domain.resolutions import Band, Ending
from turno_lms.lenders.parts import Name, Part, Text, wrong


class ApprovalBand(Part):
    """Up to how much a band of approvers may forgive: both limits hold."""

    up_to_rupees: int = Field(gt=0)
    up_to_percent: int = Field(gt=0, le=100)
    approvers: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """User names as Airflow knows them; without any, every person but the requester."""


class _Banded(Part):
    bands: Annotated[dict[Name, ApprovalBand], Field(min_length=1)]
    """The smallest band that reaches far enough decides who approves."""

    @model_validator(mode="after")
    def _bands_differ(self) -> Self:
        reached: dict[int, str] = {}
        for name, band in self.bands.items():
            if band.up_to_rupees in reached:
                raise wrong(
                    f"reaches as far in rupees as {reached[band.up_to_rupees]}: which one decides is unclear",
                    "bands",
                    name,
                )
            reached[band.up_to_rupees] = name
        return self

    @property
    def approval_bands(self) -> tuple[Band, ...]:
        """The bands, the smallest first."""
        bands = (
            Band(name, Decimal(band.up_to_rupees), Decimal(band.up_to_percent), band.approvers)
            for name, band in self.bands.items()
        )
        return tuple(sorted(bands, key=lambda band: band.up_to_rupees))


class SettlementPolicy(_Banded):
    """Settlements: how what remains is ended, and how long a quote and a promise hold."""

    remainder: Literal["goodwill_credit", "write_off"]
    tolerance_rupees: int = Field(ge=0)
    """By how much the dues may move between the quote and the execution."""
    pay_within_days: int = Field(gt=0, le=90)
    longest_plan_days: int = Field(gt=0, le=730)

    @property
    def ending(self) -> Ending:
        """How the remainder is ended in Fineract."""
        return Ending(self.remainder)


class WriteOffPolicy(_Banded):
    """Write-offs: which loans may be written off, and whether they are charged off first."""

    min_days_past_due: int = Field(ge=0)
    max_rupees: int = Field(gt=0)
    charge_off_first: bool = False
    charge_off_reason_id: int | None = Field(default=None, gt=0)
    """Fineract's code value for charge-offs."""

    @model_validator(mode="after")
    def _reason_belongs_to_a_charge_off(self) -> Self:
        if self.charge_off_first and self.charge_off_reason_id is None:
            raise wrong("charge_off_first needs it: Fineract asks for a reason", "charge_off_reason_id")
        return self


class Resolutions(Part):
    """What may be done with a loan that is not paid as agreed. A part that is missing is not allowed."""

    settlement: SettlementPolicy | None = None
    write_off: WriteOffPolicy | None = None
