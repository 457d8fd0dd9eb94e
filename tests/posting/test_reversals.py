"""Reversals against the stand-in Fineract: undone once, recorded, corrected under a key of their own."""

from datetime import date
from decimal import Decimal

import pytest
import requests

from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.conftest import QUICK
from tests.posting.payments import JANUARY_5, add_payment, archive, block_payment, post_by_stream, processed
from turno_lms.domain.runs import RunContext
from turno_lms.fineract import leases
from turno_lms.fineract.client import FineractClient, Timeouts
from turno_lms.posting.claim import claim
from turno_lms.posting.proof import prove
from turno_lms.posting.reversals import (
    Correction,
    ReversalError,
    drop_reversal,
    execute_reversals,
    next_correction,
    prepare_reversals,
    request_reversal,
)
from turno_lms.posting.worker import Poster
from turno_lms.warehouse.connection import Row, WarehouseConnection, connect

WRONG, RIGHT = "GB100001", "GB100002"


@pytest.fixture
def fineract(fineract_url: str) -> FineractClient:
    client = standin_client(fineract_url, timeouts=Timeouts(2, 2))
    make_loans(client, [WRONG, RIGHT])
    return client


@pytest.fixture
def post(ledger_url: str, fineract_url: str, run: RunContext, ledger: WarehouseConnection) -> Poster:
    post_by_stream(ledger, "gb", "file:nach_response")
    return Poster(
        lambda: connect(ledger_url, autocommit=True),
        lambda audit: standin_client(fineract_url, audit),
        run,
        QUICK,
    )


@pytest.fixture
def posted(ledger: WarehouseConnection, fineract: FineractClient, post: Poster, run: RunContext) -> str:
    """The key of 5499.00 rupees posted to the wrong loan on 5 January."""
    key = add_payment(ledger, WRONG)
    claim(ledger, run)
    post.post([WRONG])
    return key


def reversal(conn: WarehouseConnection, key: str) -> Row:
    row = conn.execute("select * from core.core_reversal where posting_key = %s", (key,)).fetchone()
    assert row is not None
    return row


def is_reversed(client: FineractClient, loan_id: str, key: str) -> bool:
    found = client.find_transaction(loan_id, key)
    assert found is not None
    return bool(found["manuallyReversed"])


def test_a_reversal_is_undone_in_fineract_and_recorded_with_its_reason(
    ledger: WarehouseConnection, fineract: FineractClient, run: RunContext, posted: str
) -> None:
    assert request_reversal(ledger, posted, "NACH bounced on 7 January", "meera") is None
    assert execute_reversals(ledger, fineract, run) == {"done": 1}
    assert is_reversed(fineract, WRONG, posted)
    entry = processed(ledger, posted)
    assert entry is not None
    assert entry["outcome"] == "reversed"
    assert [(each["outcome"], each["ended_by"]) for each in archive(ledger, posted)] == [
        ("posted", None),
        ("reversed", "meera"),
    ]
    assert execute_reversals(ledger, fineract, run) == {}
    assert claim(ledger, run).claimed == 0  # reversed money is not posted again by itself
    assert prove(ledger, fineract, [WRONG], run).differences == []
    with pytest.raises(ReversalError, match="is reversed: only a posted repayment"):
        request_reversal(ledger, posted, "again", "meera")


