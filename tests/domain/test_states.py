"""State machines: every edge of the tables is allowed and every other one is refused."""

from enum import StrEnum
from itertools import product

import pytest

from turno_lms.domain.states import (
    EXCEPTION_TRANSITIONS,
    FILE_TRANSITIONS,
    INTENT_TRANSITIONS,
    RESOLUTION_TRANSITIONS,
    STEP_TRANSITIONS,
    ExceptionLife,
    FileState,
    IllegalTransitionError,
    IntentState,
    ResolutionState,
    StepState,
    advance,
)


@pytest.mark.parametrize(
    ("states", "table"),
    [
        (FileState, FILE_TRANSITIONS),
        (IntentState, INTENT_TRANSITIONS),
        (ResolutionState, RESOLUTION_TRANSITIONS),
        (StepState, STEP_TRANSITIONS),
        (ExceptionLife, EXCEPTION_TRANSITIONS),
    ],
)
def test_a_state_changes_only_along_the_table(
    states: type[FileState | IntentState | ResolutionState | StepState],
    table: dict[StrEnum, frozenset[StrEnum]],
) -> None:
    assert set(table) == set(states)
    for current, new in product(states, states):
        if new in table[current]:
            assert advance(current, new) is new
        else:
            with pytest.raises(IllegalTransitionError):
                advance(current, new)


def test_a_loaded_file_is_never_unloaded() -> None:
    """Replayed, replaced, loaded again when its bytes come back: its rows stay through all of it."""
    loaded = {FileState.LOADED, FileState.LOADED_EMPTY, FileState.SUPERSEDED}
    for state in loaded:
        assert FILE_TRANSITIONS[state] <= loaded
    assert not FILE_TRANSITIONS[FileState.SAME_CONTENT]


def test_money_whose_fate_is_unknown_is_never_simply_queued_again() -> None:
    assert IntentState.QUEUED not in INTENT_TRANSITIONS[IntentState.UNKNOWN]


def test_a_step_that_may_have_run_is_never_sent_as_if_it_had_not() -> None:
    assert StepState.PENDING not in STEP_TRANSITIONS[StepState.SENT]
    assert StepState.DROPPED not in STEP_TRANSITIONS[StepState.SENT]


def test_a_resolution_that_touched_fineract_ends_done_or_undone() -> None:
    """From the first step on there is no way out to an ending that says Fineract is untouched."""
    reachable, left = set(), [ResolutionState.EXECUTING]
    while left:
        state = left.pop()
        reachable.add(state)
        left += [new for new in RESOLUTION_TRANSITIONS[state] if new not in reachable]
    ends = {state for state in reachable if not RESOLUTION_TRANSITIONS[state]}
    assert ends == {ResolutionState.COMPENSATED, ResolutionState.UNDONE}


def test_what_new_data_cleared_no_person_opens_again() -> None:
    assert not EXCEPTION_TRANSITIONS[ExceptionLife.CLEARED]
    assert EXCEPTION_TRANSITIONS[ExceptionLife.RESOLVED] == {ExceptionLife.OPEN}
