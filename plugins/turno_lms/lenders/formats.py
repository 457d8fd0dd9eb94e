"""The formats a mapping can name: how the bytes of a lender's file become rows of cells."""

from typing import Literal

from turno_lms.lenders.parts import Part, Text


class CsvFormat(Part):
    """Delimited text. UTF-8 is read with or without a byte order mark; UTF-16 needs one."""

    type: Literal["csv"]
    encoding: Literal["utf-8", "utf-16", "cp1252"] = "utf-8"
    delimiter: Literal[",", ";", "|", "\t", "~"] = ","


class XlsxFormat(Part):
    """A workbook: the named sheet, or the first one that holds the headings."""

    type: Literal["xlsx"]
    sheet: Text | None = None
