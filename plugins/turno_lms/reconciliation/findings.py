"""What the models about settlements and loans find wrong, kept as exceptions that clear when it is right again."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

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


_SETTLEMENTS = (
    "create temporary table finding as select found.* from core.core_gateway_settlement_finding as found"
)


def record_settlements(conn: WarehouseConnection, run: RunContext) -> FindingsReport:
    """Keep what core_gateway_settlement_finding says; safe to run again."""
    return _record(conn, _SETTLEMENTS, SETTLEMENT_KINDS, "gateway and rate card agree now", run)


def record_loans(conn: WarehouseConnection, run: RunContext) -> FindingsReport:
    """Keep the differences of core_recon_loan; safe to run again."""
    return _record(conn, STATEMENTS["find_loan_differences"], LOAN_KINDS, "the loan agrees now", run)


def _record(
    conn: WarehouseConnection, find: str, kinds: Iterable[str], reason: str, run: RunContext
) -> FindingsReport:
    """Find, then clear what is not found any more and open what is, in one transaction."""
    values = {"run": run.label, "kinds": list(kinds), "reason": reason}

    def touched(name: str) -> int:
        counted = conn.execute(STATEMENTS[name], values).fetchone()
        return int((counted or {})["touched"])

    with conn.transaction():
        conn.execute(find)
        cleared = touched("clear_findings")
        report = FindingsReport(opened=touched("open_findings"), cleared=cleared)
        conn.execute("drop table finding")
    return report
