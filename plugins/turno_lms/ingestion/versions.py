"""Versions of one key: a lender's corrected resend replaces the version before, and never un-posts it.

Rows of the versions before are in RAW to stay. Those that the new version has as well are its duplicates; those that it
lacks or changes are exceptions that name them, and are held back from posting while nobody has decided (where they are
posted, a person has to put it right in Fineract). What stands in the place of a changed row is kept as a reject.
"""

from dataclasses import dataclass

from turno_lms.domain.money import rupees_to_paise
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind, FileState
from turno_lms.ingestion import log, version_queries
from turno_lms.warehouse.changes import IDENTITY_LOCK, record_changes
from turno_lms.warehouse.connection import Row, WarehouseConnection


@dataclass(frozen=True)
class Superseded:
    """What a new version of a key did to those before it; rupees in paise."""

    versions: tuple[int, ...] = ()
    rows: int = 0
    paise: int = 0
    posted_rows: int = 0


def earlier_versions(conn: WarehouseConnection, row: Row) -> list[int]:
    """The other versions of the file's key that were loaded, by file id."""
    return [found["file_id"] for found in conn.execute(version_queries.EARLIER_VERSIONS, row)]


def newer_version(conn: WarehouseConnection, row: Row) -> int | None:
    """A version of the file's key that was seen later and is loaded already."""
    found = conn.execute(version_queries.NEWER_VERSION, row).fetchone()
    return found["file_id"] if found else None


def find_rows_of_versions(conn: WarehouseConnection, row: Row, versions: list[int]) -> None:
    """Add to `repeated_payment` the staged rows that earlier versions have, or have otherwise."""
    for query in version_queries.FIND_IN_VERSIONS:
        conn.execute(query, {**row, "versions": versions})


def supersede(conn: WarehouseConnection, row: Row, versions: list[int], run: RunContext) -> Superseded:
    """Let a version that is now loaded replace `versions`, in the caller's transaction.

    Takes the lock of the identity step: a row gets its posting key either before it is flagged here, and is then
    announced as changed, or after, and is then held from its first build on.
    """
    conn.execute(version_queries.MARK_UNLOADED, row)
    if not versions:
        return Superseded()
    conn.execute("select pg_advisory_xact_lock(%s)", (IDENTITY_LOCK,))
    values = {**row, "versions": versions, "run": run.label, "exception_kind": ExceptionKind.SUPERSEDED_ROW}
    flagged = conn.execute(version_queries.FLAG_ROWS, values).fetchall()
    cleared = conn.execute(version_queries.CLEAR_ROWS, values).fetchall()
    touched = [found["posting_key"] for found in (*flagged, *cleared) if found["posting_key"]]
    record_changes(conn, "reconciliation", touched)
    for version in versions:
        log.replace(conn, version, row["file_id"])
    return Superseded(
        tuple(versions),
        len(flagged),
        sum(rupees_to_paise(found["amount"]) for found in flagged),
        sum(found["posting"] == "posted" for found in flagged),
    )


def is_current(state: str) -> bool:
    """Whether a version is what its key stands for: loaded, and not replaced."""
    return state in (FileState.LOADED, FileState.LOADED_EMPTY)
