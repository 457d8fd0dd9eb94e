"""What a person must look at about payment links: stored as exceptions, judged from tables, cleared when it passes."""

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind
from turno_lms.payment_links.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

KINDS = (
    ExceptionKind.LINK_AMOUNT_MISMATCH,
    ExceptionKind.LINK_PAYER_MISMATCH,
    ExceptionKind.LINK_PAID_AFTER_END,
    ExceptionKind.LINK_STALE,
)
_LOCK = 0x6C69_6E6B


def raise_questions(conn: WarehouseConnection, run: RunContext) -> dict[str, int]:
    """Open and clear the exceptions about links, in one transaction. Safe to run again.

    What a person has resolved stays so for as long as it says the same.
    """
    values = {"run": run.label, "kinds": list(KINDS)}
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        conn.execute(STATEMENTS["judge_links"])
        cleared = conn.execute(STATEMENTS["clear_questions"], values).rowcount
        opened = conn.execute(STATEMENTS["open_questions"], values).rowcount
        conn.execute("drop table payment_link_question")
    return {"opened": opened, "cleared": cleared}
