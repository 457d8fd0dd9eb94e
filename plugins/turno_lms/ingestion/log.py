"""The processing log: one row per file version, its state moved only through `domain.states.advance`.

Every function here is a transaction of its own: what has happened to a file stays written, whatever becomes of its
rows. `move` alone joins a transaction that is open: a file is `loaded` with its rows or not at all.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

from psycopg import sql
from psycopg.pq import TransactionStatus

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import FileError, FileState, advance
from turno_lms.ingestion import queries
from turno_lms.ingestion.drift import LastFile
from turno_lms.ingestion.files import LenderFile
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.warehouse.connection import Row, WarehouseConnection

FINISHED = frozenset({FileState.LOADED, FileState.LOADED_EMPTY, FileState.SAME_CONTENT})
"""States in which a file version is done with for good."""
_TO_BE_RETRIED = frozenset({FileState.FAILED, FileState.REFUSED, FileState.HALTED})


@dataclass(frozen=True)
class FileReport:
    """A file's row of the log: state, rows by disposition, rupees in paise."""

    file_id: int
    lender: str
    kind: str | None
    key: str
    state: str
    error_code: str | None
    error_message: str | None
    same_content_as: int | None
    superseded_by: int | None
    warning: str | None
    mapping_version: str | None
    rows_layout: int | None
    rows_read: int | None
    rows_accepted: int | None
    rows_filtered: int | None
    rows_duplicate: int | None
    rows_rejected: int | None
    rows_amount_unreadable: int | None
    paise_read: int | None
    paise_accepted: int | None
    paise_filtered: int | None
    paise_duplicate: int | None
    paise_rejected: int | None
    rows_superseded: int | None
    """Rows of earlier versions of the key that this version lacks or changes."""
    paise_superseded: int | None

    @classmethod
    def of(cls, row: Row) -> "FileReport":
        """The report of a log row."""
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an XCom."""
        return asdict(self)


def process(
    conn: WarehouseConnection,
    file: LenderFile,
    mapping_version: str,
    run: RunContext,
    work: Callable[[Row], Row],
) -> FileReport:
    """Take a file version up under its lock and let `work` move it to a final state; finished versions are left alone.

    Raises FileRefusedError once the refusal is committed. Any other exception of `work` is recorded as `failed` and
    passed on.
    """
    with file_lock(conn, file.bucket, file.key):
        row = _take_up(conn, file, mapping_version, run)
        if row["state"] not in FINISHED:
            row = _attempt(conn, row, work)
    if row["state"] in (FileState.REFUSED, FileState.HALTED):
        raise FileRefusedError(FileError(row["error_code"]), row["error_message"])
    return FileReport.of(row)


def same_content(conn: WarehouseConnection, row: Row) -> Row | None:
    """Close a version whose bytes are loaded already, under this key or another; None when they are new."""
    same = conn.execute(queries.SAME_CONTENT, row).fetchone()
    if same is None:
        return None
    return move(conn, row["file_id"], FileState.SAME_CONTENT, same_content_as=same["file_id"])


def last_file(conn: WarehouseConnection, row: Row) -> LastFile | None:
    """The file of the same kind that was loaded last, if it had headings; other than that of the row."""
    last = conn.execute(queries.LAST_HEADINGS, row).fetchone()
    return None if last is None else LastFile(last["key"], tuple(last["headings"]))


def _attempt(conn: WarehouseConnection, row: Row, work: Callable[[Row], Row]) -> Row:
    try:
        return work(row)
    except FileRefusedError as refusal:
        if row["state"] == FileState.SUPERSEDED:
            raise
        return move(
            conn, row["file_id"], FileState.REFUSED, error_code=refusal.code, error_message=refusal.message
        )
    except Exception as error:
        if not conn.closed and row["state"] != FileState.SUPERSEDED:
            move(conn, row["file_id"], FileState.FAILED, error_message=f"{type(error).__name__}: {error}")
        raise


@contextmanager
def file_lock(conn: WarehouseConnection, bucket: str, key: str) -> Iterator[None]:
    """Let one process at a time work on a key; a killed one loses the lock with its connection.

    Raises RuntimeError inside an open transaction: the log's states could not be committed on their own.
    """
    if conn.info.transaction_status != TransactionStatus.IDLE:
        raise RuntimeError("ingestion commits as it goes: hand it a connection without an open transaction")
    name = f"file {bucket}/{key}"
    with conn.transaction():
        conn.execute(queries.LOCK_FILE, (name,))
    try:
        yield
    finally:
        if not conn.closed:
            with conn.transaction():
                conn.execute(queries.UNLOCK_FILE, (name,))


def _take_up(conn: WarehouseConnection, file: LenderFile, mapping_version: str, run: RunContext) -> Row:
    """The version's log row, added when it is new; one that failed, was refused or halted is `received` again.

    One that was superseded stays so until it is loaded again: its rows are in RAW.
    """
    values = {
        **file.to_dict(),
        "mapping_version": mapping_version,
        "dag_id": run.dag_id,
        "dag_run_id": run.run_id,
    }
    with conn.transaction():
        conn.execute(queries.ADD_VERSION, values)
        row = _one(conn, queries.READ_VERSION, values)
        state = FileState(row["state"])
        if state in FINISHED or state is FileState.SUPERSEDED:
            return row
        again = advance(state, FileState.RECEIVED) if state in _TO_BE_RETRIED else state
        conn.execute(queries.TAKE_UP, {**values, "state": again, "file_id": row["file_id"]})
        return read(conn, row["file_id"])


def move(conn: WarehouseConnection, file_id: int, new: FileState, **fields: Any) -> Row:
    """Advance a version to `new` and set `fields` of its row; joins the caller's transaction if there is one."""
    with conn.transaction():
        row = read(conn, file_id)
        fields["state"] = advance(FileState(row["state"]), new)
        fields["finished_at"] = None if new is FileState.ARCHIVED else datetime.now(UTC)
        return note(conn, file_id, **fields)


def note(conn: WarehouseConnection, file_id: int, **fields: Any) -> Row:
    """Set fields of a version's row other than its state, in the caller's transaction."""
    settings = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in fields
    )
    update = sql.SQL("update raw.raw_s3_file_processing_log set {} where file_id = {}")
    conn.execute(update.format(settings, sql.Literal(file_id)), fields)
    return read(conn, file_id)


def replace(conn: WarehouseConnection, file_id: int, by: int) -> None:
    """Say that a loaded version was replaced by a later one of its key, in the caller's transaction."""
    state = FileState(read(conn, file_id)["state"])
    if state is not FileState.SUPERSEDED:
        values = (advance(state, FileState.SUPERSEDED), by, file_id)
        conn.execute(queries.REPLACE_VERSION, values)


def read(conn: WarehouseConnection, file_id: int) -> Row:
    """A file's row of the log, locked until the transaction ends."""
    return _one(conn, queries.READ_LOG_ROW, (file_id,))


def _one(conn: WarehouseConnection, query: LiteralString, values: Any) -> Row:
    row = conn.execute(query, values).fetchone()
    if row is None:
        raise LookupError(f"the processing log lost a row it had: {values}")
    return row
