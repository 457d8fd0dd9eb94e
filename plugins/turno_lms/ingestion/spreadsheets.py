"""Rows written for a spreadsheet, in which nothing of what lenders sent can become a formula."""

import csv
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_FORMULA = ("=", "+", "-", "@")


def harmless(value: Any) -> Any:
    """A cell as a spreadsheet may have it: a text that it could run gets an apostrophe in front (OWASP: CSV injection).

    Blanks and control characters before the sign, and its full-width forms, do not hide it.
    """
    if not isinstance(value, str):
        return value
    begins = "".join(unicodedata.normalize("NFKC", value).split())[:1]
    is_control = value[:1] in ("\t", "\r", "\n") or unicodedata.category(value[:1] or " ").startswith("C")
    return f"'{value}" if is_control or begins.startswith(_FORMULA) else value


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> int:
    """Write a CSV that Excel opens as it is (UTF-8 with a mark); returns the number of rows."""
    names, count = list(columns), 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for count, row in enumerate(rows, start=1):  # noqa: B007  # how many there were
            writer.writerow([harmless(row[name]) for name in names])
    return count
