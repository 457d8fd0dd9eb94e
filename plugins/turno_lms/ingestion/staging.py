"""Writing a file's judged rows: the accepted ones to a temporary table, the others straight to raw_rejected_records.

A trial (a replay, a row that a person corrected) has a temporary table for the others too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, LiteralString

from turno_lms.ingestion import queries
from turno_lms.ingestion.columns import rupee_text
from turno_lms.ingestion.transform import Judged, SetAside
from turno_lms.warehouse.connection import Row, WarehouseConnection

if TYPE_CHECKING:
    import polars as pl

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_ESCAPE_TABLE = str.maketrans(_ESCAPES)
_FREE_TEXTS = {"loan_id", "umrn", "status", "note", "payment_id", "sub_reference_id"}
"""What may hold any character. All else is ours: amounts, dates, numbers, and what `escape` has been over."""
_ORDER = (
    "row_number", "loan_id", "umrn", "amount", "date", "status", "charge", "note", "payment_id", "sub_reference_id",
)  # fmt: skip


def open_staging(conn: WarehouseConnection, log_row: Row) -> None:
    """Create the temporary table, and forget what an earlier, halted attempt at this version set aside."""
    conn.execute(queries.CREATE_STAGED)
    conn.execute(queries.FORGET_SET_ASIDE, (log_row["file_id"],))


def open_trial(conn: WarehouseConnection) -> None:
    """Create temporary tables for all rows, accepted or not: nothing that is stored is touched."""
    conn.execute(queries.CREATE_STAGED)
    conn.execute(queries.CREATE_JUDGED_ASIDE)


def stage(
    conn: WarehouseConnection, log_row: Row, judged: Judged, aside: LiteralString = queries.COPY_SET_ASIDE
) -> None:
    """Write one chunk; `aside` says where the rows go that are not accepted."""
    if judged.accepted.height:
        rows = judged.accepted.with_columns(rupee_text("amount"), rupee_text("charge"))
        write_text(conn, queries.COPY_STAGED, copy_text(rows, _ORDER))
    write_set_aside(conn, log_row, judged.set_aside, aside)


def write_set_aside(
    conn: WarehouseConnection,
    log_row: Row,
    rows: Iterable[SetAside],
    aside: LiteralString = queries.COPY_SET_ASIDE,
) -> None:
    """Keep rows that are not accepted, each with its reason and raw text."""
    write_text(conn, aside, set_aside_text(log_row, rows))


def write_text(conn: WarehouseConnection, statement: LiteralString, text: bytes) -> None:
    """Run a COPY with rows that are written down already."""
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(text)


def set_aside_text(log_row: Row, rows: Iterable[SetAside]) -> bytes:
    """Rows that are not accepted, as COPY's text."""
    return "".join(_set_aside_line(log_row, row) for row in rows).encode()


def _set_aside_line(log_row: Row, row: SetAside) -> str:
    verdict = row.verdict
    values = (
        log_row["file_id"], log_row["lender"], row.row_number, verdict.disposition, verdict.reason, verdict.rule,
        verdict.field, row.message, row.amount_paise, row.raw_text, log_row["mapping_version"],
    )  # fmt: skip
    return "\t".join("\\N" if value is None else escape(str(value)) for value in values) + "\n"


def escape(text: str) -> str:
    """A text as COPY's text format writes it."""
    return text.translate(_ESCAPE_TABLE)


def copy_text(rows: pl.DataFrame, columns: Sequence[str]) -> bytes:
    """These columns in PostgreSQL's text format, made column by column: dates as ISO, free texts escaped."""
    import polars as pl

    texts = [name for name in columns if name in _FREE_TEXTS]
    escaped = rows.lazy().select(columns).with_columns(pl.col(texts).str.replace_many(_ESCAPES))
    buffer = BytesIO()
    escaped.collect().write_csv(
        buffer, include_header=False, separator="\t", quote_style="never", null_value="\\N"
    )
    return buffer.getvalue()
