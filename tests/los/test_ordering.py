"""The order of operations: whatever order submissions come in and however runs cut them, a loan's life is the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turno_lms.domain.states import LosReason, LosState
from turno_lms.los.model import Json, Refuse, Row, View
from turno_lms.los.ordering import AllWait, Recognised, Settle, Take, Turn, in_order, next_turn
from turno_lms.los.registry import REGISTRY

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
LIFE = ("create_loan", "approve_loan", "disburse_loan", "foreclose_loan")
TARGET = {
    "create_loan": 100, "approve_loan": 200, "disburse_loan": 300, "foreclose_loan": 600, "reject_loan": 500,
    "undo_approval": 100, "undo_disbursal": 200,
}  # fmt: skip
NAMES = {100: "Submitted", 200: "Approved", 300: "Active", 500: "Rejected", 600: "Closed"}
PAYLOAD = {
    "loan_id": "L", "client_id": "C", "lender": "axle", "principal": "12000", "number_of_repayments": 12,
    "submitted_on": "2025-01-02", "expected_disbursement_on": "2025-01-05", "approved_on": "2025-01-03",
    "disbursed_on": "2025-01-05", "amount": "12000", "foreclosed_on": "2025-03-05", "rejected_on": "2025-01-03",
}  # fmt: skip


def row(operation: str, minute: int = 0, reference: str | None = None, **changes: object) -> Row:
    reference = reference or f"{operation}-{minute}"
    made = Row(
        operation,
        UUID(int=hash((operation, reference)) % 2**100),
        "los",
        reference,
        PAYLOAD,
        NOON + timedelta(minutes=minute),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Loan:
    """A loan as Fineract would have it: the operations change its status, and nothing else can."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.history: list[str] = []

    @property
    def view(self) -> View:
        client = {"id": 1, "status": {"id": 300}}
        if self.status is None:
            return View(None, client)
        loan: Json = {
            "id": 7, "status": {"id": self.status, "value": NAMES[self.status]}, "clientExternalId": "C",
            "proposedPrincipal": 12000, "principal": 12000, "approvedPrincipal": 12000, "numberOfRepayments": 12,
            "timeline": {"submittedOnDate": [2025, 1, 2]},
        }  # fmt: skip
        if self.status in {200, 300, 600}:
            loan["timeline"]["approvedOnDate"] = [2025, 1, 3]
        if self.status in {300, 600}:
            loan["timeline"]["actualDisbursementDate"] = [2025, 1, 5]
        if self.status == 600:
            loan["timeline"]["closedOnDate"], loan["subStatus"] = [2025, 3, 5], {"id": 100}
        return View(loan, client)

    def carry_out(self, taken: Row) -> None:
        assert self.status in REGISTRY[taken.operation].ready, f"{taken.operation} at {self.status}"
        self.status = TARGET[taken.operation]
        self.history.append(taken.operation)


def drain(loan: Loan, rows: Sequence[Row]) -> list[Row]:
    """Turn by turn, as the runner does; returns what is left waiting."""
    left = list(rows)
    while left:
        turn: Turn = next_turn(left, loan.view)
        if isinstance(turn, AllWait):
            return left
        if isinstance(turn, Take):
            loan.carry_out(turn.row)
        left = [each for each in left if each is not turn.row]
    return left


@given(st.permutations(LIFE), st.lists(st.integers(0, 3), max_size=3))
def test_a_life_in_any_order_and_any_runs_is_the_same_life(order: list[str], cuts: list[int]) -> None:
    rows = [row(operation, minute) for minute, operation in enumerate(order)]
    loan, left, start = Loan(), [], 0
    for cut in [*sorted(cuts), len(rows)]:
        left = drain(loan, [*left, *rows[start:cut]])
        start = max(start, cut)
    assert loan.history == list(LIFE)
    assert left == []


@given(st.permutations(LIFE))
def test_what_came_together_goes_by_its_rank(order: list[str]) -> None:
    """One list to the receiver is one moment: the life cycle decides."""
    assert [each.operation for each in in_order([row(operation) for operation in order])] == list(LIFE)


@given(st.lists(st.integers(0, 5), max_size=6))
def test_undoing_and_doing_again_follows_the_order_of_submission(cuts: list[int]) -> None:
    script = (
        "create_loan",
        "approve_loan",
        "undo_approval",
        "approve_loan",
        "disburse_loan",
        "undo_disbursal",
    )
    rows = [row(operation, minute) for minute, operation in enumerate(script)]
    loan, left, start = Loan(), [], 0
    for cut in [*sorted(cuts), len(rows)]:
        left = drain(loan, [*left, *rows[start:cut]])
        start = max(start, cut)
    assert loan.history == list(script)
    assert (left, loan.status) == ([], 200)


@given(st.lists(st.sampled_from(sorted(TARGET)), max_size=8))
def test_nothing_is_ever_sent_in_a_state_that_does_not_allow_it(script: list[str]) -> None:
    loan = Loan()
    left = drain(loan, [row(operation, minute, f"r{minute}") for minute, operation in enumerate(script)])
    assert all(loan.status in REGISTRY[each.operation].early for each in left)


@pytest.mark.parametrize("operation", LIFE)
def test_the_same_under_another_reference_is_recognised(operation: str) -> None:
    loan = Loan()
    drain(loan, [row(each, minute) for minute, each in enumerate(LIFE[: LIFE.index(operation) + 1])])
    assert isinstance(next_turn([row(operation, 9, "again")], loan.view), Recognised)


def test_what_may_have_been_sent_is_looked_at_first() -> None:
    loan = Loan()
    drain(loan, [row("create_loan"), row("approve_loan")])
    sent = row("disburse_loan", 5, state=LosState.UNKNOWN)
    turn = next_turn([row("add_charge", 1), sent], loan.view)
    assert isinstance(turn, Take)
    assert turn.row is sent


def test_an_undoing_that_was_sent_is_done_when_its_effect_is_there() -> None:
    loan = Loan()
    drain(loan, [row("create_loan")])
    assert isinstance(next_turn([row("undo_approval")], loan.view), AllWait)
    assert isinstance(next_turn([row("undo_approval", state=LosState.UNKNOWN)], loan.view), Recognised)


def test_what_comes_too_late_is_refused_with_the_loans_days() -> None:
    loan = Loan()
    drain(loan, [row(each, minute) for minute, each in enumerate(LIFE)])
    late = row("approve_loan", 9, payload={**PAYLOAD, "approved_on": "2025-01-04"})
    turn = next_turn([late], loan.view)
    assert isinstance(turn, Settle)
    assert isinstance(turn.outcome, Refuse)
    assert turn.outcome.reason is LosReason.STATE_PASSED
    assert "approved 2025-01-03" in turn.outcome.message


def test_each_operation_is_one_entry_and_one_schema() -> None:
    from turno_lms.los.schemas import schema_folder, schema_of

    schemas = {path.stem for path in schema_folder().glob("*.json")} - {"definitions"}
    assert schemas == set(REGISTRY)
    for name, operation in REGISTRY.items():
        assert schema_of(name)["title"] == name
        assert f"{operation.subject}_id" in schema_of(name)["required"]
        assert not operation.ready & operation.early
    ranks = [operation.rank for operation in REGISTRY.values()]
    assert ranks == sorted(set(ranks))
