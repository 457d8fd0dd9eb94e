"""Workbooks whose bytes depend on nothing but their content."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

Cell = str | int | Decimal | date | None
Rows = Sequence[Sequence[Cell]]

_SAVED_ON = (2026, 1, 31, 18, 0, 0)
_TIMESTAMP = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")


def xlsx_bytes(sheets: Mapping[str, Rows]) -> bytes:
    """A workbook of these sheets, in order. A title (a row of one cell) is merged over the table's width."""
    from openpyxl import Workbook

    workbook = Workbook()
    workbook.remove(workbook.active)
    for name, rows in sheets.items():
        sheet = workbook.create_sheet(name)
        width = max(len(row) for row in rows)
        for number, row in enumerate(rows, start=1):
            sheet.append(list(row))
            if len(row) == 1:
                sheet.merge_cells(start_row=number, end_row=number, start_column=1, end_column=width)
    saved = BytesIO()
    workbook.save(saved)
    return _without_clock(saved.getvalue())


def _without_clock(workbook: bytes) -> bytes:
    """The same archive with one fixed time in place of the time it was saved at."""
    year, month, day, hour, minute, second = _SAVED_ON
    saved_on = f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}Z".encode()
    result = BytesIO()
    with ZipFile(BytesIO(workbook)) as source, ZipFile(result, "w", ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "docProps/core.xml":
                content = _TIMESTAMP.sub(rb"\g<1>" + saved_on, content)
            entry = ZipInfo(name, date_time=_SAVED_ON)
            entry.compress_type = ZIP_DEFLATED
            target.writestr(entry, content)
    return result.getvalue()
