"""The pure parts: references, selections, the token bucket, what an answer does to a state, what a policy may say."""

from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turno_lms.domain.states import LINK_TRANSITIONS, LIVE_LINK_STATES, LinkPurpose, LinkState, advance
from turno_lms.payment_links.evidence import next_state
from turno_lms.payment_links.http import masked, without_personal_data
from turno_lms.payment_links.links import GatewayStatus, same_contact
from turno_lms.payment_links.references import (
    MAX_LENGTH,
    BadReferenceError,
    Reference,
    make_reference,
    parse_reference,
)
from turno_lms.payment_links.selection import Selection, SelectionError, read_selection
from turno_lms.payment_links.token_bucket import TokenBucket
from turno_lms.warehouse.connection import WarehouseConnection

LOANS = st.from_regex(r"[A-Z0-9-]{1,25}", fullmatch=True)
DAYS = st.dates(date(2000, 1, 1), date(2068, 12, 31))


@given(LOANS, DAYS, st.sampled_from(LinkPurpose), st.integers(1, 9999))
def test_a_reference_says_what_it_was_made_of(
    loan: str, due: date, purpose: LinkPurpose, attempt: int
) -> None:
    text = make_reference(loan, due, purpose, attempt)
    assert parse_reference(text) == Reference(loan, purpose, due, attempt)
    assert make_reference(loan, due, purpose, attempt) == text
    assert len(text) <= MAX_LENGTH
    assert text.split("_")[0] == loan  # as the mapping's rule takes it: separator _, part 1


def test_a_known_reference() -> None:
    assert make_reference("GB100234", date(2026, 1, 5), LinkPurpose.EMI, 1) == "GB100234_E260105_1"


@pytest.mark.parametrize("loan", ["", "GB_100234", "gb100234", "GB 1", "A" * 31])
def test_a_loan_id_that_would_make_an_ambiguous_reference_is_refused(loan: str) -> None:
    with pytest.raises(BadReferenceError):
        make_reference(loan, date(2026, 1, 5), LinkPurpose.EMI, 1)


@pytest.mark.parametrize(
    "text", ["GB100234", "GB100234_E260105", "GB1_X260105_1", "GB1_E261305_1", "GB1_E260105_0"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(BadReferenceError):
        parse_reference(text)


def test_a_selection_is_made_in_one_way() -> None:
    assert read_selection(" axl1, AXL2\nAXL1 ", None, None) == Selection(["AXL1", "AXL2"])
    assert read_selection(None, "name,Loan_Id\nx, axl1\ny,AXL2\n", None) == Selection(["AXL1", "AXL2"])
    assert read_selection(None, None, 0) == Selection(overdue_days=0)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ((None, None, None), "in one way"),
        (("AXL1", None, 3), "in one way"),
        ((" , ", None, None), "no loan is named"),
        ((None, "loan\nAXL1", None), "line 1: the heading must hold loan_id"),
        ((None, "loan_id,x\nAXL1,1\n,2", None), "line 3: loan_id is missing"),
        ((None, 'loan_id\n"AXL1', None), "no CSV"),
    ],
)
def test_a_selection_that_cannot_be_used_says_why(
    given: tuple[str | None, str | None, int | None], complaint: str
) -> None:
    with pytest.raises(SelectionError, match=complaint):
        read_selection(*given)


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


def test_a_bucket_lets_a_seconds_worth_through_and_then_keeps_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(5, clock.now, clock.wait)
    clock.seconds += 60  # idle: no more than one second's worth is saved up
    for _ in range(5):
        bucket.take()
    assert clock.seconds == pytest.approx(160)
    for _ in range(50):
        bucket.take()
    assert clock.seconds == pytest.approx(170)
    bucket.pause(30)
    bucket.take()
    assert clock.seconds == pytest.approx(200)
    with pytest.raises(ValueError, match="at least 1"):
        TokenBucket(0)


def test_every_answer_leads_along_the_table_and_money_is_never_unsaid() -> None:
    for current, seen in product(LinkState, GatewayStatus):
        new = next_state(current, seen)
        assert new is current or advance(current, new) is new
        if current is LinkState.PAID:
            assert new is LinkState.PAID
        if seen is GatewayStatus.PAID and current not in {
            LinkState.PLANNED, LinkState.FAILED, LinkState.WITHDRAWN,
        }:  # fmt: skip
            assert new is LinkState.PAID


def test_an_ended_link_never_becomes_payable_again() -> None:
    for state in set(LinkState) - LIVE_LINK_STATES:
        assert not LINK_TRANSITIONS[state] & LIVE_LINK_STATES


def test_the_index_of_the_database_and_the_code_mean_the_same_by_live(warehouse: WarehouseConnection) -> None:
    row = warehouse.execute(
        "select indexdef from pg_indexes where indexname = 'core_payment_link_one_live'"
    ).fetchone()
    definition = (row or {})["indexdef"]
    assert "UNIQUE" in definition
    assert "(loan_id, due_on, purpose)" in definition
    assert {state for state in LinkState if f"'{state}'" in definition} == LIVE_LINK_STATES


def test_phones_are_compared_by_their_last_ten_digits() -> None:
    assert same_contact("+91 90000-00001", "9000000001")
    assert same_contact(None, "9000000001")
    assert not same_contact("9000000001", "9000000002")


def test_personal_data_is_masked_in_bodies_and_messages() -> None:
    body = {"customer": {"name": "Asha", "contact": "9000000001"}, "reference_id": "AXL300001_E260105_1"}
    assert masked(body) == {
        "customer": {"name": "***", "contact": "***"},
        "reference_id": "AXL300001_E260105_1",
    }
    told = without_personal_data(
        "contact +91 90000 00001 of asha@example.in is wrong for AXL300001_E260105_1"
    )
    assert told == "contact *** of *** is wrong for AXL300001_E260105_1"
    assert without_personal_data("expires 2026-12-03T14:30:00+05:30") == "expires 2026-12-03T14:30:00+05:30"
