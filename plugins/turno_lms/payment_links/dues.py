"""What a loan owes as Fineract says now, and whom to ask for it.

Nothing is calculated here: instalments, overdue and outstanding rupees are read off Fineract's own schedule and
summary, charges included. Personal data is read when a link is sent, and passed on without being kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Protocol

from turno_lms.domain.money import rupees
from turno_lms.domain.states import LinkPurpose, LinkSkip
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.payment_links.links import Customer
from turno_lms.warehouse.connection import WarehouseConnection

_ACTIVE = 300
_NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Quote:
    """What is due for a purpose: rupees, the due they belong to, and Fineract's number of the borrower."""

    loan_id: str
    client_id: int
    amount: Decimal
    due_on: date


class Dues(Protocol):
    """Where quotes and contacts come from. One for each thread."""

    def quote(self, loan_id: str, purpose: LinkPurpose) -> Quote | LinkSkip:
        """What the loan owes now, or why there is nothing to ask for."""

    def customer(self, client_id: int) -> Customer | None:
        """Whom to send the link to, None where there is no phone number."""


class FineractDues:
    """Dues of one lender's loans, from Fineract. Raises FineractError while Fineract does not answer."""

    def __init__(self, client: FineractClient, conn: WarehouseConnection, product_id: int) -> None:
        self._client = client
        self._conn = conn
        self._product_id = product_id

    def quote(self, loan_id: str, purpose: LinkPurpose) -> Quote | LinkSkip:
        """What the loan owes now; a loan of another lender's product is not known here."""
        external_id = loan_addresses(self._conn, [loan_id])[loan_id].external_id
        loan = self._client.find_loan(external_id, ("repaymentSchedule",))
        if loan is None or loan.get("loanProductId") != self._product_id:
            return LinkSkip.UNKNOWN_LOAN
        return quote_of(loan_id, loan, purpose)

    def customer(self, client_id: int) -> Customer | None:
        """The borrower's name, phone number and e-mail address."""
        client = self._client.read_client(client_id)
        phone = str(client.get("mobileNo") or "").strip()
        if not phone:
            return None
        email = str(client.get("emailAddress") or "").strip()
        return Customer(str(client.get("displayName") or ""), phone, email or None)


def quote_of(loan_id: str, loan: Json, purpose: LinkPurpose) -> Quote | LinkSkip:
    """What a loan of Fineract's API owes for a purpose."""
    if loan["status"]["id"] != _ACTIVE:
        return LinkSkip.NOT_ACTIVE
    found = _READERS[purpose](loan)
    if found is None or found[0] <= _NOTHING:
        return LinkSkip.NOTHING_DUE
    return Quote(loan_id, int(loan["clientId"]), *found)


def _earliest_unpaid(loan: Json) -> tuple[Decimal, date] | None:
    owed = (
        (_rupees(period, "totalOutstandingForPeriod"), _day(period["dueDate"])) for period in _periods(loan)
    )
    return next(((amount, due_on) for amount, due_on in owed if amount > _NOTHING), None)


def _overdue(loan: Json) -> tuple[Decimal, date] | None:
    """Everything overdue; it belongs to the latest instalment that is, so that a further one makes another due."""
    late = [
        _day(period["dueDate"]) for period in _periods(loan) if _rupees(period, "totalOverdue") > _NOTHING
    ]
    return (_rupees(loan.get("summary") or {}, "totalOverdue"), max(late)) if late else None


def _outstanding(loan: Json) -> tuple[Decimal, date]:
    maturity = _day(loan["timeline"]["expectedMaturityDate"])
    return _rupees(loan.get("summary") or {}, "totalOutstanding"), maturity


_READERS = {
    LinkPurpose.EMI: _earliest_unpaid,
    LinkPurpose.OVERDUE: _overdue,
    LinkPurpose.OUTSTANDING: _outstanding,
}


def _periods(loan: Json) -> Iterator[Json]:
    """The instalments in order, without the rows of disbursals."""
    for period in loan["repaymentSchedule"]["periods"]:
        if period.get("period") is not None:
            yield period


def _rupees(part: Json, name: str) -> Decimal:
    return rupees(part.get(name) or 0)


def _day(value: Any) -> date:
    """Fineract's `[year, month, day]`."""
    return date(*value)
