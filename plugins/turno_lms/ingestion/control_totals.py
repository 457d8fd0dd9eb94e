"""The lender's own totals, from a header or trailer, against what was read: a file that was cut off shows here."""

import re
from collections.abc import Mapping
from decimal import Decimal

from turno_lms.domain.money import paise_to_rupees
from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.transform import Tally
from turno_lms.lenders.formats import AmountTotal, ControlTotal
from turno_lms.lenders.schema import FileKind

_NUMBER = re.compile(r"(?:₹|rs\.?|inr)?\s*(\d{1,15}(?:\.\d{1,2}0*)?)", re.IGNORECASE)


def check_control_totals(
    kind: FileKind, values: Mapping[str, str], read: Tally, filtered: Tally, name: str
) -> None:
    """Raise FileRefusedError, with both figures, where the lender's totals are not those of the rows they count."""
    totals = kind.control_totals
    if totals is None:
        return
    unfiltered = Tally(
        read.rows - filtered.rows, read.paise - filtered.paise, read.unreadable - filtered.unreadable
    )
    counted = {"all": read, "unfiltered": unfiltered}
    if totals.rows:
        stated = _stated(totals.rows, values, name)
        found = counted[totals.rows.of].rows
        if stated != found:
            raise _mismatch(name, totals.rows, f"{stated} rows", f"{found} were read")
    if totals.amount:
        _check_amount(totals.amount, values, counted[totals.amount.of], name)


def _check_amount(total: AmountTotal, values: Mapping[str, str], counted: Tally, name: str) -> None:
    number = _stated(total, values, name)
    paise = number if total.unit == "paise" else number * 100
    if paise != counted.paise:
        unreadable = f" ({counted.unreadable} amounts could not be read)" if counted.unreadable else ""
        stated = f"{number / 100 if total.unit == 'paise' else number:.2f} rupees"
        raise _mismatch(name, total, stated, f"{paise_to_rupees(counted.paise)} were read{unreadable}")


def _stated(total: ControlTotal, values: Mapping[str, str], name: str) -> Decimal:
    text = values[total.value]
    match = _NUMBER.fullmatch(text.replace(",", "").strip())
    if match is None:
        message = f"{name}: the control total {total.value} is {text[:100]!r}, which is no number"
        raise FileRefusedError(
            FileError.CONTROL_TOTAL_MISMATCH, f"{message}. Correct the file, or the mapping"
        )
    return Decimal(match[1])


def _mismatch(name: str, total: ControlTotal, stated: str, found: str) -> FileRefusedError:
    rows = "all data rows" if total.of == "all" else "the rows that no filter takes out"
    message = f"{name}: by its {total.value} the file holds {stated}, but {found}, of {rows}"
    advice = "Was it cut off, or a row added? Nothing is loaded: ask the lender for the whole file"
    return FileRefusedError(FileError.CONTROL_TOTAL_MISMATCH, f"{message}. {advice}")
