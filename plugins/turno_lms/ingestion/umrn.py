"""The UMRN master: which loan a NACH mandate pays for, and when. Loaded from files and from rows given by hand."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import Disposition, FileError, FileState, RowReason
from turno_lms.ingestion import log, queries
from turno_lms.ingestion.archive import archive
from turno_lms.ingestion.files import FilePlace, LenderFile, ObjectStore, new_files
from turno_lms.ingestion.log import FileReport
from turno_lms.ingestion.mandates import (
    Mandate,
    MandateError,
    MandateHistory,
    by_start,
    cells_of,
    read_headings,
    read_mandate,
)
from turno_lms.ingestion.readers import text_records
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.staging import write_set_aside
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, Chunk
from turno_lms.ingestion.transform import SetAside
from turno_lms.ingestion.verdicts import Verdict
from turno_lms.lenders.formats import CsvFormat
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Row, WarehouseConnection

KIND = "umrn_master"
ALL_LENDERS = "*"
"""Stands for the lender in the log: one file may hold several lenders' mandates. No slug looks like this."""

UMRN_PLACE = FilePlace(ALL_LENDERS, KIND, "umrn/", "*.csv")
LAYOUT_VERSION = "umrn-master-1"
"""In place of a mapping version: the layout is fixed here and not in a lender's YAML."""

_FORMAT = CsvFormat(type="csv")
NumberedCells = tuple[int, dict[str, str]]


@dataclass(frozen=True)
class Refused:
    """A row of the master that was not taken, and why."""

    row_number: int
    reason: RowReason
    field: str
    message: str


@dataclass(frozen=True)
class UmrnReport:
    """What became of some rows of the master."""

    rows_read: int
    changed: tuple[str, ...]
    """The UMRNs whose history changed."""
    rejected: tuple[Refused, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an XCom."""
        return asdict(self)


def find_new_umrn_files(conn: WarehouseConnection, s3: ObjectStore, bucket: str) -> list[LenderFile]:
    """The versions of UMRN master files that the log does not have in a final state, oldest upload first."""
    return new_files(conn, s3, bucket, [UMRN_PLACE])


def load_umrn_file(
    conn: WarehouseConnection, s3: ObjectStore, bucket: str, key: str, run: RunContext
) -> FileReport:
    """Load the version of a master file that stands under `key` now.

    Rows that cannot be taken are kept with their reason. Safe to repeat. Raises FileRefusedError once the refusal is
    recorded. `conn` must have no open transaction.
    """
    head = s3.head_object(Bucket=bucket, Key=key)
    file = LenderFile(bucket, key, head["ETag"].strip('"'), head["ContentLength"], ALL_LENDERS, KIND)
    return log.process(conn, file, LAYOUT_VERSION, run, lambda row: _load(conn, s3, file, row, run))


def load_umrn_rows(
    conn: WarehouseConnection, rows: Iterable[Mapping[str, str]], run: RunContext
) -> UmrnReport:
    """Take rows given by hand: texts under umrn, loan_id, lender, valid_from, valid_to. Rejects are only reported."""
    with conn.transaction():
        return _take(conn, enumerate(map(dict, rows), start=1), run, file_id=None)


def _load(conn: WarehouseConnection, s3: ObjectStore, file: LenderFile, row: Row, run: RunContext) -> Row:
    with TemporaryDirectory(prefix="turno-") as folder:
        path = Path(folder) / "file"
        row = archive(conn, s3, file, row, path)
        with conn.transaction():
            return log.same_content(conn, row) or _load_rows(conn, path, row, run)


def _load_rows(conn: WarehouseConnection, path: Path, row: Row, run: RunContext) -> Row:
    records = list(text_records(path, _FORMAT, row["key"]))
    if not records:
        raise FileRefusedError(FileError.EMPTY_FILE, f"{row['key']} is empty; upload it again")
    heading_row, positions = read_headings(islice(records, ROWS_TO_SEARCH), row["key"])
    below = [(number, record) for number, record in records[heading_row:] if any(map(str.strip, record))]
    report = _take(conn, ((n, cells_of(record, positions)) for n, record in below), run, row["file_id"])
    write_set_aside(conn, row, _set_aside(report.rejected, dict(below)))
    accepted = report.rows_read - len(report.rejected)
    counts = {"rows_layout": len(records) - heading_row - len(below), "rows_read": report.rows_read}
    buckets = {
        "rows_accepted": accepted,
        "rows_filtered": 0,
        "rows_duplicate": 0,
        "rows_rejected": len(report.rejected),
    }
    rupees = dict.fromkeys(("paise_read", *(f"paise_{part}" for part in Disposition)), 0)
    state = FileState.LOADED if report.rows_read else FileState.LOADED_EMPTY
    return log.move(conn, row["file_id"], state, **counts, **buckets, **rupees)


def _set_aside(rejected: Iterable[Refused], records: dict[int, list[str]]) -> Iterator[SetAside]:
    for refused in rejected:
        verdict = Verdict(Disposition.REJECTED, refused.reason, f"umrn_master.{refused.field}", refused.field)
        text = Chunk(refused.row_number, [records[refused.row_number]]).raw_text(refused.row_number)
        yield SetAside(refused.row_number, verdict, refused.message, None, text)


def _take(
    conn: WarehouseConnection, rows: Iterable[NumberedCells], run: RunContext, file_id: int | None
) -> UmrnReport:
    """Add rows to the history in the caller's transaction, and announce every UMRN that changed."""
    conn.execute(queries.LOCK, ("umrn master",))
    lenders = {row["lender"] for row in conn.execute(queries.READ_LENDERS)}
    good: list[tuple[int, Mandate]] = []
    rejected: list[Refused] = []
    for number, cells in rows:
        try:
            good.append((number, _of_known_lender(read_mandate(cells), lenders)))
        except MandateError as error:
            rejected.append(Refused(number, error.reason, error.field, str(error)))
    rows_read = len(good) + len(rejected)
    history = _history(conn, [mandate.umrn for _, mandate in good])
    for number, mandate in by_start(good):
        try:
            history.add(mandate)
        except MandateError as error:
            rejected.append(Refused(number, error.reason, error.field, str(error)))
    with conn.cursor() as cursor:
        cursor.executemany(
            queries.PUT_MANDATE,
            [{**asdict(mandate), "file_id": file_id, "run": run.label} for mandate in history.changed],
        )
    changed = tuple(sorted({mandate.umrn for mandate in history.changed}))
    record_changes(conn, "umrn", changed)
    return UmrnReport(rows_read, changed, tuple(sorted(rejected, key=lambda row: row.row_number)))


def _of_known_lender(mandate: Mandate, lenders: set[str]) -> Mandate:
    if mandate.lender not in lenders:
        known = ", ".join(sorted(lenders)) or "none: run `turno lenders apply`"
        raise MandateError(
            RowReason.BAD_VALUE, "lender", f"lender {mandate.lender!r} is not known; there are {known}"
        )
    return mandate


def _history(conn: WarehouseConnection, umrns: list[str]) -> MandateHistory:
    return MandateHistory(Mandate(**row) for row in conn.execute(queries.READ_MANDATES, (umrns,)))
