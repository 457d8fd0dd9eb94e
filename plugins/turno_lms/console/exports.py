"""Files of a list's rows that are safe to open: no cell of ours is ever a formula."""

import io
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils.escape import escape
from starlette_admin.export.base import BaseExporter
from starlette_admin.export.csv import CsvExporter
from starlette_admin.fields import BaseField
from typing_extensions import override


class SafeCsv(CsvExporter):
    """CSV; what a spreadsheet would take for a formula begins with a quote."""

    def __init__(self) -> None:
        super().__init__(escape_formulas=True)


class SafeXlsx(BaseExporter):
    """A workbook of text cells: a cell that begins with `=` is text in it, not a formula."""

    content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    extension = "xlsx"

    @override
    async def generate(self, fields: list[BaseField], rows: list[dict[str, Any]]) -> bytes:
        """The workbook's bytes: a heading row and one row each."""
        workbook = Workbook(write_only=True)
        sheet = workbook.create_sheet("rows")
        sheet.append([field.label or field.name for field in fields])
        for row in rows:
            sheet.append([_text_cell(sheet, row.get(field.name)) for field in fields])
        written = io.BytesIO()
        workbook.save(written)
        return written.getvalue()


def _text_cell(sheet: Any, value: Any) -> WriteOnlyCell:
    cell = WriteOnlyCell(sheet)
    cell.value = "" if value is None else escape(str(value))
    cell.data_type = "s"
    return cell
