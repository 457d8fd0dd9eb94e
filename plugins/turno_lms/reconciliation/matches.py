"""What the reconciliation models propose becomes state: matches that stay, exceptions that clear by themselves."""

from dataclasses import asdict, dataclass
from pathlib import Path

from turno_lms.domain.runs import RunContext
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
        matched = _touched(conn, "record_matches", run)
        conn.execute(_STATEMENTS["judge_payments"])
        cleared = _touched(conn, "clear_missing", run)
        opened = _touched(conn, "open_missing", run)
        conn.execute("drop table payment_judged")
    return ReconReport(pairs_matched=matched // 2, exceptions_opened=opened, exceptions_cleared=cleared)


def _touched(conn: WarehouseConnection, name: str, run: RunContext) -> int:
    """Execute a statement that records, announces what it touched in the change log, and counts it."""
    counted = conn.execute(_STATEMENTS[name], {"run": run.label}).fetchone()
    return int((counted or {})["touched"])
