"""The former system's table of processed payments, as CSV: read strictly, refused with line and field. No I/O."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from turno_lms.domain.keys import canonical_lender, canonical_loan_id, posting_key, source_key
from turno_lms.posting.line_fields import read_amount, read_day

NEEDED = ("lender", "loan_id", "amount", "date")
OPTIONAL = ("source_key", "fineract_transaction_id")
_MOST_FAULTS = 20
_KEY = re.compile(r"[0-9a-f]{32}")


class FormerPostingsError(ValueError):
    """The file is not taken; one sentence per fault, with line and field. Nothing was changed."""

    def __init__(self, faults: list[str]):
        more = [f"and {len(faults) - _MOST_FAULTS} faults more"] if len(faults) > _MOST_FAULTS else []
        super().__init__("\n".join([*faults[:_MOST_FAULTS], *more]))
        self.faults = faults


@dataclass(frozen=True)
class FormerPosting:
    """One payment that the former system posted. `amount` in rupees, `business_date` the day it gave the payment."""

    line: int
    lender: str
    loan_id: str
    amount: Decimal
    business_date: date
    former_key: str | None
    fineract_transaction_id: int | None

    @property
    def posting_key(self) -> str:
        """The key that this system gives the payment at first sight."""
        return posting_key(source_key(self.lender, self.loan_id, self.business_date, self.amount))


def read_csv(text: str) -> list[FormerPosting]:
    """The payments of a CSV with the headings lender, loan_id, amount, date and, if there, source_key and
    fineract_transaction_id, in any order. Raises FormerPostingsError with every fault: a key that is not the one of the
    row's own figures, or the same payment twice, is one.
    """
    faults: list[str] = []
    postings = list(_rows(text, faults))
    first: dict[str, int] = {}
    for posting in postings:
        earlier = first.setdefault(posting.posting_key, posting.line)
        if earlier != posting.line:
            faults.append(f"line {posting.line}: the same payment as in line {earlier}")
    if not postings and not faults:
        faults.append("the file has a heading and no line under it")
    if faults:
        raise FormerPostingsError(faults)
    return postings


def _rows(text: str, faults: list[str]) -> Iterator[FormerPosting]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        heading = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        if missing := [name for name in NEEDED if name not in heading]:
            faults.append(f"line 1: the heading lacks {', '.join(missing)}")
            return
        reader.fieldnames = heading
        for row in reader:
            fields = {name: str(row.get(name) or "").strip() for name in (*NEEDED, *OPTIONAL)}
            if posting := _posting(reader.line_num, fields, faults):
                yield posting
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: no CSV: {error}")


def _posting(line: int, fields: dict[str, str], faults: list[str]) -> FormerPosting | None:
    before = len(faults)
    faults += [f"line {line}: {name} is missing" for name in NEEDED if not fields[name]]
    amount = read_amount(line, fields["amount"], faults) if fields["amount"] else None
    day = read_day(line, fields["date"], faults) if fields["date"] else None
    number = _transaction(line, fields["fineract_transaction_id"], faults)
    if len(faults) > before or amount is None or day is None:
        return None
    posting = FormerPosting(
        line, canonical_lender(fields["lender"]), canonical_loan_id(fields["loan_id"]), amount, day,
        fields["source_key"].lower() or None, number,
    )  # fmt: skip
    if (
        posting.former_key
        and _KEY.fullmatch(posting.former_key)
        and posting.former_key != posting.posting_key
    ):
        faults.append(
            f"line {line}: source_key {posting.former_key} is not that of lender, loan_id, date and amount in this line"
            f" ({posting.posting_key}): is the date or the amount another one?"
        )
        return None
    return posting


def _transaction(line: int, text: str, faults: list[str]) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        faults.append(f"line {line}: fineract_transaction_id {text!r} is not a whole number")
        return None
    return int(text)
