"""What the reconciliation models propose becomes state: matches that stay, exceptions that clear by themselves."""

from dataclasses import asdict, dataclass
from pathlib import Path

from turno_lms.domain.runs import RunContext
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import WarehouseConnection

_STATEMENTS = {
    path.stem: path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "sql").glob("*.sql")
}
_LOCK = 0x7265_636F


@dataclass(frozen=True)
class ReconReport:
    """What one run recorded: pairs matched, payments whose other side is missing, and those that no longer lack it."""

    pairs_matched: int
    exceptions_opened: int
    exceptions_cleared: int

    def to_dict(self) -> dict[str, int]:
        """As JSON for a log or an XCom."""
        return asdict(self)


def record_matches(conn: WarehouseConnection, run: RunContext) -> ReconReport:
    """Record core_recon_proposal as matches and what is left of core_recon_side as exceptions, in one transaction.

    A sighting is matched once and stays so. Safe to run again: what is recorded already changes nothing. Every
    touched payment goes to the change log, so that the next build carries its status into core_transaction_data.
    """
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        values = {"run": run.label}
        matched = _subjects(conn, "record_matches", values)
        conn.execute(_STATEMENTS["judge_payments"])
        cleared = _subjects(conn, "clear_missing", values)
        opened = _subjects(conn, "open_missing", values)
        conn.execute("drop table payment_judged")
        record_changes(conn, "reconciliation", [*matched, *cleared, *opened])
    return ReconReport(
        pairs_matched=len(matched) // 2, exceptions_opened=len(opened), exceptions_cleared=len(cleared)
    )


def _subjects(conn: WarehouseConnection, name: str, values: dict[str, str]) -> list[str]:
    """Execute a statement that returns the posting keys it touched."""
    return [row["subject"] for row in conn.execute(_STATEMENTS[name], values)]
