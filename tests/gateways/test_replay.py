"""Replays: what is stored is derived anew, dead letters that can be read land, and all of it is on record."""

import json
from collections.abc import Callable
from dataclasses import replace as changed
from datetime import UTC, date, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from local_stack.environment import warehouse_connections
from tests.dbt.landing import AXLE, AXLE_WEBHOOKS, RazorpayPayment, put_lender, put_loan, put_webhook
from tests.dbt.project import DbtProject
from turno_lms.cli import _mount, app
from turno_lms.domain.keys import source_key
from turno_lms.domain.runs import RunContext
from turno_lms.gateways.dead_letters import readable_text
from turno_lms.gateways.replay import (
    ReplayError,
    ReplayReport,
    Selection,
    count_selected,
    discard,
    replay,
)
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

RUN = RunContext("replay_webhooks", "manual__test", actor="asha")
RECENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def axle(warehouse: WarehouseConnection) -> WarehouseConnection:
    put_lender(warehouse, AXLE)
    warehouse.commit()
    return warehouse


def put_dead_letter(conn: WarehouseConnection, body: bytes, key: str = "evt_dead") -> int:
    row = conn.execute(
        "insert into raw.raw_webhook_dead_letter (gateway, lender, reason_code, event_key, body_sha256, body, headers)"
        " values ('razorpay', 'axle', 'not_json', %s, 'hash', %s, '{}') returning dead_letter_id",
        (key, body),
    ).fetchone()
    conn.commit()
    return int((row or {})["dead_letter_id"])


def letter(conn: WarehouseConnection, number: int) -> dict[str, Any]:
    row = conn.execute(
        "select * from raw.raw_webhook_dead_letter where dead_letter_id = %s", (number,)
    ).fetchone()
    conn.commit()
    assert row is not None
    return row


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'\xef\xbb\xbf{"a": 1.10}', '{"a": 1.10}'),
        ('{"a": "\u0905"}'.encode("utf-16"), '{"a": "\u0905"}'),
        (b'{"a": "M\xfcller"}', '{"a": "M\ufffdller"}'),
        (rb'{"a": "x\u0000y"}', r'{"a": "x\ufffdy"}'),
        (rb'{"a": "\ud83d\ude00"}', r'{"a": "\ud83d\ude00"}'),
        (rb'{"a": "\ud83d and \ude00"}', r'{"a": "\ufffd and \ufffd"}'),
        (rb'{"a": "\\u0000"}', r'{"a": "\\u0000"}'),  # a backslash, then letters
    ],
    ids=["byte-order-mark", "utf-16", "no-text", "nul", "pair", "halves", "escaped-backslash"],
)
def test_what_cannot_be_read_is_marked_and_nothing_is_guessed(body: bytes, text: str) -> None:
    assert readable_text(body) == text


def test_a_dead_letter_that_can_be_read_now_lands_as_the_event_it_was(axle: WarehouseConnection) -> None:
    body = rb'{"event": "payment.captured", "note": "a\u0000b", "amount": 1.10}'
    number = put_dead_letter(axle, body)
    report = replay(axle, Selection(event_key="evt_dead"), "the note held a NUL", RUN)
    axle.commit()
    assert report == ReplayReport(report.replay_id, events=0, dead_letters_landed=1, dead_letters_left=0)
    row = axle.execute("select * from raw.raw_axle_razorpay_api").fetchone()
    assert row is not None
    assert (row["event_key"], row["event_type"], bytes(row["body"])) == ("evt_dead", "payment.captured", body)
    assert (row["payload"]["note"], row["verdict"]) == ("a\ufffdb", "verified_current")
    ended = letter(axle, number)
    assert (ended["fate"], ended["fate_by"], ended["fate_reason"]) == (
        "replayed",
        "asha",
        "the note held a NUL",
    )
    assert row["received_at"] == ended["received_at"]


def test_chosen_events_are_counted_before_they_are_read_again(axle: WarehouseConnection) -> None:
    for key in ("evt_1", "evt_2", "evt_3"):
        put_dead_letter(axle, b'{"event": "payment.captured"}', key)
    chosen = Selection(event_keys=["evt_1", "evt_3"])
    assert count_selected(axle, chosen) == {"events": 0, "dead_letters": 2}
    assert axle.execute("select count(*) as n from core.core_gateway_replay").fetchone() == {"n": 0}
    assert replay(axle, chosen, "the note held a NUL", RUN).dead_letters_landed == 2
    axle.commit()
    assert count_selected(axle, chosen) == {"events": 2, "dead_letters": 0}


