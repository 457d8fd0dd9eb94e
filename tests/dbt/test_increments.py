"""Increments in any order and any batches equal a full refresh, row for row, in every incremental model.

What happens comes in random order, between any two steps of a build, and some of it commits late, when builds have long
read past its transaction id.
"""

import json
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from itertools import cycle
from typing import Any

import pytest
from psycopg import sql

from tests.dbt.landing import (
    AXLE,
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
from turno_lms.console.sql_page import query_of
from turno_lms.identity import decisions
from turno_lms.identity.evidence import check_money_path
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, connect

PAID = RazorpayPayment("pay_1", notes={"loan_id": "AXL300001"})
DEBIT = RazorpayPayment("pay_8", amount="5499.00", notes={"umrn": "UMRN1"})
MOVING_LOAN = 900_001
AXLE_WITH_CASHFREE = replace(AXLE, channels=(*AXLE.channels, Channel("cashfree", "gateway_payments")))
POSTED_BY_FILE = replace(
    AXLE_WITH_CASHFREE,
    channels=tuple(
        replace(each, posts=each.name == "file:settlement") for each in AXLE_WITH_CASHFREE.channels
    ),
)
AFTER_RECON = replace(GB, channels=tuple(replace(each, policy="after_recon") for each in GB.channels))
_EVERY_WAITING = """
select posting_key
from core.core_transaction_data
where
    posting_block is null
    and loan_id in (select loan_id from core.core_loan_master)
    and posting_key not in (select posting_key from core.core_transaction_data_processed where outcome <> 'withdrawn')
    and posting_key not in (select posting_key from core.core_fineract_pending_transactions)
order by posting_key
"""
Happening = Callable[[DbtProject], object]


def put_axle(conn: WarehouseConnection, lender: LenderSetup) -> None:
    """Apply AXLE's settings together with its rule for Cashfree."""
    with conn.transaction():
        put_lender(conn, lender)
        conn.execute(
            "insert into core.core_lender_webhook_rule values ('axle', 'cashfree', 1, 'data.order.order_id', '_', 1,"
            " 'AXL[0-9]{6}', 'loan_id')"
        )


def put_cashfree(conn: WarehouseConnection, key: str, payload: dict[str, Any]) -> None:
    """Store a Cashfree webhook of AXLE."""
    conn.execute(
        "insert into raw.raw_cashfree_api (lender, event_key, body_sha256, body, payload, headers, verdict)"
        " values ('axle', %s, %s, '', %s, '{}', 'verified_current')",
        (key, key, json.dumps(payload)),
    )


def cashfree_payment(payment_id: int) -> dict[str, Any]:
    payment = {
        "cf_payment_id": payment_id,
        "payment_status": "SUCCESS",
        "payment_amount": 100.00,
        "payment_currency": "INR",
        "payment_time": "2026-01-05T10:00:00+05:30",
    }
    return {
        "type": "PAYMENT_SUCCESS_WEBHOOK",
        "data": {"order": {"order_id": "AXL300001_7"}, "payment": payment},
    }


def refund_of(payment: RazorpayPayment, amount: int) -> dict[str, Any]:
    """A refund's event; it may come before the payment's own."""
    event = payment.event("refund.processed")
    refund = {
        "id": f"rfnd_{amount}",
        "amount": amount,
        "payment_id": payment.payment_id,
        "status": "processed",
    }
    event["payload"]["refund"] = {"entity": refund}
    return event


def by_token(payment: RazorpayPayment, token_id: str) -> dict[str, Any]:
    """A payment that names its mandate by the gateway's token only."""
    event = payment.event()
    event["payload"]["payment"]["entity"]["token_id"] = token_id
    return event


def token(token_id: str, umrn: str | None) -> dict[str, Any]:
    """What is told of a mandate; most of it comes without the UMRN."""
    return {"event": "token.confirmed", "payload": {"token": {"entity": {"id": token_id, "mrn": umrn}}}}


def settle_one_question(project: DbtProject, kind: str, decide: Callable[[str, str], None]) -> None:
    """Let a person answer the oldest open question of a kind that may be answered; `decide` gets the key in question
    and the first key of its source key."""
    questions = project.conn.execute(
        "select exception.subject, founder.source_key as first from core.core_recon_exception as exception"
        " inner join core.core_payment_identity as founder on exception.subject = founder.posting_key"
        " where exception.kind = %s and exception.state = 'open' and founder.matched_by = 'first_sight'"
        " and founder.posting_key <> founder.source_key order by exception.exception_id limit 1",
        (kind,),
    )
    for question in questions:
        try:
            decide(question["subject"], question["first"])
        except decisions.DecisionError:
            return


def post_something(project: DbtProject) -> None:
    """Post one payment that may be posted, as far as the warehouse is concerned."""
    end_something(project, "posted")


def end_something(project: DbtProject, outcome: str) -> None:
    """End one payment that may be posted, another one for each outcome."""
    with project.conn.transaction():
        posted = project.conn.execute(
            "insert into core.core_transaction_data_processed"
            " (posting_key, outcome, lender, loan_id, business_date, amount, attempts, processed_by_run)"
            " select posting_key, %(outcome)s, lender, loan_id, business_date, amount, 1, 'test'"
            " from core.core_transaction_data where posting_block is null order by md5(posting_key || %(outcome)s) limit 1"
            " on conflict do nothing returning posting_key",
            {"outcome": outcome},
        )
        record_changes(project.conn, "posting", [row["posting_key"] for row in posted])


LANDINGS: list[Happening] = [
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
    lambda p: put_webhook(p.conn, "axle", refund_of(replace(PAID, payment_id="pay_2"), 10_000)),
    lambda p: put_webhook(p.conn, "axle", replace(PAID, payment_id="pay_3", notes=[]).event()),
    lambda p: put_webhook(
        p.conn, "axle", replace(PAID, payment_id="pay_3", notes=[], receipt="AXL300002_1").event()
    ),
    lambda p: put_webhook(p.conn, "axle", replace(PAID, payment_id="pay_5").event("payment.dispute.lost")),
    lambda p: put_webhook(p.conn, "axle", replace(PAID, payment_id="pay_5").event()),
    lambda p: put_webhook(p.conn, "gb", PAID.event()),
    lambda p: put_webhook(p.conn, "gb", DEBIT.event()),
    lambda p: put_cashfree(p.conn, "evt_1", cashfree_payment(11)),
    lambda p: put_cashfree(p.conn, "evt_2", cashfree_payment(12)),
    lambda p: put_file(
        p.conn, "axle", "settlement", [FileRow("AXL300001", payment_id=f"pay_{n}") for n in (1, 2, 4)]
    ),
    lambda p: put_file(
        p.conn,
        "axle",
        "statement",
        [FileRow("AXL300001", sub_reference_id="601012345678", date="2026-01-06"), FileRow("AXL300001")],
    ),
    lambda p: put_file(
        p.conn, "gb", "nach_response", [FileRow(None, "5499.00", umrn=f"UMRN{n}") for n in (1, 1, 2)]
    ),
    lambda p: put_file(
        p.conn, "ugro", "statement", [FileRow("UGR200001", date=day) for day in ("2025-12-30", "2026-01-05")]
    ),
    lambda p: put_webhook(p.conn, "gb", by_token(replace(DEBIT, payment_id="pay_9", notes=[]), "token_1")),
    lambda p: put_webhook(p.conn, "gb", by_token(replace(DEBIT, payment_id="pay_10", notes=[]), "token_2")),
    lambda p: put_webhook(p.conn, "gb", token("token_1", None)),
    lambda p: put_webhook(p.conn, "gb", token("token_1", "UMRN1")),
    lambda p: put_webhook(p.conn, "gb", token("token_2", "UMRN2")),
    lambda p: put_webhook(p.conn, "gb", token("token_2", "UMRN1")),
    lambda p: put_file(
        p.conn, "ugro", "statement", [FileRow("UGR200001", date="2026-01-06", sub_reference_id="UTR9")]
    ),
    lambda p: put_file(
        p.conn,
        "ugro",
        "statement",
        [FileRow("UGR200001", date="2026-01-07", status="reversed", sub_reference_id="UTR9")],
    ),
    lambda p: put_mandate(p.conn, "UMRN1", "GB100001"),
    lambda p: put_mandate(p.conn, "UMRN1", "GB100002", date(2026, 1, 5)),
    lambda p: put_mandate(p.conn, "UMRN2", "GB100002"),
]
"""What lands; it may commit late."""

DEEDS: list[Happening] = [
    lambda p: put_lender(p.conn, replace(UGRO, post_from=date(2025, 12, 1))),
    lambda p: put_axle(p.conn, replace(AXLE_WITH_CASHFREE, payment_type_id=9, webhooks=AXLE.webhooks[1:])),
    lambda p: put_axle(p.conn, POSTED_BY_FILE),
    lambda p: put_axle(p.conn, replace(AXLE_WITH_CASHFREE, post_from=date(2026, 1, 6))),
    lambda p: put_lender(p.conn, AFTER_RECON),
    lambda p: settle_one_question(
        p,
        "possible_duplicate",
        lambda key, _: decisions.release(p.session(Role.RECONCILER), key, "two instalments", "asha"),
    ),
    lambda p: settle_one_question(
        p,
        "possible_duplicate",
        lambda key, first: decisions.link(p.session(Role.RECONCILER), key, first, "sent twice", "asha"),
    ),
    lambda p: settle_one_question(
        p,
        "identity_conflict",
        lambda key, _: decisions.release(p.session(Role.RECONCILER), key, "as frozen", "asha"),
    ),
    lambda p: p.reconcile(),
    lambda p: p.reconcile(),
    post_something,
    post_something,
]
"""What people and the other pipelines do."""

STEPS: list[Happening] = [
    lambda p: p.run("money_path_base"),
    lambda p: p.assign(),
    lambda p: p.run("money_path_core"),
]
"""The steps of build_warehouse; anything may happen between two of them."""


def everything(project: DbtProject) -> dict[str, list[Row]]:
    return {model: project.rows(model) for model in MODELS}


@contextmanager
def late_commits(project: DbtProject, happenings: list[Happening]) -> Iterator[None]:
    """Let landings happen in a transaction that is open while the block runs, and commit after it."""
    info = project.conn.info
    with connect(f"{info.dsn} password={info.password}") as slow, slow.transaction():
        for happening in happenings:
            happening(replace(project, conn=slow))
        yield


def waiting(project: DbtProject) -> tuple[list[str], list[str]]:
    """The payments of known loans that wait to be queued: as the console counts them, and as a look at every payment does."""
    counted = sql.SQL("select posting_key from ({}) as waiting order by 1").format(
        query_of("payments-waiting")
    )
    told, found = (project.conn.execute(query).fetchall() for query in (counted, _EVERY_WAITING))
    return [row["posting_key"] for row in told], [row["posting_key"] for row in found]


def happen(project: DbtProject, chance: random.Random) -> None:
    """Everything once, in random order, with the steps of builds in between."""
    landings = chance.sample(LANDINGS, len(LANDINGS))
    late, landings = landings[:4], landings[4:]
    waiting = deque(chance.sample([*landings, *DEEDS], len(landings) + len(DEEDS)))
    steps = cycle(STEPS)

    def go_on(until: int) -> None:
        while len(waiting) > until:
            waiting.popleft()(project)
            while chance.random() < 0.4:
                next(steps)(project)

    go_on(len(waiting) * 2 // 3)
    with late_commits(project, late[:2]):
        go_on(len(waiting) // 2)
    with late_commits(project, late[2:]):
        go_on(2)
    go_on(0)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2, 3))])
def test_increments_in_any_order_equal_a_full_refresh(project: DbtProject, seed: int) -> None:
    for lender in (GB, UGRO):
        put_lender(project.conn, lender)
    put_axle(project.conn, AXLE_WITH_CASHFREE)
    happen(project, random.Random(seed))  # noqa: S311  # a shuffle, not a secret
    project.build_warehouse()
    check_money_path(project.session(Role.RECONCILER))
    counted, found = waiting(project)
    assert counted == found
    end_something(project, "withdrawn")  # it was never posted: it waits again
    project.build_warehouse()
    assert waiting(project) == (counted, found)
    post_something(project)  # after the build, and at once no more among those that wait
    counted, found = waiting(project)
    assert counted == found
    project.build_warehouse()
    incremental, identities = everything(project), project.rows("core.core_payment_identity")
    assert len(incremental["core.core_transaction_data"]) >= 3
    report = project.build_warehouse("--full-refresh")
    assert everything(project) == incremental
    assert project.rows("core.core_payment_identity") == identities
    assert report.identities == report.conflicts_opened == report.conflicts_cleared == 0
    project.reconcile()
