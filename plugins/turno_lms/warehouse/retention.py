"""What is old and proves nothing goes (docs/retention.md). What may go is decided in the database, not here."""

from collections import Counter

from turno_lms.warehouse.connection import WarehouseConnection

_BATCH = 50_000
"""Rows of a kind in one transaction: other work waits for none of them longer."""
_REMOVE = "select what, rows_removed from core.remove_expired(%s, %s, %s)"


def remove_expired(conn: WarehouseConnection, run: str, *, is_trial: bool = False) -> dict[str, int]:
    """Remove what may go, batch by batch, each a transaction of its own; rows removed by kind.

    A trial removes nothing and says how many would go. `run` is who asked, for the record in core.core_removal.
    """
    removed: Counter[str] = Counter()
    while True:
        with conn.transaction():
            found = conn.execute(_REMOVE, (run, _BATCH, is_trial)).fetchall()
        removed.update({row["what"]: row["rows_removed"] for row in found})
        if is_trial or all(row["rows_removed"] < _BATCH for row in found):
            return dict(removed)
