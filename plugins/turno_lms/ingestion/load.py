"""One version of a lender file, from S3 into RAW: all of it or nothing.

received -> archived (the bytes are safe under their sha256) -> loaded, in one transaction with its rows and rejects.
Safe to kill and to repeat at any point: the next run takes the log row up where it stands, and reads the archived bytes
even if the key was overwritten meanwhile.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from turno_lms.domain.money import indian_rupees, paise_to_rupees, rupees_to_paise
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import Disposition, FileError, FileState
from turno_lms.ingestion import log, queries
from turno_lms.ingestion.ahead import one_ahead
from turno_lms.ingestion.archive import archive
from turno_lms.ingestion.control_totals import check_control_totals
from turno_lms.ingestion.duplicates import repeats_earlier_file
from turno_lms.ingestion.files import LenderFile, ObjectStore
from turno_lms.ingestion.log import FileReport
from turno_lms.ingestion.readers import open_table
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.staging import open_staging, stage, write_set_aside
from turno_lms.ingestion.tables import Chunk
from turno_lms.ingestion.transform import SetAside, Tally, Transform
from turno_lms.lenders.schema import FileKind, Lender
from turno_lms.warehouse.connection import Row, WarehouseConnection

__all__ = ["FileRefusedError", "FileReport", "ingest_file"]

_logger = logging.getLogger(__name__)


def ingest_file(
    conn: WarehouseConnection, s3: ObjectStore, lender: Lender, file: LenderFile, run: RunContext
) -> FileReport:
    """Load one version of a file; a version that is loaded already is left alone and its report returned.

    Raises FileRefusedError, after its state and message are committed, for a file that is refused or halted. Any other
    exception leaves the version `failed`, to be taken up by the next run. `conn` must have no open transaction.
    """
    report = log.process(
        conn, file, lender.mapping_version, run, lambda row: _load(conn, s3, lender, file, row)
    )
    _logger.info("%s", _summary(report))
    return report


def _load(conn: WarehouseConnection, s3: ObjectStore, lender: Lender, file: LenderFile, row: Row) -> Row:
    kind = lender.files.get(file.kind or "")
    if kind is None:
        known = ", ".join(f"{spec.s3.prefix}{spec.s3.pattern}" for spec in lender.files.values())
        message = f"{file.key} is no file of {lender.slug}: the mapping expects {known}"
        raise FileRefusedError(FileError.UNKNOWN_KIND, message)
    with TemporaryDirectory(prefix="turno-") as folder:
        path = Path(folder) / "file"
        row = archive(conn, s3, file, row, path)
        with conn.transaction():
            conn.execute(queries.LOCK, (f"load {lender.slug}",))
            if conn.execute(queries.READ_LENDER, (lender.slug,)).fetchone() is None:
                raise LookupError(
                    f"the warehouse does not know lender {lender.slug}: run `turno lenders apply`"
                )
            return log.same_content(conn, row) or _load_rows(conn, lender, kind, path, row)


def _load_rows(conn: WarehouseConnection, lender: Lender, kind: FileKind, path: Path, row: Row) -> Row:
    """Everything a file brings, in the caller's transaction. Raises FileRefusedError; nothing is then left of it."""
    open_staging(conn, row)
    read, layout_rows, values = _stage_file(conn, lender, kind, path, row)
    _set_repeated_aside(conn, kind, path, row)
    set_aside = conn.execute(queries.COUNT_SET_ASIDE, (row["file_id"],)).fetchall()
    counts = {
        "rows_layout": layout_rows,
        "rows_read": read.rows,
        "rows_amount_unreadable": read.unreadable,
        "paise_read": read.paise,
    }
    aside = _tallies(set_aside)
    check_control_totals(kind, values, read, aside[Disposition.FILTERED], row["key"])
    if kind.thresholds.halts(aside[Disposition.REJECTED].rows, read.rows):
        return _halt(conn, kind, row, counts | _by_disposition(aside))
    written = _tallies([*set_aside, _add_payments(conn, row)])
    _check_tie(read, written, row["key"])
    state = FileState.LOADED if read.rows else FileState.LOADED_EMPTY
    return log.move(conn, row["file_id"], state, **counts, **_by_disposition(written))


