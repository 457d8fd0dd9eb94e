"""Settlement reports of the gateways, as their dashboards write them and as their APIs answer, in one form.

Razorpay's dashboard writes rupees and a fee without its tax, its API paise and a fee that holds the tax. Cashfree
writes rupees in both. What a gateway kept of a payment is the payment less what it settled; where the stated fee says
otherwise, the report is refused. A line that is not settled yet is left out: it comes again with its settlement.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from turno_lms.domain.dates import IST, ist_date_of_epoch
from turno_lms.domain.money import AmountError, paise_to_rupees, rupees

GATEWAYS = ("razorpay", "cashfree")
_DATES = ("%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y", "%Y-%m-%d")
_ENTITIES = {"payment": "payment", "refund": "refund", "adjustment": "adjustment"}


class SettlementError(ValueError):
    """A report that cannot be taken; the message names the line and its fault. Nothing was stored."""


@dataclass(frozen=True)
class SettlementLine:
    """One payment, refund or adjustment. Rupees; `fee` holds the GST, `net` is what reached the bank."""

    number: int
    entity: str
    entity_id: str
    payment_id: str | None
    method: str | None
    amount: Decimal
    fee: Decimal
    tax: Decimal | None
    net: Decimal
    settlement_id: str
    utr: str | None
    settled_on: date | None
    payload: Mapping[str, Any] = field(repr=False, compare=False)


Row = Mapping[str, Any]


def read_file(gateway: str, text: str) -> list[SettlementLine]:
    """The lines of a report from the gateway's dashboard, saved as CSV. Raises SettlementError."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    layout = _FILES[gateway]
    if missing := sorted(layout.headings - {heading.strip() for heading in rows.fieldnames or []}):
        raise SettlementError(f"the report lacks the column {missing[0]!r}: is it {gateway}'s?")
    trimmed = (
        {(name or "").strip(): (value or "").strip() for name, value in row.items() if isinstance(value, str)}
        for row in rows
    )
    return list(_lines(trimmed, layout.line))


def read_api(gateway: str, items: Iterable[Row]) -> list[SettlementLine]:
    """The lines of the gateway API's answer. Raises SettlementError."""
    return list(_lines(items, _APIS[gateway]))


def _lines(
    rows: Iterable[Row], line_of: Callable[[int, Row], SettlementLine | None]
) -> Iterator[SettlementLine]:
    for number, row in enumerate(rows, start=1):
        try:
            line = line_of(number, row)
        except (AmountError, ValueError, KeyError) as error:
            raise SettlementError(f"line {number}: {error}") from error
        if line is None:
            continue
        kept = line.amount - line.net
        if line.entity == "payment" and kept != line.fee:
            raise SettlementError(
                f"line {number}, {line.entity_id}: {line.amount} less {line.net} is {kept}, but its fee is {line.fee}"
            )
        yield line


def _razorpay_file(number: int, row: Row) -> SettlementLine | None:
    if not row["settlement_id"]:
        return None
    entity = _ENTITIES.get(row["transaction_entity"], "other")
    fee, tax = _rupees(row["fee (exclusive tax)"]), _rupees(row["tax"])
    return SettlementLine(
        number, entity, row["entity_id"], row["entity_id"] if entity == "payment" else None,
        row.get("payment_method") or None, _rupees(row["amount"]), fee + tax, tax,
        _rupees(row["credit"]) - _rupees(row["debit"]), row["settlement_id"], row["settlement_utr"] or None,
        _day(row.get("settled_at")), dict(row),
    )  # fmt: skip


def _razorpay_api(number: int, row: Row) -> SettlementLine | None:
    if not row.get("settlement_id") or not row.get("settled", True):
        return None
    entity = _ENTITIES.get(row["type"], "other")
    payment_id = row["entity_id"] if entity == "payment" else row.get("payment_id")
    settled_at = row.get("settled_at")
    return SettlementLine(
        number, entity, row["entity_id"], payment_id, row.get("method"), _paise(row["amount"]),
        _paise(row.get("fee")), _paise(row.get("tax")), _paise(row["credit"]) - _paise(row["debit"]),
        row["settlement_id"], row.get("settlement_utr"), ist_date_of_epoch(settled_at) if settled_at else None,
        dict(row),
    )  # fmt: skip


def _cashfree_file(number: int, row: Row) -> SettlementLine | None:
    named = {
        "event_type": row["Event Type"], "event_id": row["Event ID"], "sale_type": row["Sale Type"],
        "event_amount": row["Event Amount"], "event_settlement_amount": row["Event Settlement Amount"],
        "settlement_date": row["Settlement Date"], "settlement_utr": row["UTR"],
        "cf_settlement_id": row.get("Settlement ID") or row["UTR"], "cf_payment_id": row.get("CF Payment ID"),
        "payment_service_tax": row.get("Service Tax"), "payment_group": row.get("Payment Group"),
    }  # fmt: skip
    line = _cashfree_api(number, named)
    return line and SettlementLine(**{**vars(line), "payload": dict(row)})


def _cashfree_api(number: int, row: Row) -> SettlementLine | None:
    settlement = row.get("cf_settlement_id")
    if not settlement:
        return None
    entity = _ENTITIES.get(str(row["event_type"]).lower(), "adjustment")
    amount, settled = _rupees(row["event_amount"]), _rupees(row["event_settlement_amount"])
    tax = row.get("payment_service_tax")
    sign = -1 if str(row.get("sale_type")).upper() == "DEBIT" else 1
    payment_id = row.get("cf_payment_id") or (row["event_id"] if entity == "payment" else None)
    return SettlementLine(
        number, entity, str(row["event_id"]), str(payment_id) if payment_id else None,
        row.get("payment_group") or None, amount, amount - settled if entity == "payment" else Decimal(0),
        _rupees(tax) if tax not in (None, "") else None, sign * settled, str(settlement),
        str(row["settlement_utr"]) if row.get("settlement_utr") else None, _day(row.get("settlement_date")),
        dict(row),
    )  # fmt: skip


@dataclass(frozen=True)
class _FileLayout:
    headings: frozenset[str]
    line: Callable[[int, Row], SettlementLine | None]


_FILES = {
    "razorpay": _FileLayout(
        frozenset(
            {
                "transaction_entity", "entity_id", "amount", "fee (exclusive tax)", "tax", "debit", "credit",
                "settlement_id", "settlement_utr",
            }
        ),
        _razorpay_file,
    ),
    "cashfree": _FileLayout(
        frozenset(
            {
                "Event ID", "Event Type", "Sale Type", "Event Amount", "Event Settlement Amount", "Settlement Date",
                "UTR",
            }
        ),
        _cashfree_file,
    ),
}  # fmt: skip
_APIS = {"razorpay": _razorpay_api, "cashfree": _cashfree_api}


def _rupees(value: Any) -> Decimal:
    """Rupees of a cell or a JSON number; blank is none."""
    return rupees(str(value).replace(",", "")) if value not in (None, "") else Decimal("0.00")


def _paise(value: Any) -> Decimal:
    return paise_to_rupees(int(value or 0))


def _day(text: Any) -> date | None:
    """The IST day of a moment as a report writes it; None for blank."""
    if not text:
        return None
    for layout in _DATES:
        try:
            return datetime.strptime(str(text), layout).replace(tzinfo=IST).date()
        except ValueError:
            continue
    moment = datetime.fromisoformat(str(text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=IST)).astimezone(IST).date()
