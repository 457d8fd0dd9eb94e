"""What people type into the forms of settlements and write-offs, read strictly. No I/O."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from turno_lms.domain.keys import canonical_lender, canonical_loan_id
from turno_lms.domain.money import AmountError, rupees
from turno_lms.domain.resolutions import Component, Promise
from turno_lms.resolutions.quotes import ResolutionError

BULK_COLUMNS = ("lender", "loan_id", "reason")
MOST_LINES = 500
_LONGEST_TEXT = 1000


@dataclass(frozen=True)
class SettlementForm:
    """A wish to settle: rupees offered, and what may be waived. Without promises it is one payment in time."""

    lender: str
    loan_id: str
    amount: Decimal
    promises: tuple[Promise, ...]
    wish: tuple[Component, ...]
    reason: str
    evidence: str
    override_reason: str | None

    def promised(self, today: date, pay_within_days: int) -> tuple[Promise, ...]:
        """The promises, or the single one of a one-off."""
        return self.promises or (Promise(1, today + timedelta(days=pay_within_days), self.amount),)


@dataclass(frozen=True)
class WriteOffLine:
    """A loan to be written off."""

    lender: str
    loan_id: str
    reason: str


def read_settlement(values: Mapping[str, Any]) -> SettlementForm:
    """The form of settle_loan. Raises ResolutionError naming the field."""
    wish = values.get("waive") or []
    unknown = sorted(set(wish) - set(Component))
    if unknown:
        raise ResolutionError(f"waive: {unknown[0]} cannot be waived; {', '.join(Component)} can")
    return SettlementForm(
        lender=canonical_lender(_text(values, "lender")),
        loan_id=canonical_loan_id(_text(values, "loan_id")),
        amount=_amount("amount", _text(values, "amount")),
        promises=_promises(str(values.get("instalments") or "")),
        wish=tuple(component for component in Component if component in wish),
        reason=_text(values, "reason"),
        evidence=_text(values, "evidence"),
        override_reason=str(values.get("override_reason") or "").strip() or None,
    )


def read_write_offs(values: Mapping[str, Any]) -> list[WriteOffLine]:
    """The loans of the form of write_off_loan: those of its CSV if there is one, else its single fields."""
    text = str(values.get("csv") or "").strip()
    if not text:
        return [_write_off(values)]
    if str(values.get("loan_id") or "").strip():
        raise ResolutionError("fill in either the CSV or the single fields, not both")
    reader = csv.DictReader(io.StringIO(text), strict=True, skipinitialspace=True)
    heading = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    if heading != list(BULK_COLUMNS):
        raise ResolutionError(f"line 1: the heading must be {','.join(BULK_COLUMNS)}")
    reader.fieldnames = heading
    try:
        lines = [_write_off_line(row, reader.line_num) for row in reader]
    except csv.Error as error:
        raise ResolutionError(f"line {reader.line_num}: no CSV: {error}") from error
    if not 0 < len(lines) <= MOST_LINES:
        raise ResolutionError(
            f"the CSV must have 1 to {MOST_LINES} lines under its heading, not {len(lines)}"
        )
    loans = [line.loan_id for line in lines]
    doubled = sorted({loan_id for loan_id in loans if loans.count(loan_id) > 1})
    if doubled:
        raise ResolutionError(f"loan {doubled[0]} stands twice in the CSV")
    return lines


def _write_off_line(row: Mapping[str, Any], number: int) -> WriteOffLine:
    if None in row or None in row.values():
        raise ResolutionError(f"line {number}: it must have {len(BULK_COLUMNS)} cells")
    try:
        return _write_off(row)
    except ResolutionError as error:
        raise ResolutionError(f"line {number}: {error}") from error


def _write_off(values: Mapping[str, Any]) -> WriteOffLine:
    return WriteOffLine(
        canonical_lender(_text(values, "lender")),
        canonical_loan_id(_text(values, "loan_id")),
        _text(values, "reason"),
    )


def _promises(text: str) -> tuple[Promise, ...]:
    """Lines such as `2026-02-05 5000.00`: the day by whose end, and the rupees."""
    promises: list[Promise] = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
        day, _, amount = line.replace(",", " ").partition(" ")
        try:
            promises.append(Promise(number, date.fromisoformat(day), _amount("rupees", amount.strip())))
        except ValueError as error:
            raise ResolutionError(
                f"instalments, line {number}: {line!r} is no day and rupees such as 2026-02-05 5000.00 ({error})"
            ) from error
    return tuple(promises)


def _text(values: Mapping[str, Any], name: str) -> str:
    text = str(values.get(name) or "").strip()
    if not text:
        raise ResolutionError(f"{name} is empty: fill it in")
    if len(text) > _LONGEST_TEXT:
        raise ResolutionError(f"{name} is longer than {_LONGEST_TEXT} characters")
    return text


def _amount(name: str, text: str) -> Decimal:
    try:
        amount = rupees(text)
    except AmountError as error:
        raise ResolutionError(f"{name}: {error}") from error
    if amount <= 0:
        raise ResolutionError(f"{name}: {text} is not above zero")
    return amount
