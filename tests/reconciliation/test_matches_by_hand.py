"""Matches by hand: a second person, the same figures, once, and reversible."""

import pytest

from turno_lms.approvals import approvals
from turno_lms.approvals.approvals import ApprovalError
from turno_lms.domain.runs import RunContext
from turno_lms.reconciliation import by_hand
from turno_lms.reconciliation.by_hand import MatchError
from turno_lms.warehouse.connection import Row, WarehouseConnection

ROW, PAYMENT = "file:gb:nach:N1", "razorpay:pay_1"


def run_of(actor: str, number: int = 1) -> RunContext:
    return RunContext("work_recon_exceptions", f"manual__{number}", actor=actor)


def see(
    conn: WarehouseConnection,
    reference: str,
    key: str,
    *,
    lender: str = "gb",
    amount: str = "5499.00",
    matched_by: str = "first_sight",
) -> None:
    """Freeze a sighting; what comes from a file is of the channel that posts."""
    is_file = reference.startswith("file:")
    conn.execute(
        "insert into core.core_payment_identity (native_reference, posting_key, source_key, occurrence, lender, loan_id,"
        " business_date, amount, stream, channel, matched_by, is_posting_channel)"
        " values (%s, %s, %s, 1, %s, 'GB100001', '2026-01-05', %s, 'nach_debits', %s, %s, %s)",
        (
            reference,
            key,
            key,
            lender,
            amount,
            "file:nach" if is_file else "razorpay",
            matched_by,
            is_file,
        ),
    )


def post(conn: WarehouseConnection, key: str) -> None:
    conn.execute(
        "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date, amount,"
        " attempts, processed_by_run) values (%s, 'posted', 'gb', 'GB100001', '2026-01-05', 1, 1, 'r')",
        (key,),
    )


@pytest.fixture
def pair(warehouse: WarehouseConnection) -> WarehouseConnection:
    see(warehouse, ROW, "a")
    see(warehouse, PAYMENT, "b", amount="5480.00")
    return warehouse


def matched(conn: WarehouseConnection) -> list[Row]:
    return conn.execute("select * from core.core_recon_match order by native_reference").fetchall()


def test_a_second_person_makes_the_match_and_it_posts_through_the_posting_channel(
    pair: WarehouseConnection,
) -> None:
    asked = by_hand.request_match(pair, [ROW, PAYMENT], "the bank's letter", run_of("asha"))
    assert "the bank's letter" in by_hand.preview(pair, asked.approval_id)
    with pytest.raises(ApprovalError, match="not approved"):
        by_hand.execute(pair, asked.approval_id, run_of("asha"))
    with pytest.raises(ApprovalError, match="another person"):
        approvals.decide(pair, asked.approval_id, "Asha", approved=True)
    approvals.decide(pair, asked.approval_id, "meera", approved=True)
    assert by_hand.execute(pair, asked.approval_id, run_of("meera")) == {"action": "match", "members": 2}
    assert by_hand.execute(pair, asked.approval_id, run_of("meera"))["members"] == 0
    row, payment = matched(pair)
    assert (row["rule"], row["reason"], row["is_canonical"]) == ("manual", "the bank's letter", True)
    assert (payment["is_canonical"], payment["canonical_posting_key"]) == (False, "a")
    assert (row["rupees"], row["days"]) == (-19, 0)  # 5480.00 less 5499.00


