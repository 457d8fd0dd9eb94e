"""The payment links of the stand-in: what both gateways keep about one, and the rules of its life that they share."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from local_stack.gateways.payments import Gateway, Payment


class Status(StrEnum):
    """A link's state, by neither gateway's spelling."""

    ACTIVE = "active"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


PAYABLE = frozenset({Status.ACTIVE, Status.PARTLY_PAID})


class LinkRuleError(ValueError):
    """What a gateway's documentation forbids."""


@dataclass
class Link:
    """A payment link. Money is paise; `asked` is the body it was created with, `key` its idempotency key."""

    gateway: Gateway
    account: str
    reference: str
    paise: int
    accept_partial: bool
    least_first_paise: int
    expires_at: datetime
    asked: dict[str, Any]
    key: str | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_as: Status | None = None
    payments: list[Payment] = field(default_factory=list)

    @property
    def short_id(self) -> str:
        """Fourteen letters and digits that follow from account and reference."""
        text = f"{self.gateway}:{self.account}:{self.reference}"
        return hashlib.sha256(text.encode()).hexdigest()[:14]

    @property
    def number(self) -> int:
        """Cashfree's own number of the link."""
        return int(self.short_id, 16) % 10**9

    @property
    def paid_paise(self) -> int:
        """What was paid so far."""
        return sum(payment.paise for payment in self.payments)

    @property
    def status(self) -> Status:
        """Paid once the whole amount is; else ended, or expired by the clock."""
        if self.paid_paise >= self.paise:
            return Status.PAID
        if self.ended_as:
            return self.ended_as
        if self.expires_at <= datetime.now(UTC):
            return Status.EXPIRED
        return Status.PARTLY_PAID if self.payments else Status.ACTIVE

    def cancel(self) -> None:
        """Cancel it; LinkRuleError once something was paid or it has ended."""
        if self.status is not Status.ACTIVE:
            raise LinkRuleError(f"a link that is {self.status.value} cannot be cancelled")
        self._end(Status.CANCELLED)

    def expire(self) -> None:
        """End it as its expiry does."""
        if self.status not in PAYABLE:
            raise LinkRuleError(f"a link that is {self.status.value} cannot expire")
        self._end(Status.EXPIRED)

    def _end(self, status: Status) -> None:
        self.ended_as = status
        self.changed_at = datetime.now(UTC)

    def take(self, payment: Payment, *, was_under_way: bool = False) -> None:
        """Take a payment; LinkRuleError where the page would not let it be made.

        `was_under_way`: it was begun before the link ended, and reached the bank after.
        """
        left = self.paise - self.paid_paise
        if self.status not in PAYABLE and not was_under_way:
            raise LinkRuleError(f"a link that is {self.status.value} cannot be paid")
        if payment.paise != left and not self.accept_partial:
            raise LinkRuleError(f"{Decimal(left) / 100} is due, and no part of it is accepted")
        if not self.payments and payment.paise < min(self.least_first_paise, left):
            raise LinkRuleError(f"the first part is at least {Decimal(self.least_first_paise) / 100}")
        if payment.paise > left:
            raise LinkRuleError(f"only {Decimal(left) / 100} is due")
        self.payments.append(payment)
        self.changed_at = datetime.now(UTC)


class LinkBook:
    """The links of all accounts: a reference is taken once at a gateway's account, also by a link that has ended."""

    def __init__(self) -> None:
        self._by_reference: dict[tuple[Gateway, str], list[Link]] = {}
        self._by_id: dict[tuple[Gateway, str], Link] = {}

    def add(self, link: Link) -> None:
        """Keep a link whose reference is free."""
        self._by_reference.setdefault((link.gateway, link.reference), []).append(link)
        self._by_id[link.gateway, link.short_id] = link

    def get(self, gateway: Gateway, account: str, reference: str) -> Link | None:
        """The link under a reference, as an account sees it; the shared one sees all."""
        found = self._by_reference.get((gateway, reference), [])
        return next((link for link in found if account in {"", link.account}), None)

    def by_short_id(self, gateway: Gateway, account: str, short_id: str) -> Link | None:
        """The link under its made-up id, as an account sees it."""
        link = self._by_id.get((gateway, short_id))
        return link if link and account in {"", link.account} else None

    def all(self) -> list[Link]:
        """Every link."""
        return list(self._by_id.values())
