"""Settlement reports of the gateways, as their dashboards write them and as their APIs answer, in one form.

A report from a dashboard is a table of lines, as CSV or as a workbook. Cashfree's, and a workbook that holds Razorpay's
list of settlements as well, says beside it what each settlement came to: the lines must add up to that.

Razorpay's dashboard writes rupees and a fee without its tax, its API paise and a fee that holds the tax. Cashfree
writes rupees in both. What a gateway kept of a payment is the payment less what it settled; where the stated fee says
otherwise, the report is refused. A line that is not settled yet is left out: it comes again with its settlement.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from turno_lms.domain.dates import ist_date_of_epoch
from turno_lms.domain.money import paise_to_rupees
from turno_lms.reconciliation.settlement_lines import (
    NumberedRow,
    Row,
    SettlementError,
    SettlementLine,
    day_of,
    read_row,
    reference_of,
    rupees_of,
)
from turno_lms.reconciliation.settlement_totals import Stated, check_stated, without_totals

GATEWAYS = ("razorpay", "cashfree")
_ENTITIES = {"payment": "payment", "refund": "refund", "adjustment": "adjustment"}


@dataclass(frozen=True)
class FileTables:
    """The tables of a report from a dashboard: its lines, and what it says of each settlement (often nothing)."""

    lines: Sequence[NumberedRow]
    settlements: Sequence[NumberedRow] = ()


@dataclass(frozen=True)
class FileHeadings:
    """The headings of one of a report's tables: those by which it is known, and others that are read."""

    needed: frozenset[str]
    known: frozenset[str]


def file_headings(gateway: str) -> tuple[FileHeadings, FileHeadings]:
    """How the tables of the gateway's report are known: the lines, and what it says of each settlement."""
    return _FILES[gateway].headings, _FILES[gateway].settlement_headings


def read_file(gateway: str, tables: FileTables) -> list[SettlementLine]:
    """The lines of a report from the gateway's dashboard, with physical row numbers. Raises SettlementError.

    Totals below the lines, and what the report says of its settlements, must be what the lines add up to.
    """
    layout = _FILES[gateway]
    lines = _lines(without_totals(_trimmed(tables.lines), layout.identity, layout.summed), layout.line)
    said = without_totals(_trimmed(tables.settlements), layout.settlement_identity, layout.settlement_summed)
    stated = [read_row(number, layout.settlement, row) for number, row in said]
    return check_stated(list(lines), stated)


def read_api(gateway: str, items: Iterable[Row]) -> list[SettlementLine]:
    """The lines of the gateway API's answer. Raises SettlementError."""
    return list(_lines(enumerate(items, start=1), _APIS[gateway]))


def _lines(
    rows: Iterable[tuple[int, Row]], line_of: Callable[[int, Row], SettlementLine | None]
) -> Iterator[SettlementLine]:
    for number, row in rows:
        line = read_row(number, partial(line_of, number), row)
        if line is None:
            continue
        kept = line.amount - line.net
        if line.entity == "payment" and kept != line.fee:
            raise SettlementError(
                f"line {number}, {line.entity_id}: {line.amount} less {line.net} is {kept}, but its fee is {line.fee}"
            )
        yield line


def _trimmed(rows: Iterable[NumberedRow]) -> Iterator[NumberedRow]:
    for number, row in rows:
        yield number, {heading: cell.strip() for heading, cell in row.items()}


def _razorpay_file(number: int, row: Row) -> SettlementLine | None:
    settlement, entity_id = reference_of(row.get("settlement_id")), reference_of(row["entity_id"])
    if not settlement or not entity_id:
        return None
    entity = _ENTITIES.get(row["transaction_entity"].lower(), "other")
    fee, tax = rupees_of(row["fee (exclusive tax)"]), rupees_of(row["tax"])
    return SettlementLine(
        number, entity, entity_id, entity_id if entity == "payment" else None,
        row.get("payment_method") or None, rupees_of(row["amount"]), fee + tax, tax,
        rupees_of(row["credit"]) - rupees_of(row["debit"]), settlement, reference_of(row.get("settlement_utr")),
        day_of(row.get("settled_at")), dict(row),
    )  # fmt: skip


