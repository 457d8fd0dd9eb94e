"""Fixtures of this room: a stand-in for the gateways, and a warehouse with one lender and its account there."""

from collections.abc import Iterator
from itertools import count

import pytest

from local_stack.databases import Databases
from tests.gateways.standin import Standin, running_standin
from tests.payment_links.desk import Desk
from turno_lms.warehouse.connection import Role, connect

_numbers = count(1)
_WRITTEN = """
truncate core.core_payment_link, core.core_payment_link_payment, core.core_payment_link_reading, raw.raw_payment_link_call,
raw.raw_razorpay_api, raw.raw_cashfree_api, raw.raw_fineract_loan_snapshot, core.core_payment_identity,
core.core_transaction_data_processed, core.core_fineract_pending_transactions, core.core_recon_exception restart identity
cascade
"""


@pytest.fixture(scope="module")
def standin() -> Iterator[Standin]:
    """One for the tests of a module: references are taken once, so each test has loans of its own."""
    with running_standin() as running:
        yield running


@pytest.fixture(scope="module")
def links_database(postgres_server: Databases, warehouse_template: str) -> Iterator[str]:
    """The name of a warehouse for the tests of a module."""
    name = f"payment_links_{next(_numbers)}"
    postgres_server.ensure_database(name, template=warehouse_template)
    yield name
    with connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")


@pytest.fixture
def desk(postgres_server: Databases, links_database: str, standin: Standin) -> Iterator[Desk]:
    """Axle's links at Razorpay, under the role that has them in production, with nothing in them and no faults."""
    app_url = postgres_server.url(links_database, Role.POSTER)
    with (
        connect(postgres_server.url(links_database), autocommit=True) as conn,
        connect(app_url, autocommit=True) as app,
    ):
        conn.execute(_WRITTEN)
        standin.calm()
        yield Desk(conn, app, app_url, standin)
    standin.calm()
