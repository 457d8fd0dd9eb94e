"""How the same value looks in files of different hands."""

from collections.abc import Iterable, Sequence
from csv import writer
from io import StringIO

from turno_lms.domain.money import indian_rupees, paise_to_rupees

NBSP = "\u00a0"
_ODDITY = 11  # a prime, so that odd spellings fall on loans of every kind


def amount_text(paise: int, style: int) -> str:
    """Rupees as `5137.50`, `5,137.50` (Indian grouping) or `5137.5`, by turns of `style`."""
    amount = paise_to_rupees(paise)
    shortest = f"{amount:f}".rstrip("0").rstrip(".")
    return (f"{amount:f}", indian_rupees(amount), shortest)[style % 3]


def reference_text(reference: str, style: int) -> str:
    """An id as most people send it, now and then in lower case or with blanks that do not look like blanks."""
    spellings = {3: reference.lower(), 7: f"{NBSP}{reference} ", 9: f" {reference}{NBSP}"}
    return spellings.get(style % _ODDITY, reference)


def csv_bytes(rows: Iterable[Sequence[str]], *, encoding: str = "utf-8") -> bytes:
    """The rows as a CSV file with the line ends that spreadsheets write."""
    text = StringIO()
    writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode(encoding)
