"""One row read again from the text that is kept of it."""

import csv
import io

from turno_lms.ingestion.readers.fixed_width import FixedWidthChunk
from turno_lms.ingestion.readers.records import cells_of
from turno_lms.ingestion.tables import Headings, TextRow
from turno_lms.lenders.formats import CsvFormat, FixedWidthFormat, JsonFormat, JsonLinesFormat
from turno_lms.lenders.schema import FileKind


def row_of_text(text: str, kind: FileKind, headings: Headings) -> TextRow:
    """The cells of a row as its format writes it: a line, a JSON object, or (of a sheet) delimited text.

    Raises ValueError for a text that is not exactly one row.
    """
    if isinstance(kind.format, JsonFormat | JsonLinesFormat):
        return cells_of(text, headings.texts)
    if isinstance(kind.format, FixedWidthFormat):
        import polars as pl

        return FixedWidthChunk(1, pl.Series([text]), kind.format).row(1)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(kind), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if len(rows) != 1:
        raise ValueError(f"these are {len(rows)} rows")
    return rows[0]


def delimiter_of(kind: FileKind) -> str:
    """What stands between the cells of a row's text."""
    return kind.format.delimiter if isinstance(kind.format, CsvFormat) else ","