def _razorpay_settlement(row: Row) -> Stated:
    return Stated(str(reference_of(row["id"])), reference_of(row["utr"]), None, rupees_of(row["amount"]))


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
    utr = reference_of(row.get("UTR"))
    named = {
        "event_type": row["Event Type"], "event_id": reference_of(row["Event ID"]), "sale_type": row["Sale Type"],
        "event_amount": row["Event Amount"], "event_settlement_amount": row["Event Settlement Amount"],
        "settlement_date": row.get("Settlement Date"), "settlement_utr": utr,
        "cf_settlement_id": reference_of(row.get("Settlement ID")) or utr,
        "cf_payment_id": reference_of(row.get("CF Payment ID")),
        "payment_service_tax": row.get("Service Tax"), "payment_group": row.get("Payment Group"),
    }  # fmt: skip
    line = _cashfree_api(number, named)
    return line and SettlementLine(**{**vars(line), "payload": dict(row)})


def _cashfree_settlement(row: Row) -> Stated:
    """By Cashfree's page on the report, the events of a settlement add up to its net settlement amount."""
    return Stated(
        str(reference_of(row["ID"])), reference_of(row["UTR"]), rupees_of(row["Total Transaction Amount"]),
        rupees_of(row["Net Settlement Amount"]),
    )  # fmt: skip


def _cashfree_api(number: int, row: Row) -> SettlementLine | None:
    settlement = row.get("cf_settlement_id")
    if not settlement:
        return None
    entity = _ENTITIES.get(str(row["event_type"]).lower(), "adjustment")
    amount, settled = rupees_of(row["event_amount"]), rupees_of(row["event_settlement_amount"])
    tax = row.get("payment_service_tax")
    sign = -1 if str(row.get("sale_type")).upper() == "DEBIT" else 1
    payment_id = row.get("cf_payment_id") or (row["event_id"] if entity == "payment" else None)
    return SettlementLine(
        number, entity, str(row["event_id"]), str(payment_id) if payment_id else None,
        row.get("payment_group") or None, amount, amount - settled if entity == "payment" else Decimal(0),
        rupees_of(tax) if tax not in (None, "") else None, sign * settled, str(settlement),
        str(row["settlement_utr"]) if row.get("settlement_utr") else None, day_of(row.get("settlement_date")),
        dict(row),
    )  # fmt: skip


@dataclass(frozen=True)
class _FileLayout:
    """The two tables of a report: the heading of a row's own id, those that a total sums, and how a row is read."""

    headings: FileHeadings
    identity: str
    summed: tuple[str, ...]
    line: Callable[[int, Row], SettlementLine | None]
    settlement_headings: FileHeadings
    settlement_identity: str
    settlement_summed: tuple[str, ...]
    settlement: Callable[[Row], Stated]


_FILES = {
    "razorpay": _FileLayout(
        FileHeadings(
            frozenset(
                {
                    "transaction_entity", "entity_id", "amount", "fee (exclusive tax)", "tax", "debit", "credit",
                    "settlement_id", "settlement_utr",
                }
            ),
            frozenset({"payment_method", "settled_at"}),
        ),
        "entity_id",
        ("amount", "fee (exclusive tax)", "tax", "debit", "credit"),
        _razorpay_file,
        FileHeadings(frozenset({"id", "amount", "fees", "tax", "utr"}), frozenset()),
        "id",
        ("amount",),
        _razorpay_settlement,
    ),
    "cashfree": _FileLayout(
        FileHeadings(
            frozenset(
                {
                    "Event ID", "Event Type", "Sale Type", "Event Amount", "Event Settlement Amount", "Settlement Date",
                    "UTR",
                }
            ),
            frozenset({"Settlement ID", "CF Payment ID", "Service Tax", "Payment Group"}),
        ),
        "Event ID",
        ("Event Amount", "Event Settlement Amount"),
        _cashfree_file,
        FileHeadings(
            frozenset({"ID", "Total Transaction Amount", "Net Settlement Amount", "UTR"}), frozenset()
        ),
        "ID",
        ("Total Transaction Amount", "Net Settlement Amount"),
        _cashfree_settlement,
    ),
}  # fmt: skip
_APIS = {"razorpay": _razorpay_api, "cashfree": _cashfree_api}


def _paise(value: Any) -> Decimal:
    return paise_to_rupees(int(value or 0))
