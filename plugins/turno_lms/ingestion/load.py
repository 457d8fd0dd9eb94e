"""One version of a lender file, from S3 into RAW: all of it or nothing.

received -> archived (the bytes are safe under their sha256) -> loaded, in one transaction with its rows and rejects.
Safe to kill and to repeat at any point: the next run takes the log row up where it stands, and reads the archived bytes
even if the key was overwritten meanwhile. A version that replaces an earlier one of its key: see `versions`.
"""

import logging
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from turno_lms.domain.money import indian_rupees, paise_to_rupees
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import Disposition, FileError, FileState
from turno_lms.ingestion import log, queries, versions
from turno_lms.ingestion.archive import archive, stands_under_key
from turno_lms.ingestion.direct import load_directly
from turno_lms.ingestion.files import LenderFile, ObjectStore
from turno_lms.ingestion.judging import (
    FileRead,
    FileToJudge,
    Written,
    add_payments,
    check_tie,
    find_repeated,
    set_repeated_aside,
    stage_file,
    tallies,
)
from turno_lms.ingestion.log import FileReport
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.rejudge import rejudge
from turno_lms.ingestion.staging import open_staging, open_trial
from turno_lms.ingestion.transform import Tally
from turno_lms.lenders import mapping_versions
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
        conn, file, lender.mapping_version, run, lambda row: _Load(conn, s3, lender, file, run).load(row)
    )
    _logger.info("%s", _summary(report))
    if report.warning:
        _logger.warning("%s", report.warning)
    return report


class _Load:
    """The load of one version under its lock."""

    def __init__(
        self, conn: WarehouseConnection, s3: ObjectStore, lender: Lender, file: LenderFile, run: RunContext
    ) -> None:
        self._conn = conn
        self._s3 = s3
        self._lender = lender
        self._file = file
        self._run = run

    def load(self, row: Row) -> Row:
        """Bring the version to its final state; the log row afterwards. Raises FileRefusedError."""
        kind = self._kind()
        if row["state"] == FileState.SUPERSEDED and not stands_under_key(self._s3, self._file):
            return row
        with TemporaryDirectory(prefix="turno-") as folder:
            path = Path(folder) / "file"
            row = archive(self._conn, self._s3, row, path)
            with self._conn.transaction():
                self._prepare()
                last = log.last_file(self._conn, row)
                return self._load_archived(FileToJudge(self._lender, kind, path, row, last))

    def _kind(self) -> FileKind:
        kind = self._lender.files.get(self._file.kind or "")
        if kind is None:
            known = ", ".join(f"{spec.s3.prefix}{spec.s3.pattern}" for spec in self._lender.files.values())
            message = f"{self._file.key} is no file of {self._lender.slug}: the mapping expects {known}"
            raise FileRefusedError(FileError.UNKNOWN_KIND, message)
        return kind

    def _prepare(self) -> None:
        slug = self._lender.slug
        self._conn.execute(queries.LOCK, (f"load {slug}",))
        if self._conn.execute(queries.READ_LENDER, (slug,)).fetchone() is None:
            raise LookupError(f"the warehouse does not know lender {slug}: run `turno lenders apply`")
        mapping_versions.keep(self._conn, self._lender)

    def _load_archived(self, file: FileToJudge) -> Row:
        """Everything a file brings, in the caller's transaction. Raises FileRefusedError, and nothing is left of it."""
        row, earlier = file.row, self._earlier(file.kind, file.row)
        if row["state"] == FileState.SUPERSEDED:
            rejudge(self._conn, replace(file, last=None), earlier, self._run)
            return self._supersede(log.read(self._conn, row["file_id"]), earlier)
        same = log.same_content(self._conn, row)
        if same is None:
            return self._load_rows(file, earlier)
        if not earlier or same["same_content_as"] in earlier:
            return same
        open_trial(self._conn)
        stage_file(self._conn, file, queries.COPY_JUDGED_ASIDE)
        find_repeated(self._conn, row, earlier)
        return self._supersede(same, earlier)

    def _earlier(self, kind: FileKind, row: Row) -> list[int]:
        """The loaded versions of the key that this one replaces."""
        if kind.same_name == "adds":
            return []
        newer = versions.newer_version(self._conn, row)
        if newer is not None and not stands_under_key(self._s3, self._file):
            message = (
                f"{row['key']} was overwritten, and its new content is loaded as file {newer}: nothing to do"
            )
            raise FileRefusedError(FileError.NEWER_VERSION_LOADED, message)
        return versions.earlier_versions(self._conn, row)

    def _load_rows(self, file: FileToJudge, earlier: list[int]) -> Row:
        loaded = None if earlier else load_directly(self._conn, file)
        return self._finish(file, earlier, loaded) if loaded else self._load_staged(file, earlier)

    def _load_staged(self, file: FileToJudge, earlier: list[int]) -> Row:
        conn, row, file_id = self._conn, file.row, file.row["file_id"]
        open_staging(conn, row)
        read = stage_file(conn, file)
        aside = tallies(conn.execute(queries.COUNT_SET_ASIDE, (file_id,)).fetchall())
        rejected = aside[Disposition.REJECTED]
        if file.kind.thresholds.halts(rejected.rows, read.rows.rows, rejected.paise):
            return _halt(conn, file.kind, row, _counts(read) | _by_disposition(aside))
        find_repeated(conn, row, earlier)
        set_repeated_aside(conn, file)
        set_aside = conn.execute(queries.COUNT_SET_ASIDE, (file_id,)).fetchall()
        written = tallies([*set_aside, add_payments(conn, row)])
        return self._finish(file, earlier, Written(read, rejected, written))

    def _finish(self, file: FileToJudge, earlier: list[int], done: Written) -> Row:
        """Check what was written against what was read, and close the version."""
        key, rows = file.row["key"], done.read.rows
        check_tie(rows, done.by_disposition, key)
        state = FileState.LOADED if rows.rows else FileState.LOADED_EMPTY
        found = _counts(done.read) | _by_disposition(done.by_disposition)
        told = {
            "warning": _warning(file.kind, key, done.rejected_at_first, rows),
            "headings": done.read.headings,
        }
        row = log.move(self._conn, file.row["file_id"], state, superseded_by=None, **told, **found)
        return self._supersede(row, earlier)

    def _supersede(self, row: Row, earlier: list[int]) -> Row:
        done = versions.supersede(self._conn, row, earlier, self._run)
        if not done.versions:
            return row
        if done.rows:
            _logger.warning(
                "%s: %s rows of %s rupees that earlier versions brought are missing or changed now (%s of them "
                "posted): see the exceptions `superseded_row`",
                row["key"], done.rows, indian_rupees(paise_to_rupees(done.paise)), done.posted_rows,
            )  # fmt: skip
        return log.note(self._conn, row["file_id"], rows_superseded=done.rows, paise_superseded=done.paise)


