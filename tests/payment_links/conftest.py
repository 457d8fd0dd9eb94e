"""Fixtures of this room: a stand-in for the gateways, and a warehouse with one lender and its account there."""

from collections.abc import Callable, Iterator

import pytest

from tests.gateways.standin import Standin, running_standin
from tests.payment_links.desk import Desk
from turno_lms.warehouse.connection import WarehouseConnection, connect


@pytest.fixture(scope="module")
def standin() -> Iterator[Standin]:
    """One for the tests of a module: references are taken once, so each test has loans of its own."""
    with running_standin() as running:
        yield running


@pytest.fixture
def desk(
    warehouse: WarehouseConnection, warehouse_role_url: Callable[[str], str], standin: Standin
) -> Iterator[Desk]:
    """Axle's links at Razorpay, under the role that has them in production, without faults."""
    warehouse.autocommit = True
    standin.calm()
    with connect(warehouse_role_url("turno_app"), autocommit=True) as app:
        yield Desk(warehouse, app, warehouse_role_url("turno_app"), standin)
    standin.calm()
