"""Balances that a lender sends, into RAW: one statement a day and loan, the first one standing."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from turno_lms.domain.dates import IST
from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.money import AmountError, rupees
from turno_lms.domain.runs import RunContext
from turno_lms.lenders.reconciliation import LoanStatement
from turno_lms.warehouse.connection import WarehouseConnection

PREFIX = "statements/"
"""Where statements arrive: statements/<lender>/<name>.csv."""
COMPONENTS = (
    "principal_outstanding", "interest_outstanding", "fees_outstanding", "penalties_outstanding", "total_outstanding",
)  # fmt: skip
_INSERT = """
insert into raw.raw_lender_loan_statement (
    lender, source_file, sha256, line_number, loan_id, as_of, principal_outstanding, interest_outstanding,
    fees_outstanding, penalties_outstanding, total_outstanding, days_past_due, status, landed_by_run
)
values (
    %(lender)s, %(key)s, %(sha256)s, %(number)s, %(loan_id)s, %(as_of)s, %(principal_outstanding)s,
    %(interest_outstanding)s, %(fees_outstanding)s, %(penalties_outstanding)s, %(total_outstanding)s,
    %(days_past_due)s, %(status)s, %(run)s
)
on conflict (lender, as_of, loan_id) do nothing
"""
_IS_KNOWN = "select 1 from raw.raw_lender_loan_statement where lender = %s and sha256 = %s limit 1"


class StatementError(ValueError):
    """A statement that cannot be taken; the message names line and column. Nothing of it was stored."""


@dataclass(frozen=True)
class LandedStatement:
    """A statement that came: its lines, and those of loans and days that had none yet."""

    key: str
    lines: int
    lines_new: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON for an XCom."""
        return asdict(self)


def land_statement(
    conn: WarehouseConnection,
    lender: str,
    layout: LoanStatement,
    key: str,
    *,
    content: bytes,
    run: RunContext,
) -> LandedStatement:
    """Read a statement and store its lines in one transaction; the same bytes again are a no-op.

    Raises StatementError for anything that cannot be read: a balance that is skipped would be a loan not compared.
    """
    lines = list(_lines(layout, content))
    sha256 = hashlib.sha256(content).hexdigest()
    with conn.transaction():
        if conn.execute(_IS_KNOWN, (lender, sha256)).fetchone():
            return LandedStatement(key, len(lines), 0)
        told = {"lender": lender, "key": key, "sha256": sha256, "run": run.label}
        new = sum(conn.execute(_INSERT, {**told, **line}).rowcount for line in lines)
    return LandedStatement(key, len(lines), new)


def _lines(layout: LoanStatement, content: bytes) -> Iterator[dict[str, Any]]:
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        raise StatementError(f"it is no UTF-8 text: {error}") from None
    headings = {name: heading for name, heading in layout.columns if heading}
    if missing := sorted(set(headings.values()) - set(rows.fieldnames or [])):
        raise StatementError(f"the statement lacks the column {missing[0]!r}")
    for number, row in enumerate(rows, start=2):
        try:
            yield {"number": number, **_values(layout, headings, row)}
        except (AmountError, ValueError) as error:
            raise StatementError(f"line {number}: {error}") from None


def _values(
    layout: LoanStatement, headings: Mapping[str, str], row: Mapping[str, str | None]
) -> dict[str, Any]:
    cells = {name: (row[heading] or "").strip() for name, heading in headings.items()}
    if not cells["loan_id"]:
        raise ValueError("the loan is missing")
    return {
        "loan_id": canonical_loan_id(cells["loan_id"]),
        "as_of": _day(cells["as_of"], layout.date_format),
        **{name: _rupees(cells.get(name)) for name in COMPONENTS},
        "days_past_due": int(cells["days_past_due"]) if cells.get("days_past_due") else None,
        "status": _status(cells.get("status"), layout),
    }


def _day(text: str, date_format: str) -> date:
    return datetime.strptime(text, date_format).replace(tzinfo=IST).date()


def _rupees(text: str | None) -> Decimal | None:
    return rupees(text.replace(",", "")) if text else None


def _status(text: str | None, layout: LoanStatement) -> str | None:
    if not text:
        return None
    for status, words in layout.statuses.items():
        if text.lower() in {word.lower() for word in words}:
            return status
    raise ValueError(f"status {text!r} is not among the mapping's statuses")
