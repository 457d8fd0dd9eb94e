"""Increments in any order and any batches equal a full refresh, row for row, in every incremental model."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from tests.dbt.landing import (
    AXLE,
    GB,
    UGRO,
    FileRow,
    RazorpayPayment,
    put_file,
    put_lender,
    put_loan,
    put_mandate,
    put_webhook,
)
from tests.dbt.project import MODELS, DbtProject
from turno_lms.identity import decisions
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Row

PAID = RazorpayPayment("pay_1", notes={"loan_id": "AXL300001"})
DEBIT = RazorpayPayment("pay_8", amount="5499.00", notes={"umrn": "UMRN1"})
MOVING_LOAN = 900_001
Happening = Callable[[DbtProject], object]


def settle_one_question(project: DbtProject, decide: Callable[[str, str], None]) -> None:
    """Let a person answer the oldest question about a held key, if there is one; `decide` gets it and its first key."""
    question = project.conn.execute(
        "select subject, detail ->> 'first_posting_key' as first from core.core_recon_exception"
        " where kind = 'possible_duplicate' and state = 'open' order by exception_id limit 1"
    ).fetchone()
    if question:
        decide(question["subject"], question["first"])


def post_something(project: DbtProject) -> None:
    """Post one payment that may be posted, as far as the warehouse is concerned."""
    with project.conn.transaction():
        posted = project.conn.execute(
            "insert into core.core_transaction_data_processed"
            " (posting_key, outcome, lender, loan_id, business_date, amount, attempts, processed_by_run)"
            " select posting_key, 'posted', lender, loan_id, business_date, amount, 1, 'test'"
            " from core.core_transaction_data where posting_block is null order by posting_key limit 1"
            " on conflict do nothing returning posting_key"
        )
        record_changes(project.conn, "posting", [row["posting_key"] for row in posted])


HAPPENINGS: list[Happening] = [
    lambda p: put_loan(p.conn, "AXL300001", 3),
    lambda p: put_loan(p.conn, "AXL300002", 3, number=MOVING_LOAN),
    lambda p: put_loan(p.conn, "axl300003", 3, number=MOVING_LOAN, summary={"totalOutstanding": 7}),
    lambda p: put_loan(p.conn, "GB100001", 1),
    lambda p: put_loan(p.conn, "GB100002", 1),
    lambda p: put_loan(p.conn, "UGR200001", 2),
    lambda p: put_loan(p.conn, " ugr200001", 2),
    lambda p: put_webhook(p.conn, "axle", PAID.event("payment.authorized")),
    lambda p: put_webhook(p.conn, "axle", PAID.event()),
    lambda p: put_webhook(p.conn, "axle", replace(PAID, rrn="601012345678").event("order.paid")),
    lambda p: put_webhook(p.conn, "axle", replace(PAID, refunded="30.00").event()),
    lambda p: put_webhook(p.conn, "axle", replace(PAID, payment_id="pay_2").event()),
    lambda p: put_webhook(p.conn, "axle", replace(PAID, payment_id="pay_3", notes=[]).event()),
    lambda p: put_webhook(
        p.conn, "axle", replace(PAID, payment_id="pay_3", notes=[], receipt="AXL300002_1").event()
    ),
    lambda p: put_webhook(p.conn, "gb", PAID.event()),
    lambda p: put_webhook(p.conn, "gb", DEBIT.event()),
    lambda p: put_file(
        p.conn, "axle", "settlement", [FileRow("AXL300001", payment_id=f"pay_{n}") for n in (1, 2, 4)]
    ),
    lambda p: put_file(
        p.conn,
        "axle",
        "statement",
        [FileRow("AXL300001", sub_reference_id="601012345678", date="2026-01-06")],
    ),
    lambda p: put_file(
        p.conn, "gb", "nach_response", [FileRow(None, "5499.00", umrn=f"UMRN{n}") for n in (1, 1, 2)]
    ),
    lambda p: put_file(
        p.conn, "ugro", "statement", [FileRow("UGR200001", date=day) for day in ("2025-12-30", "2026-01-05")]
    ),
    lambda p: put_mandate(p.conn, "UMRN1", "GB100001"),
    lambda p: put_mandate(p.conn, "UMRN1", "GB100002", date(2026, 1, 5)),
    lambda p: put_mandate(p.conn, "UMRN2", "GB100002"),
    lambda p: put_lender(p.conn, replace(UGRO, post_from=date(2025, 12, 1))),
    lambda p: put_lender(p.conn, replace(AXLE, payment_type_id=9, webhooks=AXLE.webhooks[1:])),
    lambda p: settle_one_question(p, lambda key, _: decisions.release(p.app, key, "two instalments", "asha")),
    lambda p: settle_one_question(
        p, lambda key, first: decisions.link(p.app, key, first, "sent twice", "asha")
    ),
    lambda p: p.reconcile(),
    post_something,
]


def everything(project: DbtProject) -> dict[str, list[Row]]:
    return {model: project.rows(model) for model in MODELS}


@pytest.mark.parametrize("seed", range(4))
def test_increments_in_any_order_equal_a_full_refresh(project: DbtProject, seed: int) -> None:
    for lender in (AXLE, GB, UGRO):
        put_lender(project.conn, lender)
    chance = random.Random(seed)  # noqa: S311  # a shuffle, not a secret
    for happening in chance.sample(HAPPENINGS, len(HAPPENINGS)):
        happening(project)
        if chance.random() < 0.25:
            project.build_warehouse()
    project.build_warehouse()
    incremental, identities = everything(project), project.rows("core.core_payment_identity")
    assert len(incremental["core.core_transaction_data"]) >= 3
    report = project.build_warehouse("--full-refresh")
    assert everything(project) == incremental
    assert project.rows("core.core_payment_identity") == identities
    assert report.identities == report.conflicts_opened == report.conflicts_cleared == 0
    project.build("reconciliation")
