"""`turno lenders apply` makes the warehouse fit the mappings, once, under the rights each program has."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

ADD_PAYMENT = """
insert into raw.raw_payment_file (loan_id, amount, date, source_file, lender, _kind, _file_id, _row_number, _mapping_version)
values ('GB100234', '5499.00', '2026-01-05', 'a.csv', 'gb', 'nach_response', 1, 5, 'v')
"""
ADD_WEBHOOK = """
insert into raw.raw_razorpay_api (lender, event_key, body_sha256, body, payload, headers, verdict)
values ('axle', 'e1', 's1', '{}', '{}', '{}', 'verified_current')
"""


def rows(conn: WarehouseConnection, query: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in conn.execute(query)]


def test_a_second_run_changes_nothing(warehouse: WarehouseConnection, mappings: Path) -> None:
    changes = apply_lenders(warehouse, load_lenders(mappings))
    assert len(changes) == 21  # three lenders with three partitions, three views and one mapping each
    assert apply_lenders(warehouse, load_lenders(mappings)) == []
    assert rows(warehouse, "select kind, subject from core.core_change_log order by subject") == [
        ("lender", "axle"), ("lender", "gb"), ("lender", "ugro"),
    ]  # fmt: skip


def test_the_rows_dbt_reads(warehouse: WarehouseConnection, mappings: Path) -> None:
    apply_lenders(warehouse, load_lenders(mappings))
    assert rows(warehouse, "select lender, product_id, post_from::text from core.core_lender order by lender") == [
        ("axle", 3, "2026-01-01"), ("gb", 1, "2026-01-01"), ("ugro", 2, "2026-01-01"),
    ]  # fmt: skip
    streams = "select lender, stream, channel, is_posting_channel from core.core_lender_stream order by lender, channel"
    assert rows(warehouse, streams) == [
        ("axle", "gateway_payments", "file:razorpay_settlement", False),
        ("axle", "manual_repayments", "manual", True),  # every lender's, beside its mapping
        ("axle", "gateway_payments", "razorpay", True),
        ("gb", "nach_debits", "file:nach_response", True),
        ("gb", "manual_repayments", "manual", True),
        ("gb", "nach_debits", "razorpay", False),
        ("ugro", "nach_debits", "file:repayment_statement", True),
        ("ugro", "manual_repayments", "manual", True),
    ]
    kinds = "select lender, kind, stream, payment_id_is, sub_reference_id_is from core.core_lender_file_kind order by lender"
    assert rows(warehouse, kinds) == [
        ("axle", "razorpay_settlement", "gateway_payments", "razorpay", "settlement"),
        ("gb", "nach_response", "nach_debits", "own", "own"),
        ("ugro", "repayment_statement", "nach_debits", "own", "bank_reference"),
    ]
    recon = "select lender, date_tolerance_days, expected_days, sla -> 1 ->> 'hours' as hours from core.core_lender_recon_rule"
    assert rows(warehouse, f"{recon} order by lender") == [
        ("axle", 2, 3, "24"),
        ("gb", 3, 3, "24"),
        ("ugro", 3, 3, "24"),
    ]
    rates = "select method, percent::text, flat::text, gst_percent::text from core.core_lender_rate_card order by method"
    assert rows(warehouse, rates) == [
        ("netbanking", "1.6500", "0.00", "18.00"),
        ("other", "2.0000", "0.00", "18.00"),
        ("upi", "0.0000", "0.00", "18.00"),
    ]
    rules = """
    select lender, precedence, field, separator, part, loan_id_pattern, resolves from core.core_lender_webhook_rule
    order by lender, precedence
    """
    assert rows(warehouse, rules) == [
        ("axle", 1, "payload.payment.entity.notes.loan_id", None, None, r"AXL\d{6}", "loan_id"),
        ("axle", 2, "payload.order.entity.receipt", "_", 1, r"AXL\d{6}", "loan_id"),
        ("gb", 1, "payload.payment.entity.notes.umrn", None, None, "[A-Z0-9]{1,20}", "umrn"),
        ("gb", 2, "payload.payment.entity.notes.loan_id", None, None, r"GB\d{6}", "loan_id"),
        ("gb", 3, "payload.payment.entity.token_id", None, None, "token_[A-Za-z0-9]{1,40}", "token"),
    ]


def test_a_changed_mapping_replaces_its_rows_and_announces_its_lender_alone(
    warehouse: WarehouseConnection, mappings: Path
) -> None:
    apply_lenders(warehouse, load_lenders(mappings))
    gb = mappings / "gb.yml"
    text = gb.read_text(encoding="utf-8").replace("policy: at_once", "policy: after_recon")
    gb.write_text(text, encoding="utf-8")
    lender = load_lenders(mappings)["gb"]
    assert apply_lenders(warehouse, load_lenders(mappings)) == [f"gb: mapping {lender.mapping_version}"]
    policies = """
    select distinct lender, posting_policy from core.core_lender_stream where channel <> 'manual' order by lender
    """
    assert rows(warehouse, policies) == [("axle", "at_once"), ("gb", "after_recon"), ("ugro", "at_once")]
    assert rows(warehouse, "select count(*) from core.core_change_log where subject = 'gb'") == [(2,)]


def test_a_mapping_that_is_gone_keeps_its_history(warehouse: WarehouseConnection, mappings: Path) -> None:
    apply_lenders(warehouse, load_lenders(mappings))
    (mappings / "ugro.yml").unlink()
    assert apply_lenders(warehouse, load_lenders(mappings)) == []
    assert rows(warehouse, "select to_regclass('raw.raw_ugro') is not null") == [(True,)]


@pytest.mark.parametrize(
    ("role", "statement"), [(Role.INGESTION, ADD_PAYMENT), ("turno_receiver", ADD_WEBHOOK)]
)
def test_programs_write_through_the_parent_with_the_grants_they_have_there(
    warehouse: WarehouseConnection,
    warehouse_role_url: Callable[[str], str],
    mappings: Path,
    role: str,
    statement: Any,
) -> None:
    apply_lenders(warehouse, load_lenders(mappings))
    warehouse.commit()
    with connect(warehouse_role_url(role)) as conn:
        conn.execute(statement)
