"""Fineract down: the chunk waits and goes on by itself; when its patience is spent, nothing is lost."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from local_stack.processes import free_port
from tests.fineract.tiny_fineract import BASE, TinyFineract, tiny_fineract
from tests.posting.conftest import QUICK, new_client
from tests.posting.payments import add_payment
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.audit import CollectedAudit
from turno_lms.posting.claim import claim
from turno_lms.posting.outage import Outage
from turno_lms.posting.settings import PostingSettings
from turno_lms.posting.worker import Poster, PostingReport, PostingStoppedError
from turno_lms.warehouse.connection import WarehouseConnection, connect

LOANS = [f"L{number}" for number in range(8)]


@pytest.fixture
def queued(ledger: WarehouseConnection, run: RunContext) -> None:
    for loan in LOANS:
        add_payment(ledger, loan)
    claim(ledger, run)


def post(ledger_url: str, port: int, run: RunContext, settings: PostingSettings) -> PostingReport:
    url = f"http://127.0.0.1:{port}{BASE}"
    return Poster(lambda: connect(ledger_url, autocommit=True), new_client(url), run, settings).post(LOANS)


@pytest.mark.usefixtures("queued")
def test_the_chunk_waits_for_fineract_and_goes_on(ledger_url: str, run: RunContext) -> None:
    port = free_port()
    done: list[PostingReport] = []
    waiting = threading.Thread(
        target=lambda: done.append(post(ledger_url, port, run, replace(QUICK, wait_limit=20)))
    )
    waiting.start()
    time.sleep(0.5)
    with tiny_fineract(port) as tiny:
        waiting.join()
        assert done[0].to_dict()["posted"] == len(LOANS)
        assert len(tiny.sent) == len(LOANS)


@pytest.mark.usefixtures("queued")
def test_when_patience_is_spent_everything_stays_due_for_the_next_run(
    ledger: WarehouseConnection, ledger_url: str, run: RunContext
) -> None:
    port = free_port()
    settings = replace(QUICK, wait_limit=0.3, first_wait=0.05, longest_wait=0.1)
    with pytest.raises(
        PostingStoppedError, match=r"Fineract was down for 0 s .*; 8 repayments stay in the queue"
    ):
        post(ledger_url, port, run, settings)
    rows = ledger.execute(
        "select distinct state, tries from core.core_fineract_pending_transactions"
    ).fetchall()
    assert rows == [{"state": "queued", "tries": 0}]  # an outage costs no try
    with tiny_fineract(port):
        assert post(ledger_url, port, run, QUICK).to_dict()["posted"] == len(LOANS)


def test_the_others_go_on_as_soon_as_one_thread_has_an_answer(tiny: TinyFineract, run: RunContext) -> None:
    outage = Outage(replace(QUICK, first_wait=0.4, longest_wait=0.4))
    clients = [new_client(tiny.url)(CollectedAudit(run)) for _ in range(6)]
    started = time.monotonic()
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(outage.wait_until_up, clients)) == [True] * 6
    # one wait of 0.2 to 0.4 s for all; one after the other they would take at least 6 x 0.2 s
    assert time.monotonic() - started < 1.0
