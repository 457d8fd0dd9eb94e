"""From landing to core_transaction_data: that every row changes when its payment changes, and is lost by nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.dbt.landing import (
    AXLE,
    AXLE_WEBHOOKS,
    GB,
    UGRO,
    Channel,
    FileRow,
    LenderSetup,
    RazorpayPayment,
    put_file,
    put_lender,
    put_loan,
    put_mandate,
    put_webhook,
)
from tests.dbt.project import MODELS, DbtProject
from turno_lms.domain import keys
from turno_lms.identity import decisions
from turno_lms.identity.evidence import MoneyPathError, check_money_path
from turno_lms.ingestion import superseded
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Role, connect

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbooks" / "restore-from-dump.md"
DAY = date(2026, 1, 5)
KEY = keys.source_key("axle", "AXL300001", DAY, "100.00")
PAYMENT = RazorpayPayment("pay_1", notes={"loan_id": "AXL300001"})


@pytest.fixture
def axle(project: DbtProject) -> DbtProject:
    put_lender(project.conn, AXLE)
    put_loan(project.conn, "AXL300001", 3)
    return project


def payment(project: DbtProject, key: str = KEY) -> dict[str, Any]:
    project.build_warehouse()
    check_money_path(project.session(Role.RECONCILER))
    return project.payments()[key]


def test_a_captured_payment_may_be_posted_once_whatever_tells_of_it(axle: DbtProject) -> None:
    for name in ("payment.authorized", "payment.captured", "order.paid", "payment_link.paid"):
        put_webhook(axle.conn, "axle", PAYMENT.event(name))
    row = payment(axle)
    assert (row["posting_block"], row["sightings"], row["channels_seen"]) == (None, 1, ["razorpay"])
    assert (row["amount"], row["payment_type_id"], row["posting_policy"]) == (100, 2, "at_once")


def test_its_file_row_adds_a_sighting_and_a_refund_takes_it_back(axle: DbtProject) -> None:
    put_webhook(axle.conn, "axle", PAYMENT.event())
    assert payment(axle)["posting_block"] is None
    put_file(axle.conn, "axle", "settlement", [FileRow("AXL300001", payment_id="pay_1")])
    row = payment(axle)
    assert (row["sightings"], row["channels_seen"]) == (2, ["file:settlement", "razorpay"])
    put_webhook(axle.conn, "axle", replace(PAYMENT, status="refunded", refunded="100.00").event())
    row = payment(axle)
    assert (row["payment_status"], row["posting_block"]) == ("refunded", "not_collected")


def test_evidence_is_not_posted_until_the_posting_channel_reports(axle: DbtProject) -> None:
    put_file(axle.conn, "axle", "settlement", [FileRow("AXL300001", payment_id="pay_1")])
    assert payment(axle)["posting_block"] == "evidence_only"
    put_webhook(axle.conn, "axle", PAYMENT.event())
    assert payment(axle)["posting_block"] is None


def test_a_loan_that_appears_later_resolves_its_payments(axle: DbtProject) -> None:
    put_webhook(axle.conn, "axle", replace(PAYMENT, notes={"loan_id": "AXL300002"}).event())
    report = axle.build_warehouse()
    assert (report.unresolved_opened, axle.payments()) == (1, {})
    number = put_loan(axle.conn, "axl300002 ", 3)
    assert payment(axle, keys.source_key("axle", "AXL300002", DAY, "100.00"))["loan_id"] == "AXL300002"
    put_loan(axle.conn, "AXL300009", 3, number=number)
    assert payment(axle, keys.source_key("axle", "AXL300002", DAY, "100.00"))["posting_block"] == "conflict"


def test_a_loans_balance_touches_no_payment(axle: DbtProject) -> None:
    number = put_loan(axle.conn, "AXL300003", 3)
    put_file(axle.conn, "axle", "settlement", [FileRow("AXL300003", payment_id="pay_3")])
    axle.build_warehouse()
    before = axle.conn.execute("select max(_txid) from core.core_payment_sighting").fetchone()
    put_loan(axle.conn, "AXL300003", 3, number=number, summary={"totalOutstanding": 5})
    axle.build_warehouse()
    assert axle.conn.execute("select max(_txid) from core.core_payment_sighting").fetchone() == before
    outstanding = {row["loan_id"]: row["total_outstanding"] for row in axle.rows("core.core_loan_master")}
    assert outstanding["AXL300003"] == 5


def test_a_correction_of_the_umrn_master_is_a_conflict_and_its_return_clears_it(project: DbtProject) -> None:
    put_lender(project.conn, GB)
    for loan in ("GB100001", "GB100002"):
        put_loan(project.conn, loan, 1)
    put_mandate(project.conn, "UMRN1", "GB100001")
    put_file(project.conn, "gb", "nach_response", [FileRow("GB100001", umrn="UMRN1")])
    put_webhook(project.conn, "gb", RazorpayPayment("pay_9", notes={"umrn": "UMRN1"}).event())
    key = keys.source_key("gb", "GB100001", DAY, "100.00")
    assert payment(project, key)["sightings"] == 2
    put_mandate(project.conn, "UMRN1", "GB100002")
    row = payment(project, key)
    assert (row["loan_id"], row["posting_block"], len(project.payments())) == ("GB100001", "conflict", 1)
    put_mandate(project.conn, "UMRN1", "GB100001")
    assert payment(project, key)["posting_block"] is None


def exceptions(project: DbtProject, kind: str) -> list[tuple[Any, ...]]:
    query = "select subject, amount::text, state from core.core_recon_exception where kind = %s order by exception_id"
    return [tuple(row.values()) for row in project.session(Role.RECONCILER).execute(query, (kind,))]


def test_an_unknown_mandate_waits_as_an_exception_until_the_master_knows_it(project: DbtProject) -> None:
    put_lender(project.conn, GB)
    put_loan(project.conn, "GB100001", 1)
    put_file(project.conn, "gb", "nach_response", [FileRow(None, umrn="UMRN1", payment_id="T1")])
    project.build_warehouse()
    assert project.payments() == {}
    assert exceptions(project, "umrn_unknown") == [("file:gb:nach_response:T1", "100.00", "open")]
    put_mandate(project.conn, "UMRN2", "GB100001")
    project.build_warehouse()
    assert exceptions(project, "umrn_unknown") == [("file:gb:nach_response:T1", "100.00", "open")]
    put_mandate(project.conn, "UMRN1", "GB100001")
    assert payment(project, keys.source_key("gb", "GB100001", DAY, "100.00"))["posting_block"] is None
    assert exceptions(project, "umrn_unknown") == [("file:gb:nach_response:T1", "100.00", "cleared")]


@pytest.mark.parametrize(("decision", "block"), [("kept", None), ("withdrawn", "superseded")])
def test_a_row_that_its_corrected_file_lacks_is_held_until_a_person_decides(
    project: DbtProject, decision: superseded.Decision, block: str | None
) -> None:
    put_lender(project.conn, GB)
    put_loan(project.conn, "GB100001", 1)
    file_id = put_file(project.conn, "gb", "nach_response", [FileRow("GB100001", payment_id="T1")])
    key = keys.source_key("gb", "GB100001", DAY, "100.00")
    assert payment(project, key)["posting_block"] is None
    with project.session(Role.INGESTION).transaction():
        project.session(Role.INGESTION).execute(
            "insert into core.core_recon_exception (kind, subject, lender, amount, detail, opened_by_run) values"
            " ('superseded_row', 'file:gb:nach_response:T1', 'gb', 100, %s, 'test')",
            (Jsonb({"file_id": file_id, "row_number": 1}),),
        )
        record_changes(project.session(Role.INGESTION), "reconciliation", [key])
    assert payment(project, key)["posting_block"] == "superseded"
    superseded.settle(
        project.session(Role.INGESTION),
        superseded.Settlement(file_id, decision, "mail of the lender"),
        "asha",
    )
    assert payment(project, key)["posting_block"] == block


def test_money_of_before_the_cut_over_is_shown_and_never_posted(axle: DbtProject) -> None:
    put_webhook(axle.conn, "axle", PAYMENT.event())
    assert payment(axle)["posting_block"] is None
    put_lender(axle.conn, replace(AXLE, post_from=date(2026, 2, 1)))
    assert payment(axle)["posting_block"] == "historic"


def test_new_settings_of_a_lender_reach_its_payments(axle: DbtProject) -> None:
    put_webhook(axle.conn, "axle", PAYMENT.event())
    assert payment(axle)["payment_type_id"] == 2
    channels = tuple(replace(channel, policy="after_recon") for channel in AXLE.channels)
    put_lender(axle.conn, replace(AXLE, channels=channels, payment_type_id=7))
    row = payment(axle)
    assert (row["payment_type_id"], row["posting_block"]) == (7, "awaiting_recon")


def test_evidence_does_not_become_money_when_the_mapping_changes_the_posting_channel(
    axle: DbtProject,
) -> None:
    """The report of the 7th tells of the webhook's payment of the 5th by another name: one rupee, under two keys."""
    put_webhook(axle.conn, "axle", PAYMENT.event())
    put_file(axle.conn, "axle", "statement", [FileRow("AXL300001", date="2026-01-07")])
    report_key = keys.source_key("axle", "AXL300001", date(2026, 1, 7), "100.00")
    assert payment(axle, report_key)["posting_block"] == "evidence_only"
    posts_by_file = tuple(
        replace(channel, posts=channel.name == "file:statement") for channel in AXLE.channels
    )
    put_lender(axle.conn, replace(AXLE, channels=posts_by_file))
    assert payment(axle, report_key)["posting_block"] == "evidence_only"
    assert axle.payments()[KEY]["posting_block"] == "evidence_only"
    put_file(axle.conn, "axle", "statement", [FileRow("AXL300001", date="2026-01-09")])
    new_key = keys.source_key("axle", "AXL300001", date(2026, 1, 9), "100.00")
    assert payment(axle, new_key)["posting_block"] is None
    put_lender(axle.conn, AXLE)
    assert payment(axle)["posting_block"] is None


