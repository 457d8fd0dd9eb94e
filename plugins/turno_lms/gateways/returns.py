"""Money that a gateway gave back: what the ledger has posted of it, and what is left of it that nobody posts.

Before it is posted, a payment that went back is blocked (`not_collected`) and its intent withdrawn when it is sent;
if only a part went back, the rest is real money, and a person is asked (`partly_returned`). After it was posted, the
exception `returned_after_posting` holds the reversal ready: which transaction to undo, and what to post in its place.
Nothing is sent to Fineract from here.
"""

from dataclasses import asdict, dataclass

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind
from turno_lms.gateways.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

RETURN_KINDS = (ExceptionKind.RETURNED_AFTER_POSTING, ExceptionKind.PARTLY_RETURNED)
_LOCK = 0x7265_7475


@dataclass(frozen=True)
class ReturnsReport:
    """Exceptions of one run: opened (or brought up to date), and cleared as the money did not go back after all."""

    opened: int
    cleared: int

    def to_dict(self) -> dict[str, int]:
        """As JSON for a log or an XCom."""
        return asdict(self)


def raise_returns(conn: WarehouseConnection, run: RunContext) -> ReturnsReport:
    """Open, bring up to date and clear the exceptions about returned money, in one transaction. Safe to run again.

    What a person has resolved stays so for as long as it says the same; a further refund asks again.
    """
    values = {"run": run.label, "kinds": list(RETURN_KINDS)}
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        conn.execute(STATEMENTS["judge_returns"])
        cleared = conn.execute(STATEMENTS["clear_returns"], values).rowcount
        opened = conn.execute(STATEMENTS["open_returns"], values).rowcount
        conn.execute("drop table payment_returned")
    return ReturnsReport(opened, cleared)
