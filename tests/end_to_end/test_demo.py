"""`turno demo`, for real: its own stack on its own ports, the real scheduler, the hand-counted figures, and its console."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local_stack.sample_data import expected
from tests.end_to_end.conftest import Finished, LogIn, new_demo

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(1700)]


def figures(report: dict[str, Any], section: str, what: str, count: str) -> dict[tuple[str, str], int]:
    return {(row["lender"], row[what]): row[count] for row in report[section]}


def money(paise: int) -> Decimal:
    return Decimal(paise) / 100


def assert_expected_end_state(finished: Finished) -> None:
    report = finished.report
    assert finished.status == 0, finished.output
    assert finished.last_line.startswith(
        f"demo ok rows={expected.ROWS_READ} posted={expected.POSTED} unexplained=0 seconds="
    )
    assert report["untied"] == []
    assert {row["lender"]: row["mandates"] for row in report["mandates"]} == expected.MANDATES
    assert figures(report, "transactions", "fate", "payments") == expected.FATES
    assert figures(report, "reconciliation", "status", "payments") == expected.RECONCILED
    assert figures(report, "exceptions", "kind", "exceptions") == expected.EXCEPTIONS
    assert figures(report, "links", "state", "links") == expected.LINKS
    assert {
        row["lender"]: (row["events"], row["payments"]) for row in report["webhooks"]
    } == expected.WEBHOOKS
    in_fineract = {row["lender"]: Decimal(row["rupees"]) for row in report["fineract"]}
    assert in_fineract == expected.RUPEES_POSTED


def test_the_first_demo_comes_to_the_hand_counted_figures(first: Finished) -> None:
    assert_expected_end_state(first)


@pytest.mark.parametrize("counted", expected.FILES, ids=lambda counted: counted.name)
def test_a_files_log_row_holds_the_hand_counted_rows_and_rupees(
    first: Finished, counted: expected.ExpectedFile
) -> None:
    logged = next(row for row in first.report["files"] if row["file"] == counted.name)

    assert logged["state"] == counted.state
    assert [logged[part] for part in ("read", "accepted", "filtered", "duplicate", "rejected", "unreadable")] == [
        counted.read, counted.accepted, counted.filtered, counted.duplicate, counted.rejected, counted.unreadable,
    ]  # fmt: skip
    assert [money(logged[f"paise_{part}"]) for part in ("accepted", "filtered", "duplicate", "rejected")] == [
        counted.rupees_accepted, counted.rupees_filtered, counted.rupees_duplicate, counted.rupees_rejected,
    ]  # fmt: skip


def test_every_figure_names_the_dag_run_that_made_it(first: Finished) -> None:
    assert {row["run"].split("/")[0] for row in first.report["files"]} == {
        "ingest__gb",
        "ingest__ugro",
        "ingest__axle",
    }
    posted = [row for row in first.report["transactions"] if row["fate"] == "posted"]
    assert all(run.startswith("post_repayments/") for row in posted for run in row["runs"])
    assert all(row["runs"] for row in posted)
    assert first.report["builds"]


def test_a_refused_file_says_why_in_the_table(first: Finished) -> None:
    assert "NACH_RESPONSE_GB_20260121_empty.csv is empty" in first.output
    assert "lacks Amount (Rs.)" in first.output


def test_a_second_demo_triggers_nothing_and_changes_nothing(first: Finished, second: Finished) -> None:
    assert_expected_end_state(second)
    assert second.report["started"] == []
    for section in (
        "files",
        "mandates",
        "reasons",
        "webhooks",
        "transactions",
        "reconciliation",
        "exceptions",
        "links",
        "fineract",
    ):
        assert second.report[section] == first.report[section], section


@pytest.mark.long
def test_a_killed_scheduler_and_a_killed_fineract_lead_to_the_same_end_state(tmp_path: Path) -> None:
    finished = new_demo(tmp_path).run(
        airflow_scheduler="build_warehouse/",
        fineract="post_repayments/",
    )

    assert_expected_end_state(finished)


def test_every_page_of_the_console_loads_with_the_demos_data_and_without_a_complaint(log_in: LogIn) -> None:
    visitor = log_in("operator")
    complaints, with_rows = {}, set()
    for path in visitor.menu():
        page = visitor.open(path)
        name = path.partition("/")[0] or "today"
        visitor.screenshot(name)
        complaints[name] = visitor.told()
        if page.locator("tbody tr.row-clickable").count():
            with_rows.add(name)
    assert {name: told for name, told in complaints.items() if told} == {}
    assert len(complaints) >= 17
    assert with_rows >= {
        "files", "rejected-rows", "umrn", "loans", "payments", "posted", "exceptions", "webhooks", "payment-links",
        "fineract-calls",
    }  # fmt: skip