def test_a_match_is_taken_apart_and_kept_in_history(pair: WarehouseConnection) -> None:
    make = by_hand.request_match(pair, [ROW, PAYMENT], "looked alike", run_of("asha"))
    approvals.decide(pair, make.approval_id, "meera", approved=True)
    by_hand.execute(pair, make.approval_id, run_of("meera"))
    group = matched(pair)[0]["match_group"]
    undo = by_hand.request_unmatch(pair, group, "another loan after all", run_of("ravi", 2))
    approvals.decide(pair, undo.approval_id, "asha", approved=True)
    assert by_hand.execute(pair, undo.approval_id, run_of("asha", 2))["members"] == 2
    assert matched(pair) == []
    gone = pair.execute("select * from core.core_recon_match_undone").fetchall()
    assert {(row["native_reference"], row["undone_by"], row["undo_reason"]) for row in gone} == {
        (ROW, "ravi", "another loan after all"),
        (PAYMENT, "ravi", "another loan after all"),
    }
    told = pair.execute("select subject from core.core_change_log where kind = 'reconciliation'").fetchall()
    assert {row["subject"] for row in told} == {"a", "b"}
    again = by_hand.request_match(pair, [ROW, PAYMENT], "the same loan, now proved", run_of("asha", 3))
    approvals.decide(pair, again.approval_id, "meera", approved=True)
    assert by_hand.execute(pair, again.approval_id, run_of("meera", 3))["members"] == 2


def test_what_changed_since_it_was_asked_for_is_not_done(pair: WarehouseConnection) -> None:
    """The payment was linked to another key meanwhile: the second person approved something else."""
    asked = by_hand.request_match(pair, [ROW, PAYMENT], "alike", run_of("asha"))
    approvals.decide(pair, asked.approval_id, "meera", approved=True)
    pair.execute(
        "insert into core.core_payment_decision (posting_key, decision, linked_posting_key, reason, decided_by)"
        " values ('b', 'link', 'c', 'same', 'ravi')"
    )
    with pytest.raises(ApprovalError, match="other figures"):
        by_hand.execute(pair, asked.approval_id, run_of("meera"))
    assert matched(pair) == []


def test_what_may_not_be_matched_or_taken_apart_is_refused(pair: WarehouseConnection) -> None:
    run = run_of("asha")
    see(pair, "razorpay:pay_2", "c", lender="ugro")
    see(pair, "razorpay:pay_3", "d")
    post(pair, "d")
    for references, told in (
        ([ROW], "both sides"),
        ([ROW, "razorpay:pay_2"], "different lenders"),
        ([ROW, "razorpay:pay_9"], "no native reference"),
        ([ROW, "razorpay:pay_3"], "reverse it first"),
    ):
        with pytest.raises(MatchError, match=told):
            by_hand.request_match(pair, references, "because", run)
    with pytest.raises(MatchError, match="say why"):
        by_hand.request_match(pair, [ROW, PAYMENT], " ", run)
    with pytest.raises(MatchError, match="there is no match"):
        by_hand.request_unmatch(pair, "nothing", "because", run)


def test_evidence_that_the_posting_channel_has_reported_too_is_no_evidence(pair: WarehouseConnection) -> None:
    """The payment's key has a row of its own by now: both keys would be posted."""
    asked = by_hand.request_match(pair, [ROW, PAYMENT], "alike", run_of("asha"))
    approvals.decide(pair, asked.approval_id, "meera", approved=True)
    see(pair, "file:gb:nach:N2", "b", matched_by="same_source_key")
    with pytest.raises(MatchError, match="both would be posted"):
        by_hand.execute(pair, asked.approval_id, run_of("meera"))
    assert matched(pair) == []


def test_a_match_that_released_a_posting_stands_until_that_is_reversed(pair: WarehouseConnection) -> None:
    pair.execute(
        "insert into core.core_lender (lender, name, product_id, payment_type_id, post_from, mapping_version)"
        " values ('gb', 'GB', 1, 1, '2026-01-01', 'x')"
    )
    pair.execute(
        "insert into core.core_lender_stream values ('gb', 'nach_debits', 'file:nach', true, 'after_recon')"
    )
    asked = by_hand.request_match(pair, [ROW, PAYMENT], "alike", run_of("asha"))
    approvals.decide(pair, asked.approval_id, "meera", approved=True)
    by_hand.execute(pair, asked.approval_id, run_of("meera"))
    post(pair, "a")
    with pytest.raises(MatchError, match="posted because of this match"):
        by_hand.request_unmatch(pair, matched(pair)[0]["match_group"], "no", run_of("asha", 2))
