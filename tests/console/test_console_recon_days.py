"""The charts of what is matched and what is not, on the console's first page."""

import html
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.dbt.project import DbtProject
from turno_lms.reconciliation.reports import today

if TYPE_CHECKING:
    from tests.console.conftest import SignIn


def test_finance_sees_by_day_what_is_matched_and_what_is_not(sign_in: "SignIn", project: DbtProject) -> None:
    """Two days: on the first 900.00 missing in a file, on the second matched. Questions are no payments."""
    page = sign_in("viewer").get("/turno/")
    assert "No daily summary yet" in page.text
    first, second = today() - timedelta(days=1), today()
    project.conn.cursor().executemany(
        "insert into core.core_recon_daily (day, lender, measure, status, age, items, rupees, taken_by_run)"
        " values (%s, 'gb', %s, %s, '0-1', 1, %s, 'r')",
        [
            (first, "payment", "matched", "5499.00"),
            (first, "payment", "missing_in_file", "900.00"),
            (first, "payment", "pending", "70.50"),
            (first, "exception", "missing_in_file", "900.00"),
            (second, "payment", "matched", "6399.00"),
            (second, "payment", "resolved", "70.50"),
            (today() - timedelta(days=40), "payment", "matched", "1.11"),
        ],
    )
    shown = html.unescape(sign_in("viewer").get("/turno/").text)
    assert "No daily summary yet" not in shown
    assert f"{first:%d %b}" in shown
    for figures in (
        '"name": "matched", "data": ["5499.00", "6399.00"]',
        '"name": "expected", "data": ["70.50", "0.00"]',
        '"name": "mismatched", "data": ["900.00", "0.00"]',
        '"name": "resolved", "data": ["0.00", "70.50"]',
    ):
        assert figures.replace(" ", "") in shown.replace(" ", "")
    assert "1.11" not in shown