def test_a_dead_letter_that_stays_unreadable_stays_open_with_its_attempts(axle: WarehouseConnection) -> None:
    numbers = [
        put_dead_letter(axle, body, f"evt_{number}")
        for number, body in enumerate((b"event=paid", b'["list"]', b'{"amount":1e200000}'))
    ]
    for attempt in (1, 2):
        report = replay(
            axle, Selection(gateway="razorpay", stale=False, lender="axle", received_from=RECENT), "try", RUN
        )
        axle.commit()
        assert (report.dead_letters_landed, report.dead_letters_left) == (0, 3)
        found = [letter(axle, number) for number in numbers]
        assert [(row["fate"], row["attempts"]) for row in found] == [("open", attempt)] * 3
    assert [row["last_error"] is not None for row in found] == [True] * 3
    discard(axle, numbers[0], "a form of their old API", "asha")
    axle.commit()
    assert letter(axle, numbers[0])["fate"] == "discarded"
    with pytest.raises(ReplayError, match="no open dead letter"):
        discard(axle, numbers[0], "again", "asha")


@pytest.mark.parametrize(
    ("selection", "reason", "message"),
    [
        (Selection(), "all", "say which events"),
        (Selection(gateway="razorpay", lender="axle"), "all of one", "say which events"),
        (Selection(event_key="evt_1"), "  ", "needs a reason"),
        (Selection(event_key="evt_nobody"), "look", "no stored event and no open dead letter"),
        (Selection(gateway="paytm", stale=True), "look", "is no gateway"),
    ],
)
def test_a_replay_of_everything_of_nothing_or_without_a_reason_is_refused(
    axle: WarehouseConnection, selection: Selection, reason: str, message: str
) -> None:
    with pytest.raises(ReplayError, match=message):
        replay(axle, selection, reason, RUN)


def test_a_replay_is_on_record_and_may_not_be_changed_by_the_application(
    axle: WarehouseConnection, warehouse_role_url: Callable[[str], str]
) -> None:
    payment = RazorpayPayment("pay_1")
    put_webhook(axle, "axle", payment.event(), key="evt_1")
    put_webhook(axle, "axle", payment.event("order.paid"), key="evt_2")
    axle.commit()
    with connect(warehouse_role_url(Role.INGESTION)) as conn:
        report = replay(conn, Selection(event_type="order.paid"), "the rule was wrong", RUN)
    row = axle.execute("select * from core.core_gateway_replay").fetchone()
    assert row is not None
    assert (row["requested_by"], row["requested_by_run"]) == ("asha", "replay_webhooks/manual__test")
    assert (row["reason"], row["selection"], row["events"]) == (
        "the rule was wrong",
        {"event_type": "order.paid"},
        1,
    )
    events = axle.execute("select replay_id, gateway, lender, event_key from core.core_gateway_replay_event")
    expected = {"replay_id": report.replay_id, "gateway": "razorpay", "lender": "axle", "event_key": "evt_2"}
    assert events.fetchall() == [expected]
    query = (
        "select has_table_privilege('turno_ingestion', 'core.core_gateway_replay', 'update, delete') as may"
    )
    assert axle.execute(query).fetchone() == {"may": False}


def test_the_command_shows_what_is_meant_before_it_is_done(
    axle: WarehouseConnection, warehouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_webhook(axle, "axle", RazorpayPayment("pay_1").event(), key="evt_1")
    axle.commit()
    for name, value in warehouse_connections(lambda _role: warehouse_url).items():
        monkeypatch.setenv(name, value)
    _mount()
    command = ["webhooks", "replay", "--event", "evt_1"]
    shown = CliRunner().invoke(app, [*command, "--dry-run"]).stdout.splitlines()
    assert shown[0].endswith("razorpay  axle  evt_1  payment.captured")
    assert shown[1] == "webhooks events=1 dead_letters=0"
    assert CliRunner().invoke(app, command).exit_code == 2  # no reason
    done = CliRunner().invoke(app, [*command, "--reason", "look again", "--actor", "asha"]).stdout
    assert done == "replay replay_id=1 events=1 dead_letters_landed=0 dead_letters_left=0\n"


def test_a_replayed_event_is_read_with_todays_rules_and_posted_once(project: DbtProject) -> None:
    """The lender's rule was missing when the event came, and was mended without the mapping being applied anew."""
    put_lender(project.conn, changed(AXLE, webhooks=AXLE_WEBHOOKS[1:]))
    put_loan(project.conn, "AXL300001", 3)
    event = RazorpayPayment("pay_1", notes={"loan_id": "AXL300001"}).event()
    put_webhook(project.conn, "axle", json.loads(json.dumps(event)), key="evt_1")
    project.build_warehouse()
    assert project.payments() == {}
    field, *rest = AXLE_WEBHOOKS[0]
    project.conn.execute(
        "insert into core.core_lender_webhook_rule values ('axle', 'razorpay', 9, %s, %s, %s, %s, %s)",
        (field, *rest),
    )
    project.build_warehouse()
    assert project.payments() == {}
    replay(project.session(Role.INGESTION), Selection(payment_id="pay_1"), "the rule was mended", RUN)
    project.build_warehouse()
    key = source_key("axle", "AXL300001", date(2026, 1, 5), "100.00")
    assert [(row["posting_key"], row["posting_block"]) for row in project.payments().values()] == [
        (key, None)
    ]
