"""`turno demo`, for real: its own stack on its own ports, the real scheduler, the hand-counted figures, and its console."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from local_stack.processes import wait_until
from local_stack.sample_data import expected
from tests.end_to_end.conftest import Demo, Finished, LogIn, Stack, new_demo, stack_environment
from tests.end_to_end.secret_hunt import assert_no_secret_is_found
from turno_lms.warehouse.connection import connect

_RUN_SECONDS = 600
_CHAIN_SECONDS = 1500

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


HOSTILE = "<img src=x onerror=window.hacked=1>"
_HOSTILE_ROWS = """
with file as (
    insert into raw.raw_s3_file_processing_log (
        bucket, key, etag, size_bytes, lender, kind, state, error_code, error_message, dag_id, dag_run_id
    )
    values (
        'turnofile', 'lenders/gb/nach_response/' || %(hostile)s || '"''\u202etxt.csv', gen_random_uuid()::text, 1, 'gb', 'nach_response',
        'refused', 'unreadable_file', %(hostile)s, 'ingest__gb', %(hostile)s
    )
    returning file_id
)
insert into raw.raw_rejected_records (
    file_id, lender, row_number, disposition, reason_code, rule, field, message, amount_paise, raw_text, mapping_version
)
select
    file.file_id, 'gb', 1, 'rejected', 'bad_date', %(hostile)s, %(hostile)s, %(hostile)s, 100,
    '=cmd|'' /C calc''!A0,"\u202e' || %(hostile)s, 'v1'
from file
returning file_id, reject_id
"""


@pytest.fixture(scope="module")
def hostile(stack: Stack) -> dict[str, int]:
    """A file and a row of it whose every text is an attack, as a lender could send them: their numbers."""
    with connect(stack.variables["AIRFLOW_CONN_TURNO_WAREHOUSE_INGESTION"]) as conn:
        return conn.execute(_HOSTILE_ROWS, {"hostile": HOSTILE}).fetchall()[0]


def test_hostile_texts_are_inert_in_the_browser(log_in: LogIn, hostile: dict[str, int]) -> None:
    visitor = log_in("operator")
    rejected = f"rejected-rows/list?filter=file_id__is={hostile['file_id']}"
    for path in (
        "",
        "files/list",
        f"files/detail?pk={hostile['file_id']}",
        f"rejected-rows/detail?pk={hostile['reject_id']}",
        f"rejected-rows/list?q={HOSTILE}",
        rejected,
    ):
        page = visitor.open(path)
        assert page.locator("img").count() == 0, path
    assert HOSTILE in page.inner_text("tbody")
    visitor.click("a[aria-label='Correct and replay']")  # its form is put into the page by a script
    page.wait_for_selector("#modal-form textarea")
    assert HOSTILE in page.input_value("#line")
    assert page.locator("#modal-form img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert visitor.told() == []


def test_a_hostile_row_is_text_in_the_exported_file(log_in: LogIn, hostile: dict[str, int]) -> None:
    visitor = log_in("operator")
    page = visitor.open(f"rejected-rows/list?filter=file_id__is={hostile['file_id']}")
    visitor.click("text=Export")
    page.wait_for_selector("#modal-form form")
    page.check("#modal-form input[value=page]")
    with page.expect_download() as download:
        visitor.click("#actionSubmit")
    rows = list(csv.DictReader(download.value.path().open(encoding="utf-8-sig")))
    assert len(rows) == 1
    assert rows[0]["The row as it was"].startswith("'=cmd|")
    assert visitor.told() == []


def test_the_console_can_be_worked_by_keyboard(log_in: LogIn) -> None:
    visitor = log_in("operator")
    page = visitor.open("files/list")
    expect(page.get_by_role("searchbox")).to_be_focused()  # by itself, when the page's scripts have started
    page.keyboard.type("NACH_RESPONSE_GB_20260120.csv")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=NACH*")
    assert page.locator("tbody tr.row-clickable").count() == 1
    for _tab in range(15):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tbody') && document.activeElement.tagName") == "A":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/files/detail**")
    assert "Why rows were not taken" in page.inner_text(".page-body")
    assert visitor.told() == []


def test_cookies_are_not_sent_along_from_other_sites(log_in: LogIn) -> None:
    visitor = log_in("operator")
    visitor.open("files/list")
    cookies = {cookie["name"]: cookie for cookie in visitor.page.context.cookies()}
    for name in ("_token", "starlette_admin_csrftoken"):
        assert cookies[name]["sameSite"] == "Lax", name


_MANDATES = """umrn,loan_id,lender,valid_from,valid_to
WALK7000100246000009,GB100246,gb,2025-10-01,
"""
_MESSY_FILE = """GB FINANCE LIMITED
NACH DEBIT RESPONSE,Utility code NACH00000000041207
"Sponsor bank: HDFC Bank, Mumbai",Currency: INR
Sr. No.,Customer Name,UMRN,Settlement Date,Amount (Rs.),Status,Return Reason Code,Return Reason,Transaction Reference,Narration
1,"Walk, One",WALK7000100246000009,05/01/2026,"6,049.00", success,,,WALK246,EMI 01/2026
2,"Sharma, Aarav",ICIC7000100151000001,31/02/2026,3082.50,Success,,,WALK151,EMI 02/2026
3,"Gowda, Eknath",BARB7000100155000001,05/02/2026,"4,110.00",Returned,04,Balance Insufficient,WALK155,EMI 02/2026
4,"Yadav, Manoj",KKBK7000100163000001,05/02/2026,3596.00,Returned,04,Balance Insufficient,WALK163,EMI 02/2026
5,"Chauhan, Deepika",HDFC7000100178000001,05/02/2026,6599.00,Returned,68,A/c Blocked or Frozen,WALK178,EMI 02/2026
6,"Das, Bhavna",SBIN7000100152000001,05/02/2026,"4,949.00",Returned,04,Balance Insufficient,WALK152,EMI 02/2026
Total,,,,"28,385.50",,,,,
"""
_WALK = """
select
    payment.posting_key,
    payment.loan_id,
    payment.amount,
    payment.reconciliation_status,
    processed.outcome
