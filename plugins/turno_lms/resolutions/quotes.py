"""Quotes: a loan's dues as Fineract has them at this moment, and what stands in the way of acting on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from turno_lms.domain.keys import canonical_lender, canonical_loan_id
from turno_lms.domain.resolutions import Charge, Dues
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.errors import FineractRefusedError
from turno_lms.fineract.repayments import iso_date, locale_amount
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.resolutions.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection

ACTIVE, CLOSED, WRITTEN_OFF, OVERPAID = 300, 600, 601, 700
"""Fineract's loan statuses."""
PREPAYMENT = "prepayLoan"
"""Fineract's template of the figure that ends a loan with interest recalculation."""
_PER_INSTALLMENT = 8
"""Fineract's charge time type of installment fees: waiving one waives a single installment."""
_LENDER = "select lender, product_id from core.core_lender where lender = %s"
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('resolution of ' || %s, 0))"


class ResolutionError(ValueError):
    """What was asked for is not allowed, or not now; the message says why and what to do. Nothing was changed."""


@dataclass(frozen=True)
class Quote:
    """A loan as Fineract shows it now. `payoff` (rupees) is what would end it today as its product has it:
    a foreclosure, or with interest recalculation the prepayment figure; None where Fineract quotes none.

    `to_settle` is what a settlement starts from: the dues, future interest included, because that is what the books
    forgive; with interest recalculation the prepayment figure of the day asked about, because no more is ever owed.
    """

    lender: str
    loan_id: str
    external_id: str
    status: int
    dues: Dues
    to_settle: Dues
    charges: tuple[Charge, ...]
    days_past_due: int
    payoff: Decimal | None
    payoff_by: str | None


def recalculates(loan: Json) -> bool:
    """Whether the loan's product recalculates interest: foreclosure is refused, prepayment is its way out."""
    return bool(loan.get("isInterestRecalculationEnabled"))


def quote_loan(  # noqa: PLR0917  # which loan, and of which days
    conn: WarehouseConnection,
    client: FineractClient,
    lender: str,
    loan_id: str,
    today: date,
    paid_by: date | None = None,
) -> Quote:
    """Ask Fineract for an active loan's dues; what is to settle is quoted for the day `paid_by`, or today.

    Raises ResolutionError for another lender's loan or one not active.
    """
    lender, loan_id = canonical_lender(lender), canonical_loan_id(loan_id)
    known = conn.execute(_LENDER, (lender,)).fetchone()
    if known is None:
        raise ResolutionError(f"lender {lender} is not known: `turno lenders apply` makes it so")
    external_id = loan_addresses(conn, [loan_id])[loan_id].external_id
    loan = client.find_loan(external_id, ("charges", "collection"))
    if loan is None:
        raise ResolutionError(f"Fineract has no loan {loan_id}")
    if loan.get("loanProductId") != known["product_id"]:
        raise ResolutionError(
            f"loan {loan_id} has product {loan.get('loanProductId')}, which is not {lender}'s"
        )
    status = int(loan["status"]["id"])
    if status != ACTIVE:
        shown = loan["status"].get("value") or status
        raise ResolutionError(f"loan {loan_id} is {shown}: only an active loan can be settled or written off")
    payoff, payoff_by = _pay_off(client, loan, external_id, today)
    dues = dues_of(loan)
    to_settle = _prepayment(client, external_id, paid_by or today) if recalculates(loan) else dues
    return Quote(
        lender, loan_id, external_id, status, dues, to_settle, tuple(_charges(loan)), days_past_due(loan, today),
        payoff, payoff_by,
    )  # fmt: skip


def dues_of(loan: Json) -> Dues:
    """Rupees outstanding by component, from the summary; missing figures are nothing owed."""
    summary = loan.get("summary", {})

    def owed(name: str) -> Decimal:
        return locale_amount(summary.get(f"{name}Outstanding") or 0) or Decimal(0)

    return Dues(owed("principal"), owed("interest"), owed("feeCharges"), owed("penaltyCharges"))


def _prepayment(client: FineractClient, external_id: str, on: date) -> Dues:
    """What ends a loan with interest recalculation on a day: principal, interest up to it, charges due by then."""
    template = client.pay_off_quote(external_id, PREPAYMENT, on)

    def owed(name: str) -> Decimal:
        return locale_amount(template.get(f"{name}Portion") or 0) or Decimal(0)

    return Dues(owed("principal"), owed("interest"), owed("feeCharges"), owed("penaltyCharges"))