def test_a_channel_that_a_lender_gains_resolves_what_other_lenders_were_told_of_its_loans(
    project: DbtProject,
) -> None:
    """GB's URL is told of a loan of AXLE, whose mapping does not name the gateway yet."""
    for lender in (replace(GB, webhooks=AXLE_WEBHOOKS), replace(AXLE, channels=AXLE.channels[1:])):
        put_lender(project.conn, lender)
    put_loan(project.conn, "AXL300001", 3)
    put_webhook(project.conn, "gb", PAYMENT.event())
    project.build_warehouse()
    assert project.payments() == {}
    put_lender(project.conn, AXLE)
    assert payment(project)["posting_block"] is None


def test_a_new_cut_over_reaches_a_payment_whose_loan_went_to_another_lender(axle: DbtProject) -> None:
    """It stays with the lender it was frozen under, and a person has said so; that lender's money is historic now."""
    put_lender(axle.conn, GB)
    put_webhook(axle.conn, "axle", PAYMENT.event())
    payment(axle)
    moved = axle.conn.execute("select fineract_loan_id as number from base.base_loan").fetchone()
    put_loan(axle.conn, "AXL300001", 1, number=(moved or {})["number"])
    assert axle.build_warehouse().conflicts_opened == 0
    assert axle.payments()[KEY]["lender"] == "axle"
    put_lender(axle.conn, replace(AXLE, post_from=date(2026, 2, 1)))
    assert payment(axle)["posting_block"] == "historic"


