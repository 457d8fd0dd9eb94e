"""The switch: per lender and channel, asked at the claim and at the last look before sending."""

import pytest

from tests.fineract.tiny_fineract import Fault, TinyFineract
from tests.posting.conftest import NewPoster
from tests.posting.payments import add_payment, pending, post_by_stream, processed
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import SwitchState
from turno_lms.posting.claim import claim
from turno_lms.posting.plan import plan_chunks
from turno_lms.posting.switch import SwitchError, closed_switches, set_switch
from turno_lms.warehouse.connection import WarehouseConnection

NACH = "file:nach_response"


@pytest.fixture(autouse=True)
def lenders(ledger: WarehouseConnection) -> None:
    post_by_stream(ledger, "gb", NACH)
    post_by_stream(ledger, "ugro", NACH)


def switch(conn: WarehouseConnection, state: SwitchState, lender: str = "gb", channel: str = NACH) -> None:
    set_switch(conn, lender, channel, state, reason="drill", actor="meera")


@pytest.mark.parametrize("state", [SwitchState.STOPPED, SwitchState.DRAINING])
@pytest.mark.parametrize("pair", [("gb", NACH), ("gb", "*"), ("*", NACH), ("*", "*")])
def test_a_closed_channel_is_not_claimed_and_others_are(
    ledger: WarehouseConnection, run: RunContext, state: SwitchState, pair: tuple[str, str]
) -> None:
    add_payment(ledger, "A")
    add_payment(ledger, "U", lender="ugro")
    switch(ledger, state, *pair)
    assert claim(ledger, run).by_lender.keys() == ({"ugro"} if pair[0] == "gb" else set())
    switch(ledger, SwitchState.OPEN, *pair)
    assert "gb" in claim(ledger, run).by_lender


def test_what_is_queued_stays_queued_while_stopped_and_goes_out_while_draining(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    key = add_payment(ledger, "A")
    claim(ledger, run)
    switch(ledger, SwitchState.STOPPED)
    assert plan_chunks(ledger, 4) == []
    assert new_poster().post(["A"]).to_dict()["still_open"] == {"queued": 1}
    assert tiny.sent == []
    switch(ledger, SwitchState.DRAINING)
    assert plan_chunks(ledger, 4) == [["A"]]
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert processed(ledger, key) is not None


def test_a_channel_stopped_while_its_loan_is_worked_on_sends_nothing_more(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    add_payment(ledger, "A", "1.00")
    add_payment(ledger, "A", "2.00")
    claim(ledger, run)
    tiny.before_reply = lambda: switch(ledger, SwitchState.STOPPED)
    assert new_poster().post(["A"]).to_dict()["posted"] == 1  # the call in flight ends
    assert len(tiny.sent) == 1


def test_what_may_have_been_sent_is_read_back_while_stopped_and_not_sent_again(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    arrived, lost = add_payment(ledger, "A"), add_payment(ledger, "B")
    claim(ledger, run)
    tiny.before_reply = lambda: switch(ledger, SwitchState.STOPPED)
    tiny.faults.append(Fault.DROPPED_BEFORE)
    new_poster().post(["B"])
    intent = pending(ledger, lost)
    assert intent is not None
    assert (intent["state"], intent["last_error"]) == (
        "unknown",
        "posting is stopped for its lender and channel",
    )
    assert len(tiny.sent) == 1

    switch(ledger, SwitchState.OPEN)
    tiny.before_reply = None
    new_poster().post(["A"])
    ledger.execute(
        "delete from core.core_transaction_data_processed"
    )  # as a worker leaves it that was killed
    claim(ledger, run)
    ledger.execute(
        "update core.core_fineract_pending_transactions set state = 'in_flight', tries = 1 where posting_key = %s",
        (arrived,),
    )
    switch(ledger, SwitchState.STOPPED)
    assert plan_chunks(ledger, 4) == [["A"]]
    assert new_poster().post(["A"]).to_dict()["posted"] == 1
    assert len(tiny.sent) == 2


def test_the_newest_word_stands_and_needs_a_reason_and_something_that_posts(
    ledger: WarehouseConnection,
) -> None:
    switch(ledger, SwitchState.STOPPED)
    switch(ledger, SwitchState.DRAINING)
    assert [
        (row["lender"], row["channel"], row["state"], row["set_by"]) for row in closed_switches(ledger)
    ] == [("gb", NACH, "draining", "meera")]
    switch(ledger, SwitchState.OPEN)
    assert closed_switches(ledger) == []
    with pytest.raises(SwitchError, match="needs a reason"):
        set_switch(ledger, "gb", NACH, SwitchState.STOPPED, reason=" ", actor="meera")
    with pytest.raises(SwitchError, match="gb razorpay posts nothing; what posts: gb file:nach_response"):
        switch(ledger, SwitchState.STOPPED, channel="razorpay")
