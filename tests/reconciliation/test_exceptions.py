"""The life of exceptions: what people do with them, what stays of it, and how any past day stood."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from turno_lms.domain.runs import RunContext
from turno_lms.reconciliation import exceptions, reports
from turno_lms.reconciliation.commands import app
from turno_lms.reconciliation.exceptions import ExceptionActionError, Filter
from turno_lms.warehouse.connection import WarehouseConnection, connect

RUN = RunContext("reconcile_transactions", "test")
MOMENTS = "select happened_at from core.core_recon_exception_event order by event_id"


def ask(
    conn: WarehouseConnection,
    kind: str = "missing_in_gateway",
    subject: str = "key",
    amount: str = "5499.00",
    class_: str = "mismatched",
    lender: str = "gb",
) -> int:
    """Open an exception, as a room does."""
    row = conn.execute(
        "insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, class, opened_by_run)"
        " values (%s, %s, %s, 'GB100001', %s, %s, 'a room') returning exception_id",
        (kind, subject, lender, amount, class_),
    ).fetchone()
    return int((row or {})["exception_id"])


def steps(conn: WarehouseConnection, exception_id: int) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (row["event"], row["life"], row["actor"], row["note"])
        for row in exceptions.history(conn, exception_id)
    ]


def test_an_exception_lives_from_open_to_closed_and_every_step_is_kept(
    warehouse: WarehouseConnection,
) -> None:
    number = ask(warehouse)
    exceptions.assign(warehouse, [number], "asha", "meera")
    exceptions.add_note(warehouse, [number], "asked the bank", "asha")
    exceptions.wait(warehouse, [number], date(2026, 2, 1), "answer by Friday", "asha")
    exceptions.resolve(warehouse, [number], "the bank's letter of 30 January", "asha")
    exceptions.reopen(warehouse, [number], "the letter is about another loan", "meera")
    exceptions.write_off(warehouse, [number], "too small to pursue", "meera")
    assert steps(warehouse, number) == [
        ("opened", "open", "a room", None),
        ("handled", "assigned", "meera", None),
        ("handled", "assigned", "asha", "asked the bank"),
        ("handled", "waiting", "asha", "answer by Friday"),
        ("closed", "resolved", "asha", "the bank's letter of 30 January"),
        ("reopened", "open", "meera", "the letter is about another loan"),
        ("closed", "written_off", "meera", "too small to pursue"),
    ]
    changed = warehouse.execute("select subject, kind from core.core_change_log").fetchall()
    assert {(row["subject"], row["kind"]) for row in changed} == {("key", "reconciliation")}


def test_what_other_rooms_write_is_history_too(warehouse: WarehouseConnection) -> None:
    """They write `state` alone, and ask for state = 'open' whatever people have done with the question."""
    number = ask(warehouse, kind="unknown_loan")
    exceptions.assign(warehouse, [number], "asha", "meera")
    standing = warehouse.execute(
        "select state, progress from core.core_recon_exception where exception_id = %s", (number,)
    ).fetchone()
    assert standing == {"state": "open", "progress": "assigned"}
    warehouse.execute(
        "update core.core_recon_exception set state = 'cleared', closed_at = now(), closed_by = 'identity',"
        " close_reason = 'the loan is known now' where exception_id = %s",
        (number,),
    )
    assert steps(warehouse, number)[-1] == ("closed", "cleared", "identity", "the loan is known now")


def test_a_bulk_action_does_all_or_nothing(warehouse: WarehouseConnection) -> None:
    numbers = [ask(warehouse, subject=f"key {number}") for number in range(3)]
    assert exceptions.assign(warehouse, numbers, "asha", "meera") == 3
    exceptions.resolve(warehouse, numbers[:1], "explained", "asha")
    with pytest.raises(ExceptionActionError, match="it cannot become resolved"):
        exceptions.resolve(warehouse, numbers, "explained", "asha")
    with pytest.raises(ExceptionActionError, match="there is no exception 999"):
        exceptions.resolve(warehouse, [*numbers[1:], 999], "explained", "asha")
    lives = [row["life"] for row in exceptions.find(warehouse, Filter(ids=numbers, only_open=False))]
    assert sorted(lives) == ["assigned", "assigned", "resolved"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [("possible_duplicate", "turno payments release or link"), ("posting_failed", "turno posting repost")],
)
def test_where_money_goes_is_decided_where_money_is_decided(
    warehouse: WarehouseConnection, kind: str, told: str
) -> None:
    number = ask(warehouse, kind=kind)
    exceptions.assign(warehouse, [number], "asha", "meera")
    for close in (exceptions.resolve, exceptions.write_off):
        with pytest.raises(ExceptionActionError, match=told):
            close(warehouse, [number], "because", "asha")


def test_no_action_without_a_reason_or_twice_for_the_same(warehouse: WarehouseConnection) -> None:
    number = ask(warehouse)
    with pytest.raises(ExceptionActionError, match="say why"):
        exceptions.resolve(warehouse, [number], "  ", "asha")
    exceptions.resolve(warehouse, [number], "explained", "asha")
    ask(warehouse)  # the same question came back with other rupees meanwhile
    with pytest.raises(ExceptionActionError, match="open again already"):
        exceptions.reopen(warehouse, [number], "not explained after all", "asha")


def test_age_deadline_and_bucket_follow_rupees_and_the_lenders_steps(warehouse: WarehouseConnection) -> None:
    """UGRO: 48 hours, 12 from 1,00,000 rupees on. Three days later both are overdue; 72 hours, the standard, just end; what is expected never is."""
    warehouse.execute(
        "insert into core.core_lender (lender, name, product_id, payment_type_id, post_from, mapping_version)"
        " values ('ugro', 'UGRO', 2, 1, '2026-01-01', 'x')"
    )
    sla = '[{"above_rupees": 0, "hours": 48}, {"above_rupees": 100000, "hours": 12}]'
    warehouse.execute("insert into core.core_lender_recon_rule values ('ugro', 3, 0, 3, %s)", (sla,))
    for subject, amount, class_ in (
        ("small", "99999.99", "mismatched"),
        ("large", "100000", "mismatched"),
        ("soon", "5", "expected"),
    ):
        ask(warehouse, subject=subject, amount=amount, class_=class_, lender="ugro")
    ask(warehouse, subject="other", lender="nobody")
    rows = {row["subject"]: row for row in exceptions.find(warehouse, Filter())}
    hours = {
        subject: (row["due_at"] - row["opened_at"]) / timedelta(hours=1) if row["due_at"] else None
        for subject, row in rows.items()
    }
    assert hours == {"small": 48, "large": 12, "soon": None, "other": 72}
    assert {row["age"] for row in rows.values()} == {"0-1"}
    warehouse.execute("update core.core_recon_exception set opened_at = opened_at - interval '3 days'")
    overdue = exceptions.find(warehouse, Filter(only_overdue=True))
    assert sorted(row["subject"] for row in overdue) == ["large", "small"]
    assert {(row["age_days"], row["age"]) for row in overdue} == {(3, "2-3")}


def test_any_past_day_is_shown_as_it_stood(warehouse: WarehouseConnection) -> None:
    """Opened on the 5th (IST), assigned on the 6th, resolved on the 7th: shifted event by event."""
    number = ask(warehouse)
    exceptions.assign(warehouse, [number], "asha", "meera")
    exceptions.resolve(warehouse, [number], "explained", "asha")
    warehouse.execute(
        "update core.core_recon_exception set opened_at = '2026-01-05 00:30+05:30', closed_at = '2026-01-07 12:00+05:30'"
    )
    moments = ("2026-01-05 00:30+05:30", "2026-01-06 23:59+05:30", "2026-01-07 00:00+05:30")
    for event, moment in zip(("opened", "handled", "closed"), moments, strict=True):
        warehouse.execute(
            "update core.core_recon_exception_event set happened_at = %s where event = %s", (moment, event)
        )
    warehouse.execute(
        "insert into core.core_payment_identity (native_reference, posting_key, source_key, occurrence, lender, loan_id,"
        " business_date, amount, stream, channel, matched_by, is_posting_channel)"
        " values ('f', 'k', 'k', 1, 'gb', 'GB1', '2026-01-05', 70, 's', 'file:x', 'first_sight', true)"
    )
    warehouse.execute(
        "insert into core.core_recon_match (match_group, native_reference, posting_key, side, rule, recon_match_key,"
        " matched_at, matched_by_run) values ('g', 'f', 'k', 'file', 'manual', 'm', '2026-01-06 10:00+05:30', 'r')"
    )

    def stood(day: int) -> tuple[list[tuple[str, int]], list[Decimal]]:
        found = exceptions.as_of(warehouse, date(2026, 1, day))
        return (
            [(row["life"], row["age_days"]) for row in found["exceptions"]],
            [row["rupees"] for row in found["matches"]],
        )

    assert stood(4) == ([], [])
    assert stood(5) == ([("open", 0)], [])
    assert stood(6) == ([("assigned", 1)], [Decimal("70.00")])
    assert stood(7) == ([], [Decimal("70.00")])


def test_an_export_is_safe_to_open(
    warehouse: WarehouseConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note that would be a formula is text; rupees stay numbers, and the apostrophe is all that is added."""
    number = ask(warehouse, amount="-12.50")
    exceptions.add_note(warehouse, [number], '=HYPERLINK("http://example.test","open")', "asha")
    table = reports.table_of(exceptions.find(warehouse, Filter()))
    cells = dict(zip(table[0], table[1], strict=True))
    assert cells["note"] == '\'=HYPERLINK("http://example.test","open")'
    assert cells["amount"] == Decimal("-12.50")
    reports.write_workbook(tmp_path / "out.xlsx", table)
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert sheet is not None
    rows = list(sheet.values)
    assert dict(zip(rows[0], rows[1], strict=True))["note"] == cells["note"]
    assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)


def test_the_command_line_does_the_same(
    warehouse_url: str, warehouse: WarehouseConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turno_lms.reconciliation.commands.connect", lambda _role: connect(warehouse_url))
    number = str(ask(warehouse))
    warehouse.commit()
    run = CliRunner().invoke

    def told(*arguments: str) -> str:
        result = run(app, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    assert "life=open" in told("list", "--lender", "gb")
    assert told("assign", number, "--owner", "asha", "--actor", "meera") == "1 exceptions assigned to asha\n"
    assert "actor=meera" in told("show", number)
    told("export", str(tmp_path / "out.csv"))
    assert "missing_in_gateway" in (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    told("resolve", number, "--reason", "explained", "--actor", "asha")
    assert told("list") == ""
    refused = run(app, ["resolve", number, "--reason", "again", "--actor", "asha"])
    assert refused.exit_code == 2
    assert "is resolved: it" in refused.output
    today = f"{datetime.now(UTC) + timedelta(hours=5, minutes=30):%Y-%m-%d}"
    assert "exceptions=0" in told("as-of", today)
