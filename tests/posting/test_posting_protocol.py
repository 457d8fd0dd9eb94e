"""The protocol end to end: intent, attempt, read-back, outcome, against real HTTP and a real ledger."""

import json
import threading
import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from local_stack.environment import warehouse_connections
from tests.fineract.tiny_fineract import Fault, LookFault, TinyFineract
from tests.posting.conftest import QUICK, NewPoster, new_client
from tests.posting.payments import add_ending, add_payment, archive, block_payment, pending, processed
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import IntentState, PostingOutcome
from turno_lms.fineract import leases
from turno_lms.fineract.answers import Answer
from turno_lms.fineract.audit import CollectedAudit
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.leases import Lease, LeaseLostError
from turno_lms.fineract.repayments import Repayment
from turno_lms.posting import ledger as posting_ledger
from turno_lms.posting.claim import claim
from turno_lms.posting.intents import Ended, Intent, Open
from turno_lms.posting.ledger import LedgerError
from turno_lms.posting.protocol import try_intent
from turno_lms.posting.worker import PostingStoppedError, post_chunk
from turno_lms.warehouse.connection import Row, WarehouseConnection

IN_DOUBT = "posting_in_doubt"
FAILED = "posting_failed"


def calls(conn: WarehouseConnection) -> list[tuple[str, str]]:
    rows = conn.execute("select purpose, outcome from raw.raw_fineract_api_log order by call_id")
    return [(row["purpose"], row["outcome"]) for row in rows]


def exceptions(conn: WarehouseConnection) -> list[Row]:
    return conn.execute("select * from core.core_recon_exception order by exception_id").fetchall()


def ready(conn: WarehouseConnection, run: RunContext, *loans: str) -> list[str]:
    """Payments of 5499.00 on these loans, claimed; returns their posting keys."""
    keys = [add_payment(conn, loan) for loan in loans]
    claim(conn, run)
    return keys


def test_a_posted_repayment_leaves_the_queue_for_archive_ledger_change_log_and_api_log(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    report = new_poster().post(["A"])
    assert report.to_dict() == {
        "posted": 1, "failed": 0, "withdrawn": 0, "rupees_posted": "5499.00", "still_open": {},
    }  # fmt: skip
    assert pending(ledger, key) is None
    entry = processed(ledger, key)
    assert entry is not None
    assert (entry["outcome"], entry["fineract_transaction_id"], entry["attempts"]) == ("posted", 100, 1)
    [archived] = archive(ledger, key)
    assert (archived["outcome"], archived["status_code"], archived["ended_by_run"]) == (
        "posted",
        200,
        run.label,
    )
    changes = ledger.execute("select kind, subject from core.core_change_log").fetchall()
    assert changes == [{"kind": "posting", "subject": key}]
    assert calls(ledger) == [("repayment", "ok")]
    assert tiny.sent[0]["key"] == f"{key}-a1"


def test_a_second_run_sends_nothing(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    ready(ledger, run, "A")
    new_poster().post(["A"])
    claim(ledger, run)
    assert new_poster().post(["A"]).to_dict()["posted"] == 0
    assert len(tiny.sent) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.DROPPED_AFTER,
        Fault.FAULT_500_AFTER,
        Fault.HTML_502_AFTER,
        Fault.INTEGRITY_403_AFTER,
        Fault.UNREADABLE_200_AFTER,
    ],
)
def test_money_that_moved_behind_a_bad_answer_is_read_back_and_not_sent_again(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext, fault: Fault
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.faults.append(fault)
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert len(tiny.sent) == 1
    assert [purpose for purpose, _ in calls(ledger)] == ["repayment", "read_back"]
    assert processed(ledger, key) is not None


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        # nothing ran and nothing was recorded: the same key again
        (Fault.LOCKED_409, (["a1", "a1"], 0)),
        (Fault.SCHEDULER_503, (["a1", "a1"], 0)),
        # may have run: look at once, look again before sending, then the same key
        (Fault.DROPPED_BEFORE, (["a1", "a1"], 2)),
        (Fault.STILL_RUNNING_425, (["a1", "a1"], 2)),
        (Fault.FAULT_500_BEFORE, (["a1", "a1"], 2)),
        (Fault.HTML_502_BEFORE, (["a1", "a1"], 2)),
        (Fault.HTML_404, (["a1", "a1"], 2)),
        # refused and recorded under the key: the next attempt
        (Fault.CONFLICT_409, (["a1", "a2"], 1)),
        (Fault.FUTURE_DATE_403, (["a1", "a2"], 0)),
        # a recorded 500 shows only when the same key gets the old answer again
        (Fault.FAULT_500_RECORDED, (["a1", "a1", "a2"], 3)),
    ],
)
def test_the_attempt_rises_only_after_a_recorded_refusal(
    ledger: WarehouseConnection,
    new_poster: NewPoster,
    tiny: TinyFineract,
    fault: Fault,
    expected: tuple[list[str], int],
) -> None:
    keys, looks = expected
    run = RunContext("post_repayments", "manual__1")
    [key] = ready(ledger, run, "A")
    tiny.faults.append(fault)
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert [sent["key"] for sent in tiny.sent] == [f"{key}-{suffix}" for suffix in keys]
    assert {sent["externalId"] for sent in tiny.sent} == {key}
    assert [purpose for purpose, _ in calls(ledger)].count("read_back") == looks