def test_a_word_for_no_reference_makes_two_instalments_no_single_one(project: DbtProject) -> None:
    """January's and February's rows of a loan say the same nothing; its amount is the same, so nothing would show."""
    words = {
        "razorpay": ("NA", "n.a.", "#N/A", "-", "0", "NULL", "5.02E+13"),
        "bank_reference": ("NA", "NEFT", "#REF!", "0.00", "----", "5.02E13"),
    }
    for number, meaning in enumerate(words, start=1):
        channel = Channel("file:nach", "nach_debits", posts=True, sub_reference_id_is=meaning)
        put_lender(project.conn, LenderSetup(f"lender{number}", number, (channel,)))
        for word in words[meaning]:
            loan_id = f"{meaning} {word}"
            put_loan(project.conn, loan_id, number)
            days = ("2026-01-05", "2026-02-05")
            rows = [FileRow(loan_id, "5499.00", date=day, sub_reference_id=word) for day in days]
            put_file(project.conn, f"lender{number}", "nach", rows)
    project.build_warehouse()
    assert [row["posting_block"] for row in project.payments().values()] == [None] * 2 * (7 + 6)


def test_a_stream_that_the_mapping_no_longer_has_is_never_posted(axle: DbtProject) -> None:
    put_webhook(axle.conn, "axle", PAYMENT.event())
    payment(axle)
    put_lender(axle.conn, replace(AXLE, channels=(Channel("file:cash", "cash", posts=True),)))
    row = payment(axle)
    assert (row["posting_policy"], row["stream"]) == ("never", "gateway_payments")
    assert row["posting_block"] == "policy_never"