def test_a_correction_goes_to_the_right_loan_under_its_own_key(
    ledger: WarehouseConnection, fineract: FineractClient, post: Poster, run: RunContext, posted: str
) -> None:
    correction = Correction(loan_id=RIGHT, amount=Decimal("5400.00"), business_date=date(2026, 1, 6))
    key = request_reversal(ledger, posted, "wrong loan", "meera", correction)
    assert key == f"{posted}-r1"
    assert claim(ledger, run).claimed == 0  # not before the reversal is done
    execute_reversals(ledger, fineract, run)
    assert claim(ledger, run).claimed == 1
    assert post.post([RIGHT]).to_dict()["rupees_posted"] == "5400.00"
    found = fineract.find_transaction(RIGHT, key)
    assert found is not None
    assert (Decimal(found["amount"]), found["date"]) == (Decimal("5400.00"), [2026, 1, 6])
    assert prove(ledger, fineract, [WRONG, RIGHT], run).differences == []

    again = request_reversal(ledger, key, "wrong amount", "meera", Correction(amount=Decimal("5499.00")))
    assert again == f"{posted}-r2"
    execute_reversals(ledger, fineract, run)
    claim(ledger, run)
    assert post.post([RIGHT]).to_dict()["rupees_posted"] == "5499.00"
    assert prove(ledger, fineract, [WRONG, RIGHT], run).differences == []


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "error_after", "bad_gateway", "conflict"])
def test_a_reversal_whose_answer_is_lost_is_read_back_and_done_once(
    ledger: WarehouseConnection,
    fineract: FineractClient,
    fineract_url: str,
    run: RunContext,
    posted: str,
    fault: str,
) -> None:
    request_reversal(ledger, posted, "bounced", "meera")
    rules = fineract_url.removesuffix("/fineract-provider/api/v1") + "/standin/rules"
    requests.post(
        rules, json={"requests": "adjust_transaction", "fault": fault, "next": 1}, timeout=5
    ).raise_for_status()
    first = execute_reversals(ledger, fineract, run)
    assert first in ({"done": 1}, {"left": 1})
    if first == {"left": 1}:
        assert reversal(ledger, posted)["state"] == "in_flight"
        assert execute_reversals(ledger, fineract, run) == {"done": 1}
    assert is_reversed(fineract, WRONG, posted)
    assert [each["outcome"] for each in archive(ledger, posted)] == ["posted", "reversed"]


def test_a_reversal_waits_for_the_lease_of_its_loan(
    ledger: WarehouseConnection, fineract: FineractClient, run: RunContext, posted: str
) -> None:
    request_reversal(ledger, posted, "bounced", "meera")
    [lease] = leases.acquire(ledger, [WRONG], "LOS", 60)
    assert execute_reversals(ledger, fineract, run) == {"left": 1}
    assert not is_reversed(fineract, WRONG, posted)
    leases.release(ledger, lease)
    assert execute_reversals(ledger, fineract, run) == {"done": 1}


def test_what_fineract_does_not_hold_as_the_ledger_says_is_refused_and_shown(
    ledger: WarehouseConnection, fineract: FineractClient, run: RunContext, posted: str
) -> None:
    ledger.execute("update core.core_transaction_data_processed set amount = 1")
    request_reversal(ledger, posted, "bounced", "meera")
    assert execute_reversals(ledger, fineract, run) == {"refused": 1}
    assert reversal(ledger, posted)["last_error"] == "Fineract's transaction is different"
    assert not is_reversed(fineract, WRONG, posted)


def test_money_that_went_back_after_posting_is_prepared_and_asked_about_once(
    ledger: WarehouseConnection, fineract: FineractClient, run: RunContext, posted: str
) -> None:
    assert prepare_reversals(ledger, run) == 0
    block_payment(ledger, posted, "not_collected")
    assert prepare_reversals(ledger, run) == 1
    assert prepare_reversals(ledger, run) == 0
    assert (reversal(ledger, posted)["state"], execute_reversals(ledger, fineract, run)) == ("prepared", {})
    questions = "select kind, subject, state from core.core_recon_exception"
    assert ledger.execute(questions).fetchall() == [
        {"kind": "bounced_after_posting", "subject": posted, "state": "open"}
    ]
    request_reversal(ledger, posted, "the bank returned it", "meera")
    execute_reversals(ledger, fineract, run)
    assert ledger.execute(questions).fetchall()[0]["state"] == "resolved"


