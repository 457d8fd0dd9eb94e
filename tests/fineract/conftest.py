"""What the tests of the Fineract room share."""

from collections.abc import Iterator

import pytest

from tests.fineract.tiny_fineract import TinyFineract, tiny_fineract
from turno_lms.domain.runs import RunContext


@pytest.fixture
def tiny() -> Iterator[TinyFineract]:
    with tiny_fineract() as server:
        yield server


@pytest.fixture
def run() -> RunContext:
    return RunContext("post_repayments", "manual__1", "post")
