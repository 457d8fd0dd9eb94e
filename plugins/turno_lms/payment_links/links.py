"""What every gateway can do with a payment link, in one set of terms, and how a call can fail.

Money is Decimal rupees here; each client speaks its gateway's own unit. A link is known to us by its reference, which
each gateway accepts once: that is what makes a repeat safe, for neither creation has a retry of its own that is.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

_INDIAN_DIGITS = 10


class LinkError(RuntimeError):
    """A call about a link that did not end in success; the message holds no personal data."""


class LinkRefusedError(LinkError):
    """Refused for good: what was asked breaks a rule of the gateway or of the link's state."""


class LinkNotFoundError(LinkRefusedError):
    """There is no such link."""


class LinkExistsError(LinkError):
    """The gateway has a link under this reference: look it up."""


class RateLimitedError(LinkError):
    """429: nothing was done. `wait_seconds` is what the gateway asked for, None where it does not say."""

    def __init__(self, message: str, wait_seconds: int | None = None):
        super().__init__(message)
        self.wait_seconds = wait_seconds


class LinkUnknownError(LinkError):
    """No answer, or none that can be read: the call may have taken effect. Look up before sending it again."""


class LinkAccountError(LinkError):
    """The account refuses us: every further call would fail alike. Correct its connection, then run again."""


class GatewayStatus(StrEnum):
    """A link as its gateway has it."""

    ACTIVE = "active"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Customer:
    """Who the link goes to, read from Fineract when it is sent and kept nowhere."""

    name: str = field(repr=False)
    phone: str = field(repr=False)
    email: str | None = field(repr=False, default=None)


@dataclass(frozen=True)
class LinkOrder:
    """What is asked of a gateway. `minimum_partial` is rupees, None where the gateway's own minimum is enough."""

    reference: str
    loan_id: str
    amount: Decimal
    description: str
    expires_at: datetime
    customer: Customer
    accept_partial: bool = False
    minimum_partial: Decimal | None = None
    notify_sms: bool = True
    notify_email: bool = False
    reminders: bool = False


@dataclass(frozen=True)
class LinkPayment:
    """Money collected through a link. `reference` is `<gateway>:<payment id>`, as the warehouse names it.

    `payer_differs`: whether the gateway names another contact for the payer than for the link's customer.
    """

    reference: str
    amount: Decimal
    payer_differs: bool = False


@dataclass(frozen=True)
class GatewayLink:
    """A link as its gateway has it, from its API or one of its webhooks."""

    reference: str
    gateway_link_id: str
    short_url: str | None
    status: GatewayStatus
    amount: Decimal
    amount_paid: Decimal
    payments: tuple[LinkPayment, ...] = ()


class LinkGateway(Protocol):
    """One lender's account at a gateway. Not thread-safe: one for each thread."""

    def create(self, order: LinkOrder) -> GatewayLink:
        """Create a link, once: nothing here tries again. Raises a LinkError."""

    def find(self, reference: str, gateway_link_id: str | None = None) -> GatewayLink | None:
        """The link under a reference with its payments, None if there is none. Raises a LinkError."""

    def cancel(self, reference: str, gateway_link_id: str) -> GatewayLink:
        """Cancel a link that nothing was paid on; raises LinkRefusedError where it cannot be cancelled any more."""


def same_contact(one: str | None, other: str | None) -> bool:
    """Whether two phone numbers may be one: the same last ten digits. One that is not known contradicts nothing."""
    first, second = _last_digits(one), _last_digits(other)
    return not first or not second or first == second


def _last_digits(phone: str | None) -> str:
    return "".join(sign for sign in phone or "" if sign.isdigit())[-_INDIAN_DIGITS:]
