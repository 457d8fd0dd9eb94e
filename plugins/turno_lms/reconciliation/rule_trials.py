"""What rules R4 to R9 make of the open work of the last run, and what other rules would make of it. Records nothing."""

from psycopg import sql

from turno_lms.reconciliation.matches import take_subsets
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection

_MODELS = ("near", "group", "left_over")
_OUTCOMES = "create temporary table rule_outcome (trial text, lender text, name text, amount numeric(18, 2))"
# what the last run matched by its rules is compared anew; what people matched since then is no rule's
_VIEWS = (
    "create temporary view by_hand as select native_reference, posting_key from core.core_recon_match"
    " where rule = 'manual'",
    "create temporary view open_group as select * from group_now as member"
    " where not exists (select 1 from by_hand as known where known.native_reference = member.native_reference)",
    "create temporary view matched_now as select * from by_hand"
    " union all select native_reference, posting_key from group_member",
)


def compare_rules(conn: WarehouseConnection, suffix: str) -> list[Row]:
    """Where the models of the rules differ from those built under the names with `suffix`, in items and rupees.

    Rule R8 and the names of what it leaves are worked out from both, as a run does it after the models. It is the last
    run's work that is compared: a pair that people matched since may still stand among the models' own.
    """
    with conn.transaction(force_rollback=True):
        conn.execute(_OUTCOMES)
        for trial, ending in (("before", ""), ("after", suffix)):
            _work_out(conn, trial, ending)
        return conn.execute(STATEMENTS["compare_rules"]).fetchall()


def _work_out(conn: WarehouseConnection, trial: str, ending: str) -> None:
    view = sql.SQL("create temporary view {view} as select * from {table}")
    for name in _MODELS:
        table = sql.Identifier("core", f"core_recon_{name}{ending}")
        conn.execute(view.format(view=sql.Identifier(f"{name}_now"), table=table))
    conn.execute(STATEMENTS["make_group_members"])
    for made in _VIEWS:
        conn.execute(made)
    take_subsets(conn)
    conn.execute(STATEMENTS["leave_out_undone"])
    conn.execute(STATEMENTS["name_left_over"])
    conn.execute(STATEMENTS["outcome_of_rules"], {"trial": trial})
    conn.execute("drop view near_now, group_now, left_over_now, by_hand cascade")
    conn.execute("drop table group_member")
