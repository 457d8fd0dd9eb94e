"""What the models about settlements and loans find wrong, kept as exceptions that clear when it is right again."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from psycopg import sql

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

SETTLEMENT_KINDS = (
    ExceptionKind.SETTLED_UNKNOWN_PAYMENT,
    ExceptionKind.SETTLED_AMOUNT_DIFFERS,
    ExceptionKind.FEE_DIFFERS,
    ExceptionKind.NOT_SETTLED,
    ExceptionKind.SETTLEMENT_TOTAL_DIFFERS,
)


@dataclass(frozen=True)
class FindingsReport:
    """How many exceptions one run opened and cleared."""

    opened: int
    cleared: int

    def to_dict(self) -> dict[str, int]:
        """As JSON for a log or an XCom."""
        return asdict(self)


def record_settlements(conn: WarehouseConnection, run: RunContext) -> FindingsReport:
    """Keep what core_settlement_finding says; safe to run again."""
    return _record(conn, "core_settlement_finding", SETTLEMENT_KINDS, "gateway and rate card agree now", run)


def _record(
    conn: WarehouseConnection, model: str, kinds: Iterable[str], reason: str, run: RunContext
) -> FindingsReport:
    values = {"run": run.label, "kinds": list(kinds), "reason": reason}
    findings = sql.Identifier("core", model)

    def touched(name: str) -> int:
        counted = conn.execute(sql.SQL(STATEMENTS[name]).format(findings=findings), values).fetchone()
        return int((counted or {})["touched"])

    with conn.transaction():
        cleared = touched("clear_findings")
        return FindingsReport(opened=touched("open_findings"), cleared=cleared)