def _stage_file(
    conn: WarehouseConnection, lender: Lender, kind: FileKind, path: Path, row: Row
) -> tuple[Tally, int, Mapping[str, str]]:
    """Judge and write every chunk; returns what was read, before judgement, the layout rows and the file's values."""
    table = open_table(path, kind, row["key"])
    transform = Transform(lender, kind, table.headings)
    read, layout_rows, file_rows = Tally(), 0, 0
    for chunk, judged in one_ahead((chunk, transform.judge(chunk)) for chunk in table.chunks):
        stage(conn, row, judged)
        read += judged.read
        layout_rows += judged.layout_rows
        file_rows += len(chunk)
    if read.rows + layout_rows != file_rows:
        raise _does_not_tie(
            row["key"], f"{file_rows} rows in the file, {read.rows} read and {layout_rows} layout"
        )
    return read, layout_rows, table.headings.values


def _set_repeated_aside(conn: WarehouseConnection, kind: FileKind, path: Path, row: Row) -> None:
    """Set aside the staged rows whose reference an earlier file brought. The file is read again for their raw text."""
    conn.execute("analyze staged_payment")
    if not conn.execute(queries.FIND_REPEATED, row).rowcount:
        return
    for chunk in open_table(path, kind, row["key"]).chunks:
        bounds = chunk.first_row, chunk.first_row + len(chunk) - 1
        repeated = conn.execute(queries.READ_REPEATED, bounds).fetchall()
        write_set_aside(conn, row, [_repeats_earlier(again, chunk) for again in repeated])


def _repeats_earlier(again: Row, chunk: Chunk) -> SetAside:
    verdict, message = repeats_earlier_file(
        again["payment_id"], again["source_file"], again["first_row"], same_payment=again["same_payment"]
    )
    number = again["row_number"]
    return SetAside(number, verdict, message, rupees_to_paise(again["amount"]), chunk.raw_text(number))


def _add_payments(conn: WarehouseConnection, row: Row) -> Row:
    added = conn.execute(queries.ADD_PAYMENTS, row).fetchone()
    if added is None:
        raise LookupError("the count of the added rows is missing")
    return added


def _tallies(rows: list[Row]) -> dict[Disposition, Tally]:
    empty = {disposition: Tally() for disposition in Disposition}
    return empty | {
        Disposition(row["disposition"]): Tally(row["rows"], row["paise"], row["unreadable"]) for row in rows
    }


def _by_disposition(tallies: dict[Disposition, Tally]) -> dict[str, int]:
    rows = {f"rows_{disposition}": tally.rows for disposition, tally in tallies.items()}
    return rows | {f"paise_{disposition}": tally.paise for disposition, tally in tallies.items()}


def _halt(conn: WarehouseConnection, kind: FileKind, row: Row, counts: dict[str, int]) -> Row:
    message = (
        f"{row['key']}: {counts['rows_rejected']} of {counts['rows_read']} rows are rejected, "
        f"above the limit of {kind.thresholds.reject_percent} percent. "
        "No row is loaded; raw.raw_rejected_records has the reasons"
    )
    return log.move(
        conn,
        row["file_id"],
        FileState.HALTED,
        error_code=FileError.TOO_MANY_REJECTS,
        error_message=message,
        **counts,
    )


def _check_tie(read: Tally, written: dict[Disposition, Tally], name: str) -> None:
    """What was read, counted before judgement, against what PostgreSQL says was written, in rows and rupees."""
    total = sum(written.values(), Tally())
    if read != total:
        raise _does_not_tie(name, f"{_told(read)} read, {_told(total)} written")


def _does_not_tie(name: str, finding: str) -> FileRefusedError:
    advice = "No row is loaded; this is a fault of the program, please report it with the file"
    return FileRefusedError(FileError.DOES_NOT_TIE, f"{name} does not tie: {finding}. {advice}")


def _told(tally: Tally) -> str:
    return (
        f"{tally.rows} rows of {paise_to_rupees(tally.paise)} rupees ({tally.unreadable} amounts unreadable)"
    )


def _summary(report: FileReport) -> str:
    """One line for the task log."""
    if report.state == FileState.SAME_CONTENT:
        return f"{report.key}: same content as file {report.same_content_as}, which is loaded; nothing to do"
    parts = ", ".join(f"{getattr(report, f'rows_{part}')} {part}" for part in Disposition)
    rupees = indian_rupees(paise_to_rupees(report.paise_accepted or 0))
    return f"{report.key}: {report.state}; {report.rows_read} rows read = {parts}; accepted {rupees} rupees"
