"""Fixtures of this room."""

from collections.abc import Iterator

import pytest

from tests.gateways.standin import Standin, running_standin


@pytest.fixture
def standin() -> Iterator[Standin]:
    """A stand-in for the gateways, without payments."""
    with running_standin() as running:
        yield running