@pytest.mark.parametrize("fault", [Fault.REFUSED_400, Fault.PERMANENT_503])
def test_a_definite_refusal_ends_in_failed_with_its_reason_and_is_not_sent_again(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext, fault: Fault
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.faults.append(fault)
    assert new_poster().post(["A"]).to_dict()["failed"] == 1
    claim(ledger, run)
    new_poster().post(["A"])
    assert len(tiny.sent) == 1
    entry = processed(ledger, key)
    assert entry is not None
    assert entry["error_code"].startswith("error.msg.loan.")
    [opened] = exceptions(ledger)
    assert (opened["kind"], opened["subject"], opened["amount"]) == (FAILED, key, Decimal("5499.00"))


@pytest.mark.parametrize("fault", [Fault.MAKER_CHECKER_200, Fault.OF_ANOTHER_200])
def test_a_200_without_our_effect_is_no_success_but_a_persons_case(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext, fault: Fault
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.faults.append(fault)
    assert new_poster().post(["A"]).to_dict()["still_open"] == {"in_doubt": 1}
    assert processed(ledger, key) is None
    assert len(tiny.sent) == 1
    assert [(each["kind"], each["subject"]) for each in exceptions(ledger)] == [(IN_DOUBT, key)]


def test_an_external_id_that_holds_other_money_is_a_persons_case(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.transactions[key] = {
        "id": 9, "loan": "A", "externalId": key, "amount": 1, "date": "2026-01-05", "manuallyReversed": False,
    }  # fmt: skip
    new_poster().post(["A"])
    intent = pending(ledger, key)
    assert intent is not None
    assert (intent["state"], intent["last_error"].split(":")[0:2]) == (
        "in_doubt",
        ["read back", " different"],
    )


def test_the_ceiling_of_tries_ends_in_doubt(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.faults.extend([Fault.STILL_RUNNING_425] * 50)
    new_poster().post(["A"])
    assert len(tiny.sent) == QUICK.most_tries
    intent = pending(ledger, key)
    assert intent is not None
    assert intent["state"] == "in_doubt"
    assert "tried 6 times" in intent["last_error"]


def test_an_intent_in_doubt_that_a_person_releases_is_read_back_first(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.faults.append(Fault.DROPPED_AFTER)
    tiny.look_faults.extend([LookFault.FAULT_500] * 50)
    new_poster().post(["A"])
    tiny.look_faults.clear()
    ledger.execute("update core.core_fineract_pending_transactions set state = 'queued', next_try_at = now()")
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert len(tiny.sent) == 1
    assert [(each["kind"], each["subject"], each["state"]) for each in exceptions(ledger)] == [
        (IN_DOUBT, key, "cleared")
    ]


def test_refused_credentials_stop_the_run_and_leave_everything_due(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    ready(ledger, run, *"ABCDEF")
    tiny.faults.extend([Fault.UNAUTHORISED_401] * 50)
    with pytest.raises(
        PostingStoppedError, match=r"refuses every call \(credentials refused: 401.*; 6 repayments stay"
    ):
        new_poster().post(list("ABCDEF"))
    assert len(tiny.sent) <= QUICK.threads
    tiny.faults.clear()
    assert new_poster().post(list("ABCDEF")).to_dict()["posted"] == 6
    assert len(tiny.transactions) == 6


def test_credentials_refused_at_a_look_up_stop_the_run_and_cost_no_try(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.faults.append(Fault.DROPPED_AFTER)
    tiny.look_faults.extend([LookFault.DROPPED, LookFault.UNAUTHORISED_401])
    with pytest.raises(PostingStoppedError, match=r"refuses every call \(read back: 401"):
        new_poster().post(["A"])
    intent = pending(ledger, key)
    assert intent is not None
    assert (intent["state"], intent["tries"]) == ("unknown", 1)


def test_oldest_payment_first_and_one_call_in_flight_per_loan(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    for day in (9, 3, 7, 1, 5):
        add_payment(ledger, "A", business_date=date(2026, 1, day))
        add_payment(ledger, "B", business_date=date(2026, 1, day))
    claim(ledger, run)
    new_poster(replace(QUICK, threads=4)).post(["A", "B"])
    for loan in ("A", "B"):
        days = [sent["transactionDate"] for sent in tiny.sent if sent["loan"] == loan]
        assert days == [f"2026-01-0{day}" for day in (1, 3, 5, 7, 9)]


def test_spare_threads_never_put_more_calls_in_flight_than_allowed(
    ledger: WarehouseConnection, new_poster: NewPoster, run: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(ledger, run, *"ABCDEFGH")
    in_flight, most, lock = [0], [0], threading.Lock()
    post = FineractClient.post_repayment

    def count(step: int) -> None:
        with lock:
            in_flight[0] += step
            most[0] = max(most[0], in_flight[0])

    def post_slowly(client: FineractClient, repayment: Repayment, key: str) -> Answer:
        count(1)
        time.sleep(0.05)
        answer = post(client, repayment, key)
        count(-1)
        return answer

    monkeypatch.setattr(FineractClient, "post_repayment", post_slowly)
    report = new_poster(replace(QUICK, threads=2, spare_threads=4)).post(list("ABCDEFGH"))
    assert report.to_dict()["posted"] == 8
    assert most == [2]


def test_a_later_payment_waits_for_an_earlier_one_of_its_loan(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    first = add_payment(ledger, "A", business_date=date(2026, 1, 1))
    add_payment(ledger, "A", business_date=date(2026, 1, 2))
    claim(ledger, run)
    tiny.faults.extend([Fault.LOCKED_409, Fault.LOCKED_409])
    new_poster().post(["A"])
    assert [sent["externalId"] == first for sent in tiny.sent] == [True, True, True, False]


def test_what_is_blocked_after_the_claim_is_withdrawn_and_not_sent(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key, gone] = ready(ledger, run, "A", "B")
    block_payment(ledger, key, "not_collected")
    ledger.execute("delete from core.core_transaction_data where posting_key = %s", (gone,))
    assert new_poster().post(["A", "B"]).to_dict()["withdrawn"] == 2
    assert tiny.sent == []
    entries = [processed(ledger, each) for each in (key, gone)]
    assert [entry and entry["error_code"] for entry in entries] == ["not_collected", "superseded"]


def test_a_withdrawn_payment_that_is_released_is_posted_once(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    block_payment(ledger, key, "possible_duplicate")
    new_poster().post(["A"])
    block_payment(ledger, key, None)
    claim(ledger, run)
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert list(tiny.transactions) == [key]
    entry = processed(ledger, key)
    assert entry is not None
    assert entry["outcome"] == "posted"
    assert [each["outcome"] for each in archive(ledger, key)] == ["withdrawn", "posted"]


def test_a_question_asked_after_the_claim_withdraws_the_intent_before_any_build(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    ledger.execute(
        "insert into core.core_recon_exception (kind, subject, opened_by_run) values ('identity_conflict', %s, 'r')",
        (key,),
    )
    assert new_poster().post(["A"]).to_dict()["withdrawn"] == 1
    assert tiny.sent == []
    [ended] = archive(ledger, key)
    assert (ended["outcome"], ended["error_code"]) == ("withdrawn", "conflict")
    assert claim(ledger, run).claimed == 0


def test_money_that_may_have_moved_is_not_withdrawn_before_a_look_up_can_be_trusted(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.faults.append(Fault.DROPPED_BEFORE)
    lost_at: list[float] = []

    def block() -> None:
        lost_at.append(time.monotonic())
        block_payment(ledger, key, "not_collected")

    tiny.before_reply = block
    assert new_poster().post(["A"]).to_dict()["withdrawn"] == 1
    assert time.monotonic() - lost_at[0] >= QUICK.settling
    assert len(tiny.sent) == 1


def test_money_that_did_move_is_posted_even_if_it_is_blocked_by_now(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")
    tiny.faults.append(Fault.DROPPED_AFTER)
    tiny.look_faults.append(LookFault.DROPPED)
    tiny.before_reply = lambda: block_payment(ledger, key, "not_collected")
    assert new_poster().post(["A"]).to_dict()["posted"] == 1


def test_an_intent_left_in_flight_is_read_back_first_and_its_attempt_is_logged(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    ready(ledger, run, "A")
    tiny.faults.append(Fault.DROPPED_AFTER)
    new_poster().post(["A"])  # money is in Fineract; now make the ledger look as a killed worker leaves it
    ledger.execute("delete from core.core_transaction_data_processed")
    ledger.execute("delete from core.core_fineract_transaction_archive")
    ledger.execute("truncate raw.raw_fineract_api_log")
    claim(ledger, run)
    ledger.execute(
        "update core.core_fineract_pending_transactions"
        " set state = 'in_flight', tries = 1, fence = 1, last_try_at = now()"
    )
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert len(tiny.sent) == 1
    assert calls(ledger) == [("repayment", "interrupted"), ("read_back", "ok")]


def test_a_loan_leased_by_someone_else_is_waited_for_within_patience_and_left_after(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    ready(ledger, run, "A")
    [lease] = leases.acquire(ledger, ["A"], "LOS", 60)
    assert new_poster(replace(QUICK, wait_limit=0.2)).post(["A"]).to_dict()["still_open"] == {"queued": 1}
    threading.Timer(0.2, lambda: leases.release(ledger, lease)).start()
    assert new_poster().post(["A"]).to_dict()["posted"] == 1


def test_an_outcome_that_comes_home_after_the_lease_was_taken_over_is_dropped(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    [key] = ready(ledger, run, "A")

    def take_over() -> None:
        ledger.execute("update core.core_loan_lease set expires_at = clock_timestamp()")
        [other] = leases.acquire(ledger, ["A"], "another worker", 60)
        leases.release(ledger, other)
        tiny.before_reply = None

    tiny.before_reply = take_over
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert [purpose for purpose, _ in calls(ledger)] == ["repayment", "repayment", "read_back"]
    assert len(tiny.sent) == 1
    assert len(archive(ledger, key)) == 1


def test_nothing_is_sent_under_a_lease_that_is_about_to_run_out(tiny: TinyFineract, run: RunContext) -> None:
    intent = Intent(
        "0f" * 16, "gb", "A", date(2026, 1, 5), Decimal("5499.00"), 1, None,
        state=IntentState.QUEUED, attempt=1, tries=1, block=None, seconds_since_last_try=None,
    )  # fmt: skip
    repayment = Repayment(intent.posting_key, "A", intent.business_date, intent.amount, 1)
    client = new_client(tiny.url)(CollectedAudit(run))
    result = try_intent(intent, repayment, client, QUICK, may_send=lambda: False)
    assert result == Open(
        IntentState.QUEUED, "the lease was about to run out, or the run stopped", counts=False
    )
    assert tiny.sent == []


def test_two_runs_of_the_same_chunk_at_once_post_each_payment_once(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    loans = [f"L{number}" for number in range(30)]
    ready(ledger, run, *loans)
    runs = [
        threading.Thread(target=new_poster(replace(QUICK, threads=4)).post, args=(loans,)) for _ in range(3)
    ]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert len(tiny.sent) == 30
    counts = ledger.execute("select count(*) as n from core.core_transaction_data_processed").fetchone()
    assert counts == {"n": 30}


def taken(conn: WarehouseConnection, run: RunContext) -> tuple[str, Lease, Intent]:
    [key] = ready(conn, run, "A")
    [lease] = leases.acquire(conn, ["A"], "worker", 60)
    head = posting_ledger.take(conn, "A", "worker").head()
    assert head is not None
    assert head.intent is not None
    return key, lease, head.intent


def test_an_ending_under_another_fence_is_refused(ledger: WarehouseConnection, run: RunContext) -> None:
    key, lease, intent = taken(ledger, run)
    late = Lease("A", lease.fence - 1)
    with pytest.raises(LeaseLostError, match=f"under fence {late.fence} has been taken over"):
        posting_ledger.end(ledger, late, intent, Ended(PostingOutcome.POSTED, 1, 200), run).check()
    assert pending(ledger, key) is not None


def test_a_posted_payment_is_never_overwritten(ledger: WarehouseConnection, run: RunContext) -> None:
    key, lease, intent = taken(ledger, run)
    add_ending(ledger, key, "posted")
    with pytest.raises(LedgerError, match="or was posted already"), ledger.transaction():
        posting_ledger.end(ledger, lease, intent, Ended(PostingOutcome.FAILED), run).check()
    entry = processed(ledger, key)
    assert entry is not None
    assert entry["outcome"] == "posted"
    assert pending(ledger, key) is not None


def test_a_ledger_changed_by_hand_stops_the_chunk_with_a_reason(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    ready(ledger, run, "A")
    tiny.before_reply = lambda: ledger.execute("delete from core.core_fineract_pending_transactions") and None
    with pytest.raises(RuntimeError, match=r"no longer in core\.core_fineract_pending_transactions"):
        new_poster().post(["A"])


def test_a_loan_is_addressed_as_fineract_spells_it_and_its_number_is_checked(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    first, second = ready(ledger, run, "A", "B")
    for number, external_id in ((1, " a"), (77, "B")):  # the small Fineract answers with loan 1, always
        ledger.execute(
            "insert into raw.raw_fineract_loan_snapshot (fineract_loan_id, external_id, product_id, status_id, payload,"
            " payload_md5, taken_by_run) values (%s, %s, 1, 300, '{}', '', 'r')",
            (number, external_id),
        )
    assert new_poster().post(["A", "B"]).to_dict()["posted"] == 2
    assert {sent["loan"] for sent in tiny.sent} == {" a", "B"}
    # an answer of loan 1 proves nothing for loan 77: that one was read back
    logged = ledger.execute(
        "select subject, purpose from raw.raw_fineract_api_log order by call_id"
    ).fetchall()
    purposes = {key: [row["purpose"] for row in logged if row["subject"] == key] for key in (first, second)}
    assert purposes == {first: ["repayment"], second: ["repayment", "read_back"]}


def test_in_airflow_the_connections_say_where_to_post(
    ledger: WarehouseConnection,
    ledger_url: str,
    tiny: TinyFineract,
    run: RunContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in warehouse_connections(lambda _role: ledger_url).items():
        monkeypatch.setenv(name, value)
    connection = {"conn_type": "http", "host": tiny.url, "login": "mifos", "password": "password"}
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_FINERACT", json.dumps(connection))
    ready(ledger, run, "A")
    assert post_chunk(["A"], run, threads=4, wait_limit=5).to_dict()["posted"] == 1
