"""The change log: what changed beside new landing rows, so that dbt's increments rebuild exactly what is touched."""

from collections.abc import Iterable
from typing import Literal

from turno_lms.warehouse.connection import WarehouseConnection

IDENTITY_LOCK = 0x6964_656E
"""Advisory lock under which payments get their posting keys (the identity step, and dbt's var identity_lock)."""

ChangeKind = Literal["lender", "loan", "umrn", "identity", "decision", "posting", "reconciliation"]


def record_changes(conn: WarehouseConnection, kind: ChangeKind, subjects: Iterable[str]) -> None:
    """Append one row per subject, in the caller's transaction: the change and its announcement commit together."""
    conn.execute(
        "insert into core.core_change_log (kind, subject) select %s, unnest(%s::text[])",
        (kind, sorted(set(subjects))),
    )