@pytest.mark.parametrize(
    ("status", "day", "prepared"),
    [
        ("failed", JANUARY_5, 1),  # the debit's own day
        ("failed", date(2026, 1, 8), 0),  # another presentation
        ("refunded", date(2026, 1, 8), 1),
        ("refunded", date(2026, 1, 16), 0),  # 11 days later
    ],
)
def test_a_bounce_in_another_file_is_the_same_money_only_near_it(
    ledger: WarehouseConnection, run: RunContext, posted: str, status: str, day: date, prepared: int
) -> None:
    ledger.execute(
        "insert into core.core_payment_sighting values ('position:9:1', %s, %s, 5499.00, %s, false, null,"
        " now() + interval '1 hour')",
        (WRONG, day, status),
    )
    assert prepare_reversals(ledger, run) == prepared


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("('r', %s, '2026-01-16', 5499.00, 'refunded', false)", 1),  # 11 days later: which money?
        ("('r', %s, '2026-01-08', 5400.00, 'refunded', false)", 1),  # a part of it
        ("('r', null, '2026-01-08', 5499.00, 'charged_back', false)", 1),  # of a mandate that nobody knows
        ("('r', %s, '2026-01-08', 5499.00, 'refunded', false)", 0),  # its reversal is prepared
        ("('r', %s, '2026-01-16', 5499.00, 'failed', false)", 0),  # another presentation that bounced
    ],
)
def test_a_reversal_that_fits_no_payment_is_asked_about_once(
    ledger: WarehouseConnection, run: RunContext, posted: str, told: str, asked: int
) -> None:
    row = told.replace("%s", f"'{WRONG}'").replace(")", ", null, now() + interval '1 hour')")
    ledger.execute(f"insert into core.core_payment_sighting values {row}")  # noqa: S608  # of this test
    questions = (
        "select subject, loan_id, state from core.core_recon_exception where kind = 'reversal_unmatched'"
    )
    prepare_reversals(ledger, run)
    found = ledger.execute(questions).fetchall()
    assert [(each["subject"], each["state"]) for each in found] == [("r", "open")] * asked
    ledger.execute(
        "update core.core_recon_exception set state = 'resolved', closed_at = now(), closed_by = 'meera'"
    )
    ledger.execute("update core.core_payment_sighting set _txid = pg_current_xact_id()::text::bigint")
    prepare_reversals(ledger, run)
    assert len(ledger.execute(questions).fetchall()) == asked


def test_a_reversal_that_names_its_payment_is_no_question_of_its_own(
    ledger: WarehouseConnection, run: RunContext, posted: str
) -> None:
    """By its own reference or the bank's, whenever it comes: dbt holds that payment, and its reversal is prepared."""
    ledger.execute(
        "insert into core.core_payment_sighting (native_reference, stated_loan_id, business_date, amount, payment_status,"
        " is_collection, bank_reference) values ('position:1:1', %s, '2026-01-05', 5499.00, 'captured', true, 'UTR1'),"
        " ('position:9:1', %s, '2026-02-05', 5499.00, 'refunded', false, 'UTR1')",
        (WRONG, WRONG),
    )
    prepare_reversals(ledger, run)
    assert ledger.execute("select from core.core_recon_exception").fetchall() == []


def test_a_prepared_reversal_that_a_person_drops_leaves_the_repayment(
    ledger: WarehouseConnection, fineract: FineractClient, run: RunContext, posted: str
) -> None:
    block_payment(ledger, posted, "not_collected")
    prepare_reversals(ledger, run)
    drop_reversal(ledger, posted, "the bank's file was wrong", "meera")
    assert execute_reversals(ledger, fineract, run) == {}
    assert prepare_reversals(ledger, run) == 0
    request_reversal(ledger, posted, "it was right after all", "meera")
    assert execute_reversals(ledger, fineract, run) == {"done": 1}


