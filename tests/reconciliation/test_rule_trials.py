"""A change of the rules tried before it counts, R8 among them: what the trial says is what the change then does.

Two loans with a settlement of one row and three payments each, all of 5 January, worked out by hand for 3 days and no
tolerance in rupees, and for 1 day and 1500.00 rupees:

- GB000001: 5000.00 in the file; 1500.00, 3500.00 and 37.00 at the gateway. With no tolerance R8 finds 1500 + 3500, and 37
  is left. With 1500.00, R6 pairs the row with 3500.00 before R8 is asked; 1500.00 and 37.00 are left.
- GB000002: 5200.00 in the file; 1600.00, 3600.00 and 41.00 at the gateway; and 1600.00 in the file three days later. With
  3 days R4 pairs both 1600.00, and 5200.00, 3600.00 and 41.00 are of one loan with other rupees. With 1 day R8 finds
  1600 + 3600, and the later row and 41.00 are left alone. (A difference of 1600.00 is beyond R6.)
"""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

from tests.dbt.project import DbtProject
from tests.reconciliation.month import Month, Record, land, put_book
from tests.reconciliation.test_planted_month import found, reconcile
from turno_lms.orchestration.rule_changes import RuleChange, try_rules
from turno_lms.warehouse.connection import Role

DAY, LATER = date(2026, 1, 5), date(2026, 1, 8)
MONTH = Month(
    [
        Record("file:gb:nach:N1", "GB000001", DAY, Decimal(5000), "UTR1"),
        *(
            Record(f"razorpay:pay_1{number}", "GB000001", DAY, Decimal(rupees), "UTR1")
            for number, rupees in enumerate((1500, 3500, 37))
        ),
        Record("file:gb:nach:N2", "GB000002", DAY, Decimal(5200), "UTR2"),
        *(
            Record(f"razorpay:pay_2{number}", "GB000002", DAY, Decimal(rupees), "UTR2")
            for number, rupees in enumerate((1600, 3600, 41))
        ),
        Record("file:gb:nach:N3", "GB000002", LATER, Decimal(1600)),
    ]
)
CHANGE = RuleChange("gb", date_tolerance_days=1, amount_tolerance=Decimal(1500))
AS_THEY_ARE = RuleChange("gb", date_tolerance_days=3, amount_tolerance=Decimal(0))
TOLD = {
    # pairs and groups by their row of the file
    "date_tolerance": (1, 0, "1600.00", "0.00"),
    "amount_tolerance": (0, 1, "0.00", "5000.00"),
    "group_subset": (1, 1, "5000.00", "5200.00"),
    # payments that are left
    "amount_mismatch": (3, 0, "8841.00", "0.00"),
    "missing_in_file": (1, 3, "37.00", "1578.00"),
    "missing_in_gateway": (0, 1, "0.00", "1600.00"),
}
"""Items before and after, rupees before and after."""


def set_rules(project: DbtProject, days: int, rupees: str) -> None:
    project.conn.execute(
        "update core.core_lender_recon_rule set date_tolerance_days = %s, amount_tolerance = %s",
        (days, rupees),
    )


def stands(project: DbtProject) -> Counter[str]:
    """Recorded matches by rule, and open questions by kind."""
    questions: list[dict[str, Any]] = project.conn.execute(
        "select kind from core.core_recon_exception where state = 'open'"
    ).fetchall()
    return Counter([*found(project).values(), *(row["kind"] for row in questions)])


def test_the_trial_says_what_the_change_then_does(project: DbtProject) -> None:
    put_book(project, MONTH)
    set_rules(project, 3, "0.00")
    land(project, MONTH.records)
    reconcile(project)
    before = stands(project)
    tables = ("match", "exception", "left_over", "group", "near")
    recorded = [project.rows(f"core.core_recon_{table}") for table in tables]
    told = {row["name"]: row for row in try_rules(project.session(Role.RECONCILER), CHANGE)}
    assert {
        name: (row["items_before"], row["items_after"], str(row["rupees_before"]), str(row["rupees_after"]))
        for name, row in told.items()
    } == TOLD
    assert [project.rows(f"core.core_recon_{table}") for table in tables] == recorded
    assert try_rules(project.session(Role.RECONCILER), AS_THEY_ARE) == []
    assert before == Counter({name: row["items_before"] for name, row in told.items() if row["items_before"]})

    project.empty()
    put_book(project, MONTH)
    set_rules(project, 1, "1500.00")
    land(project, MONTH.records)
    reconcile(project)
    assert stands(project) == Counter(
        {name: row["items_after"] for name, row in told.items() if row["items_after"]}
    )