from core.core_transaction_data as payment
inner join core.core_payment_identity as identity on payment.posting_key = identity.posting_key
left join core.core_transaction_data_processed as processed on payment.posting_key = processed.posting_key
where identity.native_reference in ('file:gb:nach_response:WALK246', 'file:gb:nach_response:WALK151')
order by payment.loan_id desc
"""


class Walked:
    """The two payments of the walk, as the warehouse has them."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self) -> list[dict[str, Any]]:
        with connect(self._url) as conn:
            return conn.execute(_WALK).fetchall()

    def are_posted(self) -> bool:
        """Wait until both are."""
        return wait_until(
            lambda: [row["outcome"] for row in self.rows()] == ["posted"] * 2, seconds=_CHAIN_SECONDS
        )


@pytest.mark.long
@pytest.mark.timeout(4000)
def test_a_messy_file_goes_from_upload_to_posted_and_reconciled_through_the_console(
    log_in: LogIn, stack: Stack, tmp_path: Path
) -> None:
    """A mandate that was missing, a row that money had come for by webhook, a bad date, four returns: 16 clicks."""
    mandates, messy = tmp_path / "walk.csv", tmp_path / "NACH_RESPONSE_GB_20260206.csv"
    mandates.write_text(_MANDATES)
    messy.write_text(_MESSY_FILE)
    visitor = log_in("operator")
    page = visitor.open()
    visitor.clicks = 0

    visitor.click("aside >> text=Files")
    visitor.click("aside >> text=Mandates")
    visitor.click("text=Upload mandates")
    page.set_input_files("#file", mandates)
    visitor.press()
    visitor.await_run(_RUN_SECONDS)

    visitor.click("aside >> text=Files")
    visitor.click("aside .dropdown-item >> text='Files'")
    visitor.click("text=Upload a file")
    page.select_option("#place", "gb.nach_response")
    page.set_input_files("#file", messy)
    visitor.press()
    visitor.await_run(_RUN_SECONDS)
    visitor.screenshot("run-of-an-upload")

    visitor.click("text=Its rows that were not taken")
    visitor.click("tr:has-text('bad date') a[aria-label='Correct and replay']")
    page.fill("#line", page.input_value("#line").replace("31/02/2026", "05/02/2026"))
    page.fill("#reason", "the lender's mail of today")
    visitor.press()
    visitor.await_run(_RUN_SECONDS)

    walked = Walked(stack.variables["TURNO_WAREHOUSE_URL"])
    assert walked.are_posted(), walked.rows()

    visitor.click("aside >> text=Payments")
    visitor.click("text=Reconcile now")
    visitor.press()
    visitor.await_run(_CHAIN_SECONDS)
    rows = [tuple(row.values())[1:] for row in walked.rows()]
    assert rows[0] == ("GB100246", Decimal("6049.00"), "matched", "posted")
    loan_id, rupees, _reconciled, outcome = rows[1]  # no gateway has told of it yet: it waits for its report
    assert (loan_id, rupees, outcome) == ("GB100151", Decimal("3082.50"), "posted")

    visitor.click("aside >> text=Payments")
    page.fill("input[name=q]", "GB100246")
    page.keyboard.press("Enter")
    visitor.click("tr:has-text('6,049.00') a")
    assert "It reached its loan in Fineract as transaction" in page.inner_text(".page-body")
    visitor.screenshot("life-of-the-walked-rupee")
    assert visitor.told() == []
    assert visitor.clicks == 16


def test_no_secret_is_in_anything_that_the_stack_wrote_or_shows(demo: Demo, second: Finished) -> None:
    """After all of the above: files, logs, both databases, the UI and the API."""
    assert_no_secret_is_found(demo.state, stack_environment(demo.state))
