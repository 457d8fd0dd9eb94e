"""Which loans a person or the schedule asks links for: named ones, a CSV, or the rule of being overdue so long."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from turno_lms.domain.keys import canonical_loan_id

MOST_LOANS = 20_000
_COLUMN = "loan_id"
_BETWEEN = re.compile(r"[\s,;]+")


class SelectionError(ValueError):
    """A selection that cannot be used; the message says what to correct."""


@dataclass(frozen=True)
class Selection:
    """Loans by their ids, or (with none) those overdue for `overdue_days`."""

    loan_ids: Sequence[str] = ()
    overdue_days: int | None = None


def read_selection(loans: str | None, csv_text: str | None, overdue_days: int | None) -> Selection:
    """What a form asks for: exactly one of the three ways. Raises SelectionError."""
    given = [way for way in (loans, csv_text, overdue_days) if way is not None]
    if len(given) != 1:
        raise SelectionError("say which loans in one way: loan ids, a CSV, or days overdue")
    if overdue_days is not None:
        return Selection(overdue_days=overdue_days)
    found = _named(loans) if loans is not None else _of_csv(csv_text or "")
    loan_ids = list(dict.fromkeys(found))
    if not loan_ids:
        raise SelectionError("no loan is named")
    if len(loan_ids) > MOST_LOANS:
        raise SelectionError(f"{len(loan_ids)} loans are more than {MOST_LOANS}: cut the list in parts")
    return Selection(loan_ids)


def _named(text: str) -> list[str]:
    return [canonical_loan_id(name) for name in _BETWEEN.split(text) if name]


def _of_csv(text: str) -> list[str]:
    """The column `loan_id` of CSV text; other columns are passed over."""
    reader = csv.DictReader(io.StringIO(text.strip()), strict=True, skipinitialspace=True)
    try:
        heading = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        if heading.count(_COLUMN) != 1:
            raise SelectionError(f"line 1: the heading must hold {_COLUMN} once")
        reader.fieldnames = heading
        rows = [(reader.line_num, canonical_loan_id(row.get(_COLUMN) or "")) for row in reader]
    except csv.Error as error:
        raise SelectionError(f"line {reader.line_num}: no CSV: {error}") from error
    for line, loan_id in rows:
        if not loan_id:
            raise SelectionError(f"line {line}: {_COLUMN} is missing")
    return [loan_id for _, loan_id in rows]