def still_owed(client: FineractClient, loan: Json, on: date) -> Decimal:
    """Rupees that end a loan on a day: everything outstanding, or the prepayment figure of its product."""
    status = int(loan.get("status", {}).get("id") or 0)
    if status == ACTIVE and recalculates(loan):
        return _prepayment(client, loan["externalId"], on).total
    return outstanding_of(loan)


def outstanding_of(loan: Json) -> Decimal:
    """Rupees outstanding on a loan as Fineract shows it; its summary may be missing after the end."""
    return locale_amount(loan.get("summary", {}).get("totalOutstanding") or 0) or Decimal(0)


def days_past_due(loan: Json, today: date) -> int:
    """Days since the oldest unpaid due date: Fineract's own count where it gives one."""
    counted = loan.get("delinquent", {}).get("pastDueDays")
    if isinstance(counted, int):
        return counted
    since = iso_date(loan.get("summary", {}).get("overdueSinceDate"))
    return max((today - since).days, 0) if since else 0


def _charges(loan: Json) -> list[Charge]:
    """Charges with money outstanding, in the order of their due dates."""
    listed = [
        (iso_date(each.get("dueDate") or each.get("dueAsOfDate")) or date.min, int(each["id"]), each)
        for each in loan.get("charges", [])
    ]
    return [
        Charge(charge_id, bool(each.get("penalty")), amount, _is_per_installment(each))
        for _, charge_id, each in sorted(listed, key=lambda entry: entry[:2])
        if (amount := locale_amount(each.get("amountOutstanding") or 0) or Decimal(0))
    ]


def _is_per_installment(charge: dict[str, Any]) -> bool:
    return bool(charge.get("chargeTimeType", {}).get("id") == _PER_INSTALLMENT)


def _pay_off(
    client: FineractClient, loan: Json, external_id: str, today: date
) -> tuple[Decimal | None, str | None]:
    """A product with interest recalculation refuses foreclosure; its way out is the prepayment figure."""
    command = PREPAYMENT if recalculates(loan) else "foreclosure"
    try:
        amount = locale_amount(client.pay_off_quote(external_id, command, today).get("amount"))
    except FineractRefusedError:  # an undisbursed tranche, for one: the settlement can do without the figure
        return None, None
    return (amount, command) if amount is not None else (None, None)


def take_turn(conn: WarehouseConnection, loan_id: str) -> None:
    """Let one transaction at a time begin or decide something about a loan."""
    conn.execute(_ONE_AT_A_TIME, (loan_id,))


def check_guards(
    conn: WarehouseConnection, loan_id: str, *, ref: str | None = None, override_reason: str | None = None
) -> None:
    """Raise ResolutionError while postings, reversals, open questions or another resolution stand in the way.

    An `override_reason` answers the open questions, nothing else.
    """
    faults = _faults(conn, loan_id, ref)
    if override_reason:
        faults.pop("questions", None)
    if faults:
        raise ResolutionError(f"loan {loan_id}: {'; '.join(faults.values())}")


def money_on_its_way(conn: WarehouseConnection, loan_id: str, ref: str) -> str | None:
    """What of the loan's money is on its way to Fineract or back, in words; None if the ledger is drained."""
    faults = _faults(conn, loan_id, ref)
    return faults.get("in_flight") or faults.get("reversals")


def _faults(conn: WarehouseConnection, loan_id: str, ref: str | None) -> dict[str, str]:
    row = conn.execute(STATEMENTS["loan_guards"], {"loan": loan_id, "ref": ref}).fetchone() or {}
    texts = {
        "others": "{} is under way: end it first",
        "in_flight": "repayments are on their way to Fineract, let post_repayments end them first: {}",
        "reversals": "reversals are open, end them with reverse_repayment first: {}",
        "questions": "there are open questions about it ({}): answer them, or give a reason to go on all the same",
    }
    return {name: text.format(_listed(row, name)) for name, text in texts.items() if row.get(name)}


def _listed(row: Row, name: str) -> str:
    entries: Sequence[str] = row[name]
    return ", ".join(entries)
