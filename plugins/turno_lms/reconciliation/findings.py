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
LOAN_KINDS = (
    ExceptionKind.LOAN_POSTING_DIFFERS,
    ExceptionKind.LOAN_TOTALS_DIFFER,
    ExceptionKind.LOAN_OUTSTANDING_DIFFERS,
    ExceptionKind.LOAN_DPD_DIFFERS,
    ExceptionKind.LOAN_STATUS_DIFFERS,
    ExceptionKind.LOAN_MISSING_IN_FINERACT,
    ExceptionKind.LOAN_MISSING_IN_STATEMENT,
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
    findings = sql.Identifier("core", "core_settlement_finding")
    with conn.transaction():
        return _record(conn, findings, SETTLEMENT_KINDS, "gateway and rate card agree now", run)


def record_loans(conn: WarehouseConnection, run: RunContext) -> FindingsReport:
    """Keep the differences of core_recon_loan; safe to run again."""
    with conn.transaction():
        conn.execute(STATEMENTS["find_loan_differences"])
        findings = sql.Identifier("loan_finding")
        report = _record(conn, findings, LOAN_KINDS, "the loan agrees now", run)
        conn.execute("drop table loan_finding")
    return report


def _record(
    conn: WarehouseConnection, findings: sql.Identifier, kinds: Iterable[str], reason: str, run: RunContext
) -> FindingsReport:
    values = {"run": run.label, "kinds": list(kinds), "reason": reason}

    def touched(name: str) -> int:
        counted = conn.execute(sql.SQL(STATEMENTS[name]).format(findings=findings), values).fetchone()
        return int((counted or {})["touched"])

    cleared = touched("clear_findings")
    return FindingsReport(opened=touched("open_findings"), cleared=cleared)