def _counts(read: FileRead) -> dict[str, int]:
    return {
        "rows_layout": read.layout_rows,
        "rows_read": read.rows.rows,
        "rows_amount_unreadable": read.rows.unreadable,
        "paise_read": read.rows.paise,
    }


def _by_disposition(counted: dict[Disposition, Tally]) -> dict[str, int]:
    rows = {f"rows_{disposition}": tally.rows for disposition, tally in counted.items()}
    return rows | {f"paise_{disposition}": tally.paise for disposition, tally in counted.items()}


def _halt(conn: WarehouseConnection, kind: FileKind, row: Row, counts: dict[str, int]) -> Row:
    limit = f"{kind.thresholds.reject_percent} percent"
    if kind.thresholds.reject_rupees:
        limit += f" or {indian_rupees(paise_to_rupees(kind.thresholds.reject_rupees * 100))} rupees"
    rupees = indian_rupees(paise_to_rupees(counts["paise_rejected"]))
    message = (
        f"{row['key']}: {counts['rows_rejected']} of {counts['rows_read']} rows are rejected, "
        f"above the limit of {limit}. They are worth {rupees} rupees. "
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


def _warning(kind: FileKind, name: str, rejected: Tally, read: Tally) -> str | None:
    if not kind.thresholds.warns(rejected.rows, read.rows, rejected.paise):
        return None
    rupees = indian_rupees(paise_to_rupees(rejected.paise))
    return (
        f"{name}: {rejected.rows} of {read.rows} rows are rejected, worth {rupees} rupees, above the warning "
        "level. The others are loaded; see `turno rejects list`"
    )


def _summary(report: FileReport) -> str:
    """One line for the task log."""
    if report.state == FileState.SAME_CONTENT:
        return f"{report.key}: same content as file {report.same_content_as}, which is loaded; nothing to do"
    parts = ", ".join(f"{getattr(report, f'rows_{part}')} {part}" for part in Disposition)
    rupees = indian_rupees(paise_to_rupees(report.paise_accepted or 0))
    return f"{report.key}: {report.state}; {report.rows_read} rows read = {parts}; accepted {rupees} rupees"
