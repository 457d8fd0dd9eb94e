"""UMRN master rows: reading them, and the history of who a mandate pays for. Pure; `umrn` keeps it in the warehouse."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from turno_lms.domain.keys import canonical_lender, canonical_loan_id
from turno_lms.domain.states import FileError, RowReason
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, NumberedRow, TextRow, same_heading
from turno_lms.lenders.schema import UMRN_PATTERN

HEADINGS = {
    "umrn": ("umrn", "umrn no", "umrn number"),
    "loan_id": ("loan id", "loan no", "loan account no", "loan account number"),
    "lender": ("lender", "lender code", "lender name"),
    "valid_from": ("valid from", "start date"),
    "valid_to": ("valid to", "end date"),
}
"""Accepted names of the columns, `_` and `.` ignored; valid_to may be missing."""

DATE_FORMATS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d-%b-%Y")
_A_DAY = timedelta(days=1)


class MandateError(ValueError):
    """A row of the master that cannot be taken, with the reason code it is kept under."""

    def __init__(self, reason: RowReason, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


@dataclass(frozen=True)
class Mandate:
    """A UMRN stands for a loan from one day to another, both included; `valid_to` None while it lasts."""

    umrn: str
    loan_id: str
    lender: str
    valid_from: date
    valid_to: date | None = None


def read_headings(rows: Iterable[NumberedRow], name: str) -> tuple[int, dict[str, int]]:
    """Row number of the headings and the position of each column. Raises FileRefusedError when they are not there."""
    for number, row in rows:
        known = [" ".join(re.sub(r"[_.]", " ", same_heading(cell)).split()) for cell in row]
        found = {
            column: known.index(alias)
            for column, aliases in HEADINGS.items()
            for alias in aliases
            if alias in known
        }
        if found.keys() >= HEADINGS.keys() - {"valid_to"}:
            return number, found
    wanted = "UMRN, LOAN ID, LENDER, VALID FROM and, if needed, VALID TO"
    message = f"{name}: none of the first {ROWS_TO_SEARCH} rows holds the headings {wanted}"
    raise FileRefusedError(FileError.HEADING_NOT_FOUND, message)


def read_mandate(cells: dict[str, str]) -> Mandate:
    """A mandate from the texts of a row. Raises MandateError for values that are missing or unreadable."""
    umrn = re.sub(r"\s", "", _needed(cells, "umrn")).upper()
    if not re.fullmatch(UMRN_PATTERN, umrn):
        raise MandateError(
            RowReason.BAD_UMRN, "umrn", f"UMRN {cells['umrn']!r} is not up to 20 letters and digits"
        )
    loan_id, lender = canonical_loan_id(_needed(cells, "loan_id")), canonical_lender(_needed(cells, "lender"))
    valid_from = _day("valid_from", _needed(cells, "valid_from"))
    valid_to = _day("valid_to", cells["valid_to"]) if cells.get("valid_to", "").strip() else None
    if valid_to is not None and valid_to < valid_from:
        raise MandateError(
            RowReason.BAD_DATE, "valid_to", f"valid_to {valid_to} lies before valid_from {valid_from}"
        )
    return Mandate(umrn, loan_id, lender, valid_from, valid_to)


def cells_of(row: TextRow, positions: dict[str, int]) -> dict[str, str]:
    """A row's texts by column; what a short row lacks is blank."""
    return {column: row[position] if position < len(row) else "" for column, position in positions.items()}


def _needed(cells: dict[str, str], column: str) -> str:
    text = cells.get(column, "").strip()
    if not text:
        raise MandateError(RowReason.MISSING_VALUE, column, f"{column} is blank")
    return text


def _day(column: str, text: str) -> date:
    for date_format in DATE_FORMATS:
        try:
            return datetime.strptime(text.strip(), date_format).date()  # noqa: DTZ007  # a day, not a moment
        except ValueError:
            continue
    message = f"{column} {text!r} is no date of the form 2026-01-31, 31/01/2026, 31-01-2026 or 31-Jan-2026"
    raise MandateError(RowReason.BAD_DATE, column, message)


class MandateHistory:
    """The periods of some UMRNs; `add` keeps them free of overlaps and remembers which were changed."""

    def __init__(self, mandates: Iterable[Mandate] = ()) -> None:
        self._periods: dict[str, dict[date, Mandate]] = {}
        self._changed: dict[tuple[str, date], Mandate] = {}
        for mandate in mandates:
            self._periods.setdefault(mandate.umrn, {})[mandate.valid_from] = mandate

    @property
    def changed(self) -> list[Mandate]:
        """Periods that are new or end on another day than before."""
        return list(self._changed.values())

    def loan_on(self, umrn: str, lender: str, day: date) -> str | None:
        """The loan a mandate pays for on a day, if it is this lender's."""
        for mandate in self._periods.get(umrn, {}).values():
            if mandate.lender == lender and mandate.valid_from <= day <= (mandate.valid_to or date.max):
                return mandate.loan_id
        return None

    def add(self, new: Mandate) -> None:
        """Take a row in; one already known changes nothing, and one that follows an open period closes it.

        Raises MandateError when the row claims days that belong to another row.
        """
        known = self._periods.get(new.umrn, {}).get(new.valid_from)
        if known and (known.loan_id, known.lender) != (new.loan_id, new.lender):
            raise _conflict(new, known)
        if known and new.valid_to in (None, known.valid_to):
            return
        self._put(self._fitted(new))

    def _fitted(self, new: Mandate) -> Mandate:
        """The row between its neighbours: closes the one before, ends where the one after begins."""
        periods = self._periods.get(new.umrn, {}).values()
        before = max(
            (other for other in periods if other.valid_from < new.valid_from), key=_start, default=None
        )
        after = min(
            (other for other in periods if other.valid_from > new.valid_from), key=_start, default=None
        )
        if after and new.valid_to and new.valid_to >= after.valid_from:
            raise _conflict(new, after)
        if before and before.valid_to and before.valid_to >= new.valid_from:
            raise _conflict(new, before)
        if before and before.valid_to is None:
            self._put(replace(before, valid_to=new.valid_from - _A_DAY))
        return replace(new, valid_to=new.valid_to or (after.valid_from - _A_DAY if after else None))

    def _put(self, mandate: Mandate) -> None:
        self._periods.setdefault(mandate.umrn, {})[mandate.valid_from] = mandate
        self._changed[mandate.umrn, mandate.valid_from] = mandate


def by_start(rows: Iterable[tuple[int, Mandate]]) -> Iterator[tuple[int, Mandate]]:
    """Numbered rows in the order in which they must be added: a later period closes an earlier one."""
    yield from sorted(rows, key=lambda numbered: (numbered[1].valid_from, numbered[0]))


def _start(mandate: Mandate) -> date:
    return mandate.valid_from


def _conflict(new: Mandate, other: Mandate) -> MandateError:
    until = other.valid_to or "today and after"
    period = f"from {other.valid_from} to {until}"
    message = f"{new.umrn} stands for loan {other.loan_id} of {other.lender} {period}; end that period first"
    return MandateError(RowReason.BAD_VALUE, "valid_from", message)
