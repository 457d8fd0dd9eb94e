"""What an operation leaves behind for the warehouse: the loan as Fineract shows it, its schedule's figures."""

from dataclasses import astuple
from typing import Any

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.snapshots import snapshot_loan
from turno_lms.los.model import Json
from turno_lms.los.schedule import figures_of
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import WarehouseConnection

ASSOCIATIONS = ("repaymentSchedule", "charges")
"""What is read with a loan here, and is no part of the row in which Fineract lists it."""

_KEEP_SCHEDULE = """
insert into raw.raw_fineract_loan_schedule (
    fineract_loan_id, external_id, installments, installment_amount, first_due_on, last_due_on, principal, interest,
    fees, penalties, taken_by_run
)
select %(loan)s, %(external_id)s, figures.*, %(run)s
from (
    values (
        %(installments)s::integer, %(installment_amount)s::numeric, %(first_due_on)s::date, %(last_due_on)s::date,
        %(principal)s::numeric, %(interest)s::numeric, %(fees)s::numeric, %(penalties)s::numeric
    )
) as figures
where figures is distinct from (
    select row(
        latest.installments, latest.installment_amount::numeric, latest.first_due_on, latest.last_due_on,
        latest.principal::numeric, latest.interest::numeric, latest.fees::numeric, latest.penalties::numeric
    )
    from raw.raw_fineract_loan_schedule as latest
    where latest.fineract_loan_id = %(loan)s
    order by latest.schedule_id desc
    limit 1
)
"""
_FIGURES = (
    "installments", "installment_amount", "first_due_on", "last_due_on", "principal", "interest", "fees", "penalties",
)  # fmt: skip


def keep_loan(conn: WarehouseConnection, loan: Json, run: RunContext) -> bool:
    """Append the loan and its schedule as just read, where they changed; in the caller's transaction."""
    listed = {name: value for name, value in loan.items() if name not in ASSOCIATIONS}
    changed = snapshot_loan(conn, listed, run)
    return keep_schedule(conn, loan, run) or changed


def keep_schedule(conn: WarehouseConnection, loan: Json, run: RunContext) -> bool:
    """Append the figures of the loan's schedule, if they changed; True if they did."""
    figures = figures_of(loan.get("repaymentSchedule"))
    if figures is None:
        return False
    values: dict[str, Any] = {
        **dict(zip(_FIGURES, astuple(figures), strict=True)),
        "loan": loan["id"],
        "external_id": loan.get("externalId"),
        "run": run.label,
    }
    if not conn.execute(_KEEP_SCHEDULE, values).rowcount:
        return False
    record_changes(conn, "loan", [canonical_loan_id(loan["externalId"])] if loan.get("externalId") else [])
    return True
