"""A warehouse with payments to post, and a small Fineract with a script of faults."""

from collections.abc import Callable, Iterator

import pytest
import requests

from tests.fineract.tiny_fineract import TinyFineract, tiny_fineract
from tests.posting.payments import create_transaction_table
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.audit import AuditSink
from turno_lms.fineract.client import FineractClient, Timeouts
from turno_lms.posting.settings import PostingSettings
from turno_lms.posting.worker import Poster
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

# no wait is longer than a blink, and every loan's patience is spent soon
QUICK = PostingSettings(
    threads=2, wait_limit=3.0, lease_calls=10.0, settling=0.2, most_tries=6, first_wait=0.001, longest_wait=0.01,
    not_yet_wait=0.01, lease_wait=0.05,
)  # fmt: skip


@pytest.fixture
def tiny() -> Iterator[TinyFineract]:
    with tiny_fineract() as server:
        yield server


@pytest.fixture
def run() -> RunContext:
    return RunContext("post_repayments", "manual__1", "post", 0)


@pytest.fixture
def ledger_url(warehouse_url: str, warehouse_role_url: Callable[[str], str]) -> str:
    """A warehouse with an empty core_transaction_data, as the application's role sees it."""
    with connect(warehouse_url) as conn:
        create_transaction_table(conn)
    return warehouse_role_url(Role.POSTER)


@pytest.fixture
def ledger(ledger_url: str, warehouse_url: str) -> Iterator[WarehouseConnection]:
    """An autocommit connection for the test itself."""
    with connect(warehouse_url, autocommit=True) as conn:
        yield conn


def new_client(url: str) -> Callable[[AuditSink], FineractClient]:
    """Clients for a server that asks for no credentials."""
    return lambda audit: FineractClient(url, requests.Session(), audit, Timeouts(connect=1, read=1))


NewPoster = Callable[..., Poster]


@pytest.fixture
def new_poster(ledger_url: str, tiny: TinyFineract, run: RunContext) -> NewPoster:
    """Of settings to a Poster between the test's warehouse and the small Fineract."""
    return lambda settings=QUICK: Poster(
        lambda: connect(ledger_url, autocommit=True), new_client(tiny.url), run, settings
    )
