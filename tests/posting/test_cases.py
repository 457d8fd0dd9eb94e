"""What people do about a repayment that posting could not end."""

import re
import threading

import pytest

from tests.fineract.tiny_fineract import Fault, TinyFineract
from tests.posting.conftest import NewPoster, new_client
from tests.posting.payments import add_payment, archive, pending, processed
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import PostingOutcome, RepaymentKind
from turno_lms.fineract.audit import CollectedAudit
from turno_lms.fineract.repayments import Finding
from turno_lms.posting import cases
from turno_lms.posting.cases import CaseError
from turno_lms.posting.claim import claim
from turno_lms.warehouse.connection import WarehouseConnection, connect

MEERA = RunContext("decide_repayment", "manual__2", "decide", actor="meera")


@pytest.fixture
def doubtful(ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext) -> str:
    """The key of a payment that Fineract took for approval and that so ended in doubt."""
    key = add_payment(ledger, "A")
    claim(ledger, run)
    tiny.faults.append(Fault.MAKER_CHECKER_200)
    new_poster().post(["A"])
    return key


@pytest.fixture
def refused(ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext) -> str:
    """The key of a payment that Fineract refused."""
    key = add_payment(ledger, "A")
    claim(ledger, run)
    tiny.faults.append(Fault.REFUSED_400)
    new_poster().post(["A"])
    return key


def test_a_look_says_what_fineract_holds_and_changes_nothing(
    ledger: WarehouseConnection, tiny: TinyFineract, run: RunContext, doubtful: str
) -> None:
    client = new_client(tiny.url)(CollectedAudit(run))
    assert cases.look(ledger, client, doubtful)[0] is Finding.ABSENT
    intent = pending(ledger, doubtful)
    assert intent is not None
    assert intent["state"] == "in_doubt"
    with pytest.raises(CaseError, match="is not in the queue"):
        cases.look(ledger, client, "0" * 32)


def test_a_retry_is_read_back_then_sent_and_closes_the_question(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, doubtful: str
) -> None:
    cases.retry(ledger, doubtful, "the checker rejected it", "meera")
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    purposes = ledger.execute("select purpose from raw.raw_fineract_api_log order by call_id").fetchall()
    assert [row["purpose"] for row in purposes] == ["repayment", "read_back", "read_back", "repayment"]
    assert cases.parked(ledger) == []


def test_settling_needs_evidence_and_records_who_and_what(
    ledger: WarehouseConnection, tiny: TinyFineract, doubtful: str
) -> None:
    with pytest.raises(CaseError, match="needs the id of the transaction"):
        cases.settle(ledger, doubtful, PostingOutcome.POSTED, "seen", MEERA)
    with pytest.raises(CaseError, match="reason or evidence"):
        cases.settle(ledger, doubtful, PostingOutcome.FAILED, "  ", MEERA)
    cases.settle(
        ledger, doubtful, PostingOutcome.POSTED, "checker approved it, screen of 6 January", MEERA,
        fineract_transaction_id=77,
    )  # fmt: skip
    entry = processed(ledger, doubtful)
    assert entry is not None
    assert (entry["outcome"], entry["fineract_transaction_id"]) == ("posted", 77)
    [archived] = archive(ledger, doubtful)
    assert (archived["ended_by"], archived["error_message"]) == (
        "meera",
        "checker approved it, screen of 6 January",
    )
    assert pending(ledger, doubtful) is None
    with pytest.raises(CaseError, match="not in the queue, not in doubt"):
        cases.settle(ledger, doubtful, PostingOutcome.FAILED, "again", MEERA)


def test_only_what_is_in_doubt_is_retried_or_settled(ledger: WarehouseConnection, run: RunContext) -> None:
    key = add_payment(ledger, "A")
    claim(ledger, run)
    with pytest.raises(CaseError, match="is queued, not in doubt"):
        cases.retry(ledger, key, "why not", "meera")


def test_a_refused_repayment_is_parked_with_reason_and_age_and_never_sent_by_itself(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext, refused: str
) -> None:
    claim(ledger, run)
    new_poster().post(["A"])
    assert len(tiny.sent) == 1
    [row] = cases.parked(ledger)
    assert (row["kind"], row["posting_key"], row["days"]) == ("posting_failed", refused, 0)
    assert "error.msg.loan" in row["reason"]


def test_a_refused_repayment_is_posted_again_under_its_next_attempt_and_the_same_external_id(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, refused: str
) -> None:
    cases.repost(ledger, refused, RepaymentKind.REPAYMENT, "the loan was activated", MEERA)
    with pytest.raises(CaseError, match="queued again already"):
        cases.repost(ledger, refused, RepaymentKind.REPAYMENT, "twice", MEERA)
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert [sent["key"] for sent in tiny.sent] == [f"{refused}-a1", f"{refused}-a2"]
    assert {sent["externalId"] for sent in tiny.sent} == {refused}
    assert [each["outcome"] for each in archive(ledger, refused)] == ["failed", "posted"]
    assert cases.parked(ledger) == []


def test_a_repayment_that_a_worker_is_ending_as_posted_is_not_queued_again(
    ledger: WarehouseConnection, ledger_url: str, tiny: TinyFineract, refused: str
) -> None:
    cases.repost(ledger, refused, RepaymentKind.REPAYMENT, "mended", MEERA)
    refusals: list[str] = []

    def repost_again() -> None:
        with connect(ledger_url, autocommit=True) as conn:
            try:
                cases.repost(conn, refused, RepaymentKind.REPAYMENT, "impatient", MEERA)
            except CaseError as refusal:
                refusals.append(str(refusal))

    with connect(ledger_url) as worker:
        worker.execute("delete from core.core_fineract_pending_transactions")
        person = threading.Thread(target=repost_again)
        person.start()
        person.join(0.3)
        worker.execute("update core.core_transaction_data_processed set outcome = 'posted'")
    person.join()
    assert "did not end as failed" in refusals[0]
    assert pending(ledger, refused) is None


def test_money_on_a_written_off_loan_is_posted_as_a_recovery(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, refused: str
) -> None:
    cases.repost(ledger, refused, RepaymentKind.RECOVERY, "written off in March", MEERA)
    new_poster().post(["A"])
    entry = processed(ledger, refused)
    assert entry is not None
    assert (entry["outcome"], entry["kind"]) == ("posted", "recovery")
    paths = ledger.execute("select path from raw.raw_fineract_api_log order by call_id").fetchall()
    assert [row["path"].rpartition("=")[2] for row in paths] == ["repayment", "recoverypayment"]


def test_a_posted_repayment_cannot_be_posted_again(
    ledger: WarehouseConnection, new_poster: NewPoster, run: RunContext
) -> None:
    key = add_payment(ledger, "A")
    claim(ledger, run)
    new_poster().post(["A"])
    with pytest.raises(CaseError, match="did not end as failed"):
        cases.repost(ledger, key, RepaymentKind.REPAYMENT, "again", MEERA)


def test_what_is_listed_as_parked_are_the_kinds_that_posting_asks_about() -> None:
    listed = cases.PARKED.partition("question.kind in")[2]
    assert set(re.findall(r"'([a-z_]+)'", listed)) == set(map(str, cases.PARKED_KINDS))
