"""The quick way into RAW: one COPY a chunk, while the next chunk is judged.

For a file in which nothing needs a second look: it replaces no earlier version, none of its references is loaded
already, and its rejects are within the limits. As soon as that turns out otherwise, what was written is taken back and
the file goes the long way by the staging tables (`judging`), with the same judgement of every row.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from psycopg import Rollback

from turno_lms.domain.states import Disposition
from turno_lms.ingestion import queries
from turno_lms.ingestion.columns import rupee_text
from turno_lms.ingestion.judging import FileToJudge, Written, judge_file, tallies
from turno_lms.ingestion.staging import copy_text, escape, set_aside_text, write_text
from turno_lms.ingestion.transform import Judged
from turno_lms.warehouse.connection import Row, WarehouseConnection

if TYPE_CHECKING:
    import polars as pl

_OF_THE_FILE = {
    "source_file": "key",
    "lender": "lender",
    "_kind": "kind",
    "_file_id": "file_id",
    "_mapping_version": "mapping_version",
}
"""Column of RAW to the column of the file's log row that fills it."""
_ORDER = (
    "loan_id", "amount", "date", "status", "charge", "note", "payment_id", "sub_reference_id", "umrn", "row_number",
    *_OF_THE_FILE,
)  # fmt: skip


@dataclass(frozen=True)
class _Ready:
    """A chunk that is judged and written down for two COPYs."""

    text: bytes
    references: list[str]
    set_aside: bytes


def load_directly(conn: WarehouseConnection, file: FileToJudge) -> Written | None:
    """Write a file's rows and rejects in the caller's transaction; None, with nothing written, if that will not do.

    Raises FileRefusedError for a file that cannot be read, or whose rows do not add up.
    """
    row, loaded = file.row, None
    with conn.transaction():
        conn.execute(queries.FORGET_SET_ASIDE, (row["file_id"],))
        landing = _Landing(conn, file)
        read = judge_file(file, landing.prepare, landing.write)
        written = tallies(conn.execute(queries.COUNT_SET_ASIDE, (row["file_id"],)).fetchall())
        rejected = written[Disposition.REJECTED]
        if file.kind.thresholds.halts(rejected.rows, read.rows.rows, rejected.paise):
            raise Rollback
        accepted = tallies(conn.execute(queries.COUNT_ADDED, row).fetchall())[Disposition.ACCEPTED]
        loaded = Written(read, rejected, written | {Disposition.ACCEPTED: accepted})
    return loaded


class _Landing:
    """Writes the chunks of one file to RAW and to the rejected records."""

    def __init__(self, conn: WarehouseConnection, file: FileToJudge) -> None:
        self._conn = conn
        self._row = file.row
        self._mandates = _mandates(conn, file.row) if "umrn" in file.kind.mapped else None
        self._has_history = conn.execute(queries.HAS_REFERENCES, file.row).fetchone() is not None

    def prepare(self, judged: Judged) -> _Ready:
        """All that needs no connection: it is done while the chunk before is written."""
        rows = judged.accepted if self._mandates is None else _with_loans(judged.accepted, self._mandates)
        references = rows["payment_id"].drop_nulls().to_list() if self._has_history else []
        return _Ready(_copy_text(rows, self._row), references, set_aside_text(self._row, judged.set_aside))

    def write(self, ready: _Ready) -> None:
        """Copy one chunk. Raises Rollback if one of its references is loaded already."""
        if ready.references:
            asked = {**self._row, "references": ready.references}
            if self._conn.execute(queries.ANY_REFERENCE_LOADED, asked).fetchone() is not None:
                raise Rollback
        write_text(self._conn, queries.COPY_PAYMENTS, ready.text)
        write_text(self._conn, queries.COPY_SET_ASIDE, ready.set_aside)


def _mandates(conn: WarehouseConnection, row: Row) -> pl.DataFrame:
    """The lender's mandates: some 60 bytes each, so a million of them are no burden."""
    import polars as pl

    schema = {"umrn": pl.String, "mandate_loan": pl.String, "valid_from": pl.Date, "valid_to": pl.Date}
    text = BytesIO()
    with conn.cursor() as cursor, cursor.copy(queries.COPY_MANDATES, row) as copy:
        text.writelines(bytes(block) for block in copy)
    if not text.tell():
        return pl.DataFrame(schema=schema)
    return pl.read_csv(text.getvalue(), has_header=False, new_columns=[*schema], schema=schema)


def _with_loans(rows: pl.DataFrame, mandates: pl.DataFrame) -> pl.DataFrame:
    """The loan of each mandate as of the payment date; a mandate that is not known leaves none."""
    import polars as pl

    date = pl.col("date")
    is_valid = (pl.col("valid_from") <= date) & (pl.col("valid_to").is_null() | (date <= pl.col("valid_to")))
    found = rows.select("row_number", "umrn", "date").join(mandates, on="umrn").filter(is_valid)
    resolved = rows.join(found.select("row_number", "mandate_loan"), on="row_number", how="left")
    return resolved.with_columns(pl.coalesce("loan_id", "mandate_loan").alias("loan_id"))


def _copy_text(rows: pl.DataFrame, row: Row) -> bytes:
    import polars as pl

    constants = (pl.lit(escape(str(row[source]))).alias(name) for name, source in _OF_THE_FILE.items())
    return copy_text(rows.with_columns(rupee_text("amount"), rupee_text("charge"), *constants), _ORDER)
