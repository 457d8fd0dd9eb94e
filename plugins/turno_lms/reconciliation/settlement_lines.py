"""What a settlement report comes down to, whichever gateway wrote it, and how its cells are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from turno_lms.domain.dates import IST
from turno_lms.domain.money import rupees
from turno_lms.domain.spreadsheets import exact_reference, serial_day

Row = Mapping[str, Any]
T = TypeVar("T")
NumberedRow = tuple[int, Row]
_DATES = ("%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d/%m/%Y", "%Y-%m-%d")


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


def read_row(number: int, reader: Callable[[Row], T], row: Row) -> T:
    """What `reader` makes of a row. Raises SettlementError, with the row's number, where it raises ValueError."""
    try:
        return reader(row)
    except (ValueError, KeyError) as error:
        raise SettlementError(f"line {number}: {error}") from error


def rupees_of(value: Any) -> Decimal:
    """Rupees of a cell or a JSON number; blank is none."""
    return rupees(str(value).replace(",", "")) if value not in (None, "") else Decimal("0.00")


def reference_of(text: str | None) -> str | None:
    """A reference in a cell; None for blank. Raises ValueError for one that a spreadsheet has rounded."""
    return exact_reference(text or "") or None


def day_of(text: Any) -> date | None:
    """The IST day of a moment as a report writes it, or as a workbook stores it; None for blank."""
    if not text:
        return None
    if (day := serial_day(str(text))) is not None:
        return day
    for layout in _DATES:
        try:
            return datetime.strptime(str(text), layout).replace(tzinfo=IST).date()
        except ValueError:
            continue
    moment = datetime.fromisoformat(str(text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=IST)).astimezone(IST).date()
