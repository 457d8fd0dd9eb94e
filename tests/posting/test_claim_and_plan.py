"""Claim: every payment that may be posted becomes one intent. Plan: loans in chunks of about equal work."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from itertools import chain

import pytest

from tests.posting.payments import add_ending, add_payment, block_payment, pending
from turno_lms.domain.runs import RunContext
from turno_lms.posting.claim import claim
from turno_lms.posting.plan import plan_chunks
from turno_lms.posting.reversals import prepare_reversals
from turno_lms.warehouse.connection import WarehouseConnection, connect


def test_a_payment_that_may_be_posted_becomes_an_intent(
    ledger: WarehouseConnection, ledger_url: str, run: RunContext
) -> None:
    key = add_payment(ledger, "GB100234", "5499.00")
    with connect(ledger_url) as conn:
        report = claim(conn, run)
    assert report.to_dict() == {"gb": {"claimed": 1, "rupees": "5499.00"}}
    intent = pending(ledger, key)
    assert intent is not None
    assert (intent["state"], intent["attempt"], intent["tries"], intent["amount"]) == (
        "queued",
        1,
        0,
        Decimal("5499.00"),
    )
    assert intent["created_by_run"] == "post_repayments/manual__1"


def test_a_second_claim_adds_nothing(ledger: WarehouseConnection, run: RunContext) -> None:
    add_payment(ledger, "A")
    assert claim(ledger, run).claimed == 1
    assert claim(ledger, run).claimed == 0


def test_blocked_and_ended_payments_are_left_alone(ledger: WarehouseConnection, run: RunContext) -> None:
    add_payment(ledger, "A", block="historic")
    add_ending(ledger, add_payment(ledger, "B"), "posted")
    add_ending(ledger, add_payment(ledger, "C"), "failed")
    assert claim(ledger, run).claimed == 0


def test_a_withdrawn_payment_comes_back_with_the_next_attempt_when_nothing_blocks_it(
    ledger: WarehouseConnection, run: RunContext
) -> None:
    key = add_payment(ledger, "A")
    add_ending(ledger, key, "withdrawn", attempt=2)
    block_payment(ledger, key, "possible_duplicate")
    assert claim(ledger, run).claimed == 0
    block_payment(ledger, key, None)
    assert claim(ledger, run).claimed == 1
    intent = pending(ledger, key)
    assert intent is not None
    assert intent["attempt"] == 3  # never a key again that an earlier attempt may have spent


def test_claims_at_the_same_moment_share_the_payments(
    ledger: WarehouseConnection, ledger_url: str, run: RunContext
) -> None:
    for number in range(200):
        add_payment(ledger, f"L{number}")

    def one(_: int) -> int:
        with connect(ledger_url, autocommit=True) as conn:
            return claim(conn, run).claimed

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, range(4))) == 200


def test_chunks_are_balanced_and_never_cut_a_loan(ledger: WarehouseConnection, run: RunContext) -> None:
    # intents per loan: A 5, B 3, C 2, D 1, E 1 = 12; busiest first into the emptiest of two:
    # A | B, then C to B's (3 < 5), D to the first of 5 and 5, E to the other: 6 and 6
    for loan, count in (("A", 5), ("B", 3), ("C", 2), ("D", 1), ("E", 1)):
        for day in range(1, count + 1):
            add_payment(ledger, loan, business_date=date(2026, 1, day))
    claim(ledger, run)
    assert plan_chunks(ledger, 2) == [["A", "D"], ["B", "C", "E"]]
    assert sorted(chain.from_iterable(plan_chunks(ledger, 9))) == ["A", "B", "C", "D", "E"]


def test_what_is_in_doubt_or_not_due_is_not_planned(ledger: WarehouseConnection, run: RunContext) -> None:
    for loan in ("A", "B", "C"):
        add_payment(ledger, loan)
    claim(ledger, run)
    ledger.execute(
        "update core.core_fineract_pending_transactions set state = 'in_doubt' where loan_id = 'A'"
    )
    ledger.execute(
        "update core.core_fineract_pending_transactions set next_try_at = now() + interval '1 hour' where loan_id = 'B'"
    )
    assert plan_chunks(ledger, 4) == [["C"]]


def test_nothing_to_do_is_no_chunk(ledger: WarehouseConnection) -> None:
    assert plan_chunks(ledger, 4) == []


def test_a_warehouse_that_was_never_built_has_nothing_to_post(
    warehouse: WarehouseConnection, run: RunContext
) -> None:
    """The clock may start posting before the first build has made its tables."""
    assert prepare_reversals(warehouse, run) == 0
    assert claim(warehouse, run).claimed == 0
    assert plan_chunks(warehouse, 4) == []


def ask(conn: WarehouseConnection, kind: str, key: str, state: str = "open") -> None:
    """A question of the identity step, asked after core_transaction_data was built."""
    conn.execute(
        "insert into core.core_recon_exception (kind, subject, state, opened_by_run) values (%s, %s, %s, 'r')",
        (kind, key, state),
    )


@pytest.mark.parametrize(
    ("kind", "state", "claimed"),
    [
        ("identity_conflict", "open", 0),
        ("possible_duplicate", "open", 0),
        ("identity_conflict", "resolved", 1),
        ("missing_in_gateway", "open", 1),  # waits for recon only where the policy says so: the build decides
    ],
)
def test_a_question_opened_since_the_last_build_holds_the_payment(
    ledger: WarehouseConnection, run: RunContext, kind: str, state: str, claimed: int
) -> None:
    ask(ledger, kind, add_payment(ledger, "A"), state)
    assert claim(ledger, run).claimed == claimed


def test_a_duplicate_that_a_person_released_is_claimed_though_its_question_is_open_yet(
    ledger: WarehouseConnection, run: RunContext
) -> None:
    key = add_payment(ledger, "A")
    ask(ledger, "possible_duplicate", key)
    ledger.execute(
        "insert into core.core_payment_decision (posting_key, decision, reason, decided_by)"
        " values (%s, 'release', 'two payments', 'meera')",
        (key,),
    )
    assert claim(ledger, run).claimed == 1
