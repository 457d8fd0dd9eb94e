"""What a lender's mapping says about payment links: the gateway, and how links are sent, limited and followed up."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from turno_lms.domain.money import AmountError, rupees
from turno_lms.lenders.parts import Part

RupeesText = Annotated[str, StringConstraints(max_length=20)]
Basis = Literal["emi", "overdue", "outstanding"]
REFERENCE_FIELDS = {
    "razorpay": ("payload.payment_link.entity.reference_id", "payload.order.entity.receipt"),
    "cashfree": ("data.link_id", "data.order.order_tags.link_id"),
}
"""Where a gateway's webhooks carry the reference of the link that was paid."""
REFERENCE_SEPARATOR = "_"


def _rupees(text: str) -> str:
    try:
        amount = rupees(text)
    except AmountError as error:
        raise ValueError(str(error)) from error
    if amount <= 0:
        raise ValueError(f"{text!r} must be more than nothing")
    return text


class PartialPayment(Part):
    """Whether a link may be paid in parts, and the least the first part must be, in rupees."""

    first_at_least: RupeesText

    _amount = field_validator("first_at_least")(_rupees)

    @property
    def least(self) -> Decimal:
        """The least first part in rupees."""
        return rupees(self.first_at_least)


class AutomaticLinks(Part):
    """Links that the schedule makes by itself: for loans overdue by so many days, asking for so much."""

    overdue_days: int = Field(ge=0, le=365)
    amount: Basis


class PaymentLinkPolicy(Part):
    """How a lender's payment links are made."""

    gateway: Literal["razorpay", "cashfree"]
    notify: Annotated[tuple[Literal["sms", "email"], ...], Field(strict=False)] = ("sms",)
    """How the gateway tells the borrower; an empty list tells nobody."""
    reminders: bool = False
    """Whether the gateway reminds the borrower by itself."""
    expires_after_days: int = Field(default=7, ge=1, le=180)
    partial_payment: PartialPayment | None = None
    """Without it a link is paid whole or not at all."""
    minimum_amount: RupeesText = "1.00"
    """Rupees below which no link is made: the gateway's limit, or what is worth a message."""
    rate_per_second: int = Field(default=5, ge=1, le=100)
    """Calls a second that the account is asked at most."""
    failed_percent: int = Field(default=10, ge=0, le=100)
    """Share of a run's links that may be refused before the run itself counts as failed."""
    automatic: AutomaticLinks | None = None

    _amount = field_validator("minimum_amount")(_rupees)

    @property
    def minimum(self) -> Decimal:
        """The least amount of a link in rupees."""
        return rupees(self.minimum_amount)

    @model_validator(mode="after")
    def _each_way_once(self) -> Self:
        if len(set(self.notify)) < len(self.notify):
            raise ValueError("notify names a way twice")
        return self