def test_a_held_payment_is_posted_when_released_and_gone_when_linked(axle: DbtProject) -> None:
    for number in (1, 2, 3):
        put_webhook(axle.conn, "axle", replace(PAYMENT, payment_id=f"pay_{number}").event())
    second, third = f"{KEY}-o2", f"{KEY}-o3"
    assert payment(axle, second)["posting_block"] == "possible_duplicate"
    decisions.release(axle.session(Role.RECONCILER), second, "two part payments", "asha")
    decisions.link(axle.session(Role.RECONCILER), third, KEY, "reported twice", "asha")
    assert payment(axle, second)["posting_block"] is None
    assert axle.payments().keys() == {KEY, second}
    assert axle.payments()[KEY]["sightings"] == 2
    master = {row["loan_id"]: row["payments_received"] for row in axle.rows("core.core_loan_master")}
    assert master["AXL300001"] == 2


def test_what_was_posted_is_in_the_loan_master(axle: DbtProject) -> None:
    put_webhook(axle.conn, "axle", PAYMENT.event())
    payment(axle)
    with axle.conn.transaction():
        axle.conn.execute(
            "insert into core.core_transaction_data_processed"
            " (posting_key, outcome, lender, loan_id, business_date, amount, attempts, processed_by_run)"
            " values (%s, 'posted', 'axle', 'AXL300001', %s, 100, 1, 'test')",
            (KEY, DAY),
        )
        record_changes(axle.conn, "posting", [KEY])
    axle.build_warehouse()
    assert [row["amount_posted"] for row in axle.rows("core.core_loan_master")] == [100]


