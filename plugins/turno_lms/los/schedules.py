"""The schedules that the warehouse lacks: of loans that no operation brought, or that changed in Fineract since."""

from typing import Any

from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.errors import FineractError
from turno_lms.los.observation import keep_schedule
from turno_lms.los.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

MOST = 5000
"""Loans of one run; the next takes the rest."""


def read_missing_schedules(
    conn: WarehouseConnection, client: FineractClient, run: RunContext
) -> dict[str, Any]:
    """Read them one by one, each stored on its own. Run twice: nothing is read again. A loan that cannot be read is
    counted and tried by the next run.
    """
    read = changed = failed = 0
    for row in conn.execute(STATEMENTS["missing_schedules"], {"most": MOST}).fetchall():
        try:
            loan = client.find_loan(row["external_id"], ("repaymentSchedule",))
        except FineractError:
            failed += 1
            continue
        read += 1
        if loan:
            with conn.transaction():
                changed += keep_schedule(conn, loan, run)
    return {"read": read, "changed": changed, "failed": failed}
