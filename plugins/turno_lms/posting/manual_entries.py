"""Repayments typed into a form, or pasted as CSV: read strictly, refused with line and field. No I/O."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from turno_lms.domain.keys import canonical_lender, canonical_loan_id
from turno_lms.domain.money import canonical_amount
from turno_lms.posting.line_fields import read_amount, read_day

COLUMNS = ("lender", "loan_id", "amount", "date", "mode", "reference", "note")
MOST_LINES = 500
_LONGEST = {"reference": 50, "note": 500, "loan_id": 100}


class Mode(StrEnum):
    """How the money came."""

    UPI = "upi"
    NEFT = "neft"
    RTGS = "rtgs"
    IMPS = "imps"
    CHEQUE = "cheque"
    CASH = "cash"
    OTHER = "other"


class EntryError(ValueError):
    """What was typed cannot be a repayment; one sentence per fault, with line and field."""

    def __init__(self, faults: list[str]):
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class ManualEntry:
    """One repayment entered by hand. `amount` in rupees, `business_date` is the IST day on which the money came."""

    lender: str
    loan_id: str
    amount: Decimal
    business_date: date
    mode: Mode
    reference: str | None
    note: str | None

    def figures(self) -> dict[str, str | None]:
        """The entry as an approver sees it, in canonical text."""
        return {
            "lender": self.lender, "loan_id": self.loan_id, "amount": canonical_amount(self.amount),
            "date": f"{self.business_date:%Y-%m-%d}", "mode": self.mode.value, "reference": self.reference,
            "note": self.note,
        }  # fmt: skip


def read_form(values: Mapping[str, Any]) -> list[ManualEntry]:
    """The entries of a form: those of its CSV if there is one, else its single fields. Raises EntryError."""
    text = str(values.get("csv") or "").strip()
    if not text:
        return _entries([(1, values)])
    single = [
        name
        for name in COLUMNS
        if str(values.get(name) or "").strip() and name not in {"lender", "mode", "date"}
    ]
    if single:
        raise EntryError([f"fill in either the CSV or the single fields, not both: {', '.join(single)}"])
    return read_csv(text)


def read_csv(text: str) -> list[ManualEntry]:
    """The entries of CSV text with the heading `lender,loan_id,amount,date,mode,reference,note`."""
    reader = csv.DictReader(io.StringIO(text.strip()), strict=True, skipinitialspace=True)
    try:
        heading = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in COLUMNS if name not in heading]
        if missing or len(heading) != len(COLUMNS):
            raise EntryError([f"line 1: the heading must be {','.join(COLUMNS)}"])
        reader.fieldnames = heading
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise EntryError([f"line {reader.line_num}: no CSV: {error}"]) from error
    if not rows:
        raise EntryError(["the CSV has a heading and no line under it"])
    if len(rows) > MOST_LINES:
        raise EntryError([f"{len(rows)} lines are more than {MOST_LINES}: cut the CSV in parts"])
    return _entries(rows)


def _entries(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> list[ManualEntry]:
    faults: list[str] = []
    entries = [entry for line, row in rows if (entry := _entry(line, row, faults))]
    if faults:
        raise EntryError(faults)
    return entries


def _entry(line: int, row: Mapping[str, Any], faults: list[str]) -> ManualEntry | None:
    before = len(faults)
    text = {name: str(row.get(name) or "").strip() for name in COLUMNS}
    if None in row:  # where csv puts what has no heading
        faults.append(f"line {line}: more fields than the heading has")
    for name in ("lender", "loan_id"):
        if not text[name]:
            faults.append(f"line {line}: {name} is missing")
    for name, longest in _LONGEST.items():
        if len(text[name]) > longest:
            faults.append(f"line {line}: {name} is longer than {longest} characters")
    amount = read_amount(line, text["amount"], faults)
    day = read_day(line, text["date"], faults)
    mode = text["mode"].lower()
    if mode not in set(Mode):
        faults.append(f"line {line}: mode {text['mode']!r} is none of {', '.join(Mode)}")
    if len(faults) > before or amount is None or day is None:
        return None
    return ManualEntry(
        canonical_lender(text["lender"]), canonical_loan_id(text["loan_id"]), amount, day, Mode(mode),
        text["reference"] or None, text["note"] or None,
    )  # fmt: skip
