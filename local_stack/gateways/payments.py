"""What a caller asks the stand-in for, and what it answers: a payment, and the fate of each of its webhooks."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class Gateway(StrEnum):
    """The gateways the stand-in can play."""

    RAZORPAY = "razorpay"
    CASHFREE = "cashfree"


DEFAULT_EVENTS = {
    Gateway.RAZORPAY: ("payment.captured",),
    Gateway.CASHFREE: ("PAYMENT_SUCCESS_WEBHOOK",),
}
EVENTS = {
    Gateway.RAZORPAY: frozenset(
        {"payment.authorized", "payment.captured", "payment.failed", "order.paid", "payment_link.paid"}
    ),
    Gateway.CASHFREE: frozenset({"PAYMENT_SUCCESS_WEBHOOK", "PAYMENT_FAILED_WEBHOOK"}),
}

Rupees = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=2)]


class Refund(BaseModel):
    """A refund at the gateway, processed or failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    refund_id: str
    amount: Rupees
    made_at: AwareDatetime
    is_failed: bool = False


class Payment(BaseModel):
    """One payment of a borrower. Everything sent about it follows from these fields: sent again, it is the same bytes.

    The loan is named where the lender's rule looks for it: in `notes`, in the order's `receipt`, in the payment
    link's `reference_id`, or through a mandate (`notes={"umrn": ...}`, method nach or emandate).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gateway: Gateway
    lender: str
    payment_id: str = Field(pattern=r"^[A-Za-z0-9_]{1,40}$")
    amount: Rupees
    paid_at: AwareDatetime
    method: Literal["upi", "netbanking", "card", "nach", "emandate"] = "upi"
    notes: dict[str, str] = {}
    receipt: str | None = None
    reference_id: str | None = None
    bank_reference: str | None = None
    umrn: str | None = None
    """The mandate behind the token of a payment by nach or emandate: the API says it, webhooks do not."""
    refund: "Refund | None" = None
    """What went back of it: the API says it, no webhook of it is sent."""
    link_id: str | None = None
    """Of the payment link it was made through; made up where only `reference_id` is given."""
    contact: str = "+919000000000"
    events: tuple[str, ...] = ()
    copies: int = Field(default=1, ge=0, le=50)
    """How often each event is delivered, as a gateway does that missed an answer; 0: its webhook never comes."""

    @model_validator(mode="after")
    def _events_of_the_gateway(self) -> Self:
        unknown = set(self.events) - EVENTS[self.gateway]
        if unknown:
            raise ValueError(
                f"{self.gateway} has no event {sorted(unknown)}; known: {sorted(EVENTS[self.gateway])}"
            )
        return self

    @property
    def events_to_send(self) -> tuple[str, ...]:
        """The events asked for, else the one that reports the money."""
        return self.events or DEFAULT_EVENTS[self.gateway]

    @property
    def paise(self) -> int:
        """The amount in paise."""
        return int(self.amount.scaleb(2))


class Delivery(BaseModel):
    """What became of one webhook. `status` is the receiver's last answer; None when there was none."""

    payment_id: str
    event: str
    event_id: str
    attempts: int
    status: int | None

    @property
    def accepted(self) -> bool:
        """Whether the receiver took it; the gateways count exactly this as success."""
        return self.status == 200  # noqa: PLR2004