def test_what_a_gateway_gave_back_is_the_gateways_question_and_answered_here(
    ledger: WarehouseConnection, fineract: FineractClient, run: RunContext, posted: str
) -> None:
    """Asked once: the refund blocks the payment, but the question about it is open already."""
    ledger.execute("insert into base.base_gateway_payment values ('razorpay:pay_1', 'refunded')")
    ledger.execute(
        "insert into core.core_payment_identity (native_reference, posting_key, source_key, occurrence, lender, loan_id,"
        " business_date, amount, stream, channel, matched_by, is_posting_channel)"
        " select 'razorpay:pay_1', posting_key, source_key, 1, lender, loan_id, business_date, amount, stream, 'razorpay',"
        " 'first_sight', true from core.core_transaction_data where posting_key = %s",
        (posted,),
    )
    question = (
        "insert into core.core_recon_exception (kind, subject, opened_by_run)"
        " values ('returned_after_posting', %s, 'build_warehouse/1')"
    )
    ledger.execute(question, (posted,))
    block_payment(ledger, posted, "not_collected")
    assert prepare_reversals(ledger, run) == 0

    drop_reversal(ledger, posted, "the refund failed at the bank", "meera")
    states = "select state from core.core_recon_exception order by exception_id"
    assert ledger.execute(states).fetchall() == [{"state": "resolved"}]
    with pytest.raises(ReversalError, match="no question about it"):
        drop_reversal(ledger, posted, "again", "meera")

    ledger.execute(question, (posted,))
    request_reversal(ledger, posted, "the refund went through", "meera")
    assert execute_reversals(ledger, fineract, run) == {"done": 1}
    assert {row["state"] for row in ledger.execute(states).fetchall()} == {"resolved"}


def test_the_next_correction_counts_on() -> None:
    key = "0f" * 16
    assert next_correction(key) == f"{key}-r1"
    assert next_correction(f"{key}-o2") == f"{key}-o2-r1"
    assert next_correction(f"{key}-o2-r9") == f"{key}-o2-r10"


def test_a_bounce_told_before_the_last_search_and_committed_after_it_is_found(
    ledger: WarehouseConnection, warehouse_url: str, run: RunContext, posted: str
) -> None:
    bounce = (
        "insert into core.core_payment_sighting values ('position:9:1', %s, %s, 5499.00, 'failed', false, null,"
        " now() + interval '1 hour')"
    )
    with connect(warehouse_url) as late:
        late.execute(bounce, (WRONG, JANUARY_5))
        assert prepare_reversals(ledger, run) == 0
        ledger.execute("create table public.later ()")  # a younger transaction ends before the late one
        assert prepare_reversals(ledger, run) == 0
        late.commit()
    assert prepare_reversals(ledger, run) == 1


def test_what_was_searched_is_not_searched_again(
    ledger: WarehouseConnection, run: RunContext, posted: str
) -> None:
    """Against a false comfort: 20 000 sightings and as many postings, all old, are not read by the next search."""
    ledger.execute(
        "insert into core.core_payment_sighting (native_reference, stated_loan_id, business_date, amount, payment_status,"
        " is_collection, seen_at) select 'old:' || n, 'L' || n, '2026-01-05', 1, 'failed', false, '2026-01-05'"
        " from generate_series(1, 20000) as n"
    )
    ledger.execute(
        "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date, amount,"
        " attempts, processed_by_run) select md5('old' || n), 'posted', 'gb', 'L' || n, '2026-01-05', 1, 1, 'r'"
        " from generate_series(1, 20000) as n"
    )
    ledger.execute("create index on core.core_payment_sighting (_txid)")
    ledger.execute("create index on core.core_payment_sighting (stated_loan_id)")
    ledger.execute("create index on core.core_transaction_data (_txid)")
    ledger.execute("analyze")

    def rows_read_by_a_search() -> int:
        before = _rows_read(ledger)
        prepare_reversals(ledger, run)
        return _rows_read(ledger) - before

    assert rows_read_by_a_search() > 20_000
    assert rows_read_by_a_search() < 1000


def _rows_read(conn: WarehouseConnection) -> int:
    conn.execute("select pg_stat_force_next_flush()")
    row = conn.execute(
        "select sum(seq_tup_read + idx_tup_fetch)::bigint as n from pg_stat_user_tables"
        " where relname in ('core_payment_sighting', 'core_transaction_data_processed')"
    ).fetchone()
    assert row is not None
    return int(row["n"])