def test_one_day_in_india_ends_at_half_past_six_in_the_evening_utc(axle: DbtProject) -> None:
    for number, second in ((1, 59), (2, 60)):
        moment = datetime(2026, 1, 5, 18, 29 + second // 60, second % 60, tzinfo=UTC)
        event = replace(PAYMENT, payment_id=f"pay_{number}", paid_at=moment).event()
        put_webhook(axle.conn, "axle", event)
    axle.build_warehouse()
    days = {row["gateway_payment_reference"]: row["business_date"] for row in axle.payments().values()}
    assert days == {"razorpay:pay_1": date(2026, 1, 5), "razorpay:pay_2": date(2026, 1, 6)}


def test_a_webhook_that_came_to_two_lenders_is_one_payment_of_the_loans_lender(axle: DbtProject) -> None:
    put_lender(axle.conn, GB)
    for lender in ("gb", "axle"):
        put_webhook(axle.conn, lender, PAYMENT.event(), key="evt_1")
    row = payment(axle)
    assert (row["lender"], row["sightings"], row["posting_block"]) == ("axle", 1, None)


def payments_after_a_late_commit(project: DbtProject) -> int:
    """Two files of one row each: the slow one's transaction begins first and commits after a build has read past it."""
    slow_row = FileRow("AXL300001", payment_id="slow")
    fast_row = FileRow("AXL300001", payment_id="fast", date="2026-01-06")
    with (
        connect(f"{project.conn.info.dsn} password={project.conn.info.password}") as slow,
        slow.transaction(),
    ):
        put_file(slow, "axle", "settlement", [slow_row])
        put_file(project.conn, "axle", "settlement", [fast_row])
        project.build_warehouse()
        assert [row["gateway_payment_reference"] for row in project.payments().values()] == ["razorpay:fast"]
    project.build_warehouse()
    return len(project.payments())


def test_a_load_that_commits_late_under_a_lower_number_is_not_skipped(axle: DbtProject) -> None:
    assert payments_after_a_late_commit(axle) == 2


def test_an_increment_from_the_highest_number_would_lose_it(
    axle: DbtProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: the test above notices when the horizon is only the newest row."""
    macro = axle.macro("touched_since")
    assert "newest('_read_horizon', this)" in macro.macro_sql
    planted = macro.macro_sql.replace(">= {{ newest('_read_horizon', this)", "> {{ newest('_txid', this)")
    monkeypatch.setattr(macro, "macro_sql", planted)
    assert payments_after_a_late_commit(axle) == 1


def test_an_event_that_cannot_be_read_stops_nobody_and_goes_to_a_person(axle: DbtProject) -> None:
    broken = PAYMENT.event()
    broken["payload"]["payment"]["entity"] |= {"id": "pay_2", "amount": "lots", "created_at": "soon"}
    put_webhook(axle.conn, "axle", broken)
    put_webhook(axle.conn, "axle", PAYMENT.event())
    assert payment(axle)["posting_block"] is None
    kinds = [row["kind"] for row in axle.rows("core.core_recon_exception")]
    assert kinds == ["unparsed_reference"]


@pytest.mark.parametrize("model", [*MODELS, "core.core_recon_side", "core.core_recon_exact"])
def test_the_application_may_read_and_not_write_what_dbt_builds(project: DbtProject, model: str) -> None:
    query = "select has_table_privilege('turno_poster', %s, %s) as may"
    may = {right: project.conn.execute(query, (model, right)).fetchone() for right in ("select", "update")}
    assert may == {"select": {"may": True}, "update": {"may": False}}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "delete from core.core_payment_sighting where channel = 'file:settlement'",
            "1 accepted rows of files",
        ),
        ("delete from core.core_payment_identity where channel = 'file:settlement'", "1 resolved sightings"),
        ("delete from core.core_transaction_data", "1 posting keys are not in core_transaction_data"),
        ("update core.core_transaction_data set posting_key = 'stray'", "1 rows of core_transaction_data"),
    ],
)
def test_the_count_check_names_what_a_build_lost(axle: DbtProject, damage: str, message: str) -> None:
    put_webhook(axle.conn, "axle", PAYMENT.event())
    put_file(axle.conn, "axle", "settlement", [FileRow("AXL300001", payment_id="pay_1")])
    axle.build_warehouse()
    axle.conn.execute(damage)
    with pytest.raises(MoneyPathError, match=message):
        check_money_path(axle.session(Role.RECONCILER))


def test_a_row_that_no_build_has_read_for_hours_is_named_though_every_build_says_it_is_done(
    axle: DbtProject,
) -> None:
    """A build that selects nothing is green and leaves its horizon where it was."""
    axle.build_warehouse()
    put_file(axle.conn, "axle", "settlement", [FileRow("AXL300001", payment_id="pay_1")])
    axle.conn.execute("update raw.raw_payment_file set _loaded_at = _loaded_at - interval '7 hours'")
    with pytest.raises(MoneyPathError, match="1 accepted rows of files are not in core_payment_sighting"):
        check_money_path(axle.session(Role.RECONCILER))


def test_rows_loaded_after_the_build_are_the_next_builds(axle: DbtProject) -> None:
    axle.build_warehouse()
    put_file(axle.conn, "axle", "settlement", [FileRow("AXL300001", payment_id="pay_1")])
    assert check_money_path(axle.session(Role.RECONCILER)).faults == []


def test_ids_that_this_cluster_has_not_reached_are_refused(project: DbtProject) -> None:
    put_lender(project.conn, UGRO)
    put_file(project.conn, "ugro", "statement", [FileRow("UGR200001")])
    project.conn.execute("update raw.raw_payment_file set _txid = _txid + 1000000")
    with pytest.raises(AssertionError, match=r"raw\.raw_payment_file.*restore-from-dump"):
        project.build("money_path_base")


def test_a_dump_of_another_cluster_is_refused_until_its_runbook_was_followed(axle: DbtProject) -> None:
    """This cluster's counter has passed the dump's ids; what landed before it did would lie behind the horizon."""
    put_webhook(axle.conn, "axle", PAYMENT.event())
    axle.build_warehouse()
    axle.conn.execute("update core.core_warehouse_cluster set system_identifier = 1")
    for table in ("base.base_razorpay_event", "base.base_gateway_payment", "core.core_payment_sighting"):
        axle.conn.execute(f"update {table} set _read_horizon = _read_horizon + 20")  # noqa: S608  # listed above
    put_webhook(axle.conn, "axle", replace(PAYMENT, payment_id="pay_2").event())
    axle.conn.execute(
        "do $$ begin for n in 1..20 loop perform pg_current_xact_id(); commit; end loop; end $$"
    )
    with pytest.raises(AssertionError, match=r"another PostgreSQL cluster.*restore-from-dump"):
        axle.build("money_path_base")
    axle.conn.execute(RUNBOOK.read_text(encoding="utf-8").split("```sql\n")[1].split("```")[0])
    axle.build_warehouse("--full-refresh")
    assert axle.payments().keys() == {KEY, f"{KEY}-o2"}


@pytest.mark.parametrize(
    ("status", "told", "reference", "block"),
    [
        ("reversed", "refunded", "UTR0001", "not_collected"),
        ("bounced", "failed", "UTR0001", "not_collected"),
        ("reversed", "captured", "UTR0002", None),  # other money
    ],
)
def test_a_later_row_that_says_the_money_went_back_blocks_the_payment_it_names(
    project: DbtProject, status: str, told: str, reference: str, block: str | None
) -> None:
    put_lender(project.conn, UGRO)
    put_loan(project.conn, "UGR200101", 2)
    put_file(project.conn, "ugro", "statement", [FileRow("UGR200101", sub_reference_id="UTR0001")])
    project.derive_warehouse()
    back = FileRow("UGR200101", date="2026-01-08", status=status, sub_reference_id=reference)
    put_file(project.conn, "ugro", "statement", [back])
    project.derive_warehouse()
    (row,) = project.payments().values()
    assert (row["payment_status"], row["posting_block"], row["sightings"]) == (told, block, 1)


def test_a_reversal_with_the_payments_own_reference_blocks_it_and_no_other(project: DbtProject) -> None:
    """The lender's own reference, of no bank: told in the same file or later, it takes back that payment alone."""
    put_lender(project.conn, UGRO)
    put_loan(project.conn, "UGR200101", 2)
    paid = [FileRow("UGR200101", payment_id=reference) for reference in ("R-1", "R-2", "R-3")]
    in_one_file = FileRow("UGR200101", date="2026-01-20", status="reversed", payment_id="R-1")
    put_file(project.conn, "ugro", "statement", [*paid, in_one_file])
    project.derive_warehouse()
    blocks = "select posting_block is not distinct from 'not_collected' as back from core.core_transaction_data order by 1"
    assert [row["back"] for row in project.conn.execute(blocks)] == [False, False, True]
    put_file(project.conn, "ugro", "statement", [replace(in_one_file, payment_id="R-2")])
    project.derive_warehouse()
    assert [row["back"] for row in project.conn.execute(blocks)] == [False, True, True]


def test_money_that_comes_after_a_bounce_of_the_same_reference_is_money(project: DbtProject) -> None:
    put_lender(project.conn, UGRO)
    put_loan(project.conn, "UGR200101", 2)
    tries = [
        FileRow("UGR200101", status="bounced", sub_reference_id="UTR0001"),
        FileRow("UGR200101", sub_reference_id="UTR0001"),
    ]
    put_file(project.conn, "ugro", "statement", tries)
    project.derive_warehouse()
    (row,) = project.payments().values()
    assert (row["payment_status"], row["posting_block"]) == ("captured", None)


DAMAGES = [
    ("delete from base.base_razorpay_event where event_key = 'known'", "landed and not read"),
    ("delete from base.base_gateway_payment where loan_id = 'AXL300001'", "no collection among the payments"),
    ("delete from core.core_payment_sighting where loan_id = 'AXL300001'", "collected and not sighted"),
    ("delete from core.core_payment_identity", "no posting key, though its loan is known"),
    ("delete from core.core_transaction_data where amount = 100", "its payment is missing"),
    ("update core.core_recon_exception set state = 'cleared'", "nobody is asked why"),
]


def test_the_daily_conservation_names_what_was_lost_on_the_way_of_a_webhook(axle: DbtProject) -> None:
    """Each damage is done in a transaction of its own that is rolled back, and asked about by the tests' own SQL."""
    put_webhook(axle.conn, "axle", PAYMENT.event(), key="known")
    put_webhook(
        axle.conn, "axle", replace(PAYMENT, payment_id="pay_2", notes={"loan_id": "AXL309999"}).event()
    )
    put_webhook(
        axle.conn, "axle", replace(PAYMENT, payment_id="pay_3", status="failed").event("payment.failed")
    )
    put_webhook(axle.conn, "axle", replace(PAYMENT, payment_id="pay_4", amount="200.00").event())
    axle.build_warehouse()
    axle.build("money_path_core")  # the sightings lie before what it reads up to
    names = ("every_webhook_ends_as_money_or_a_question", "every_sighting_has_an_identity_or_a_question")
    queries = [result.node.compiled_code for result in axle.dbt("compile", "--select", *names)]
    assert len(queries) == len(names)

    def faults() -> list[str]:
        return [row["fault"] for query in queries for row in axle.conn.execute(query)]

    assert faults() == []
    for damage, fault in DAMAGES:
        with axle.conn.transaction(force_rollback=True):
            axle.conn.execute(damage)
            found = faults()
            assert any(fault in each for each in found), f"{damage}: {found}"
    assert faults() == []
