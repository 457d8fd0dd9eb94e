"""The stand-in's state outlives it: a plain stop, and a kill in the middle of many calls."""

import subprocess
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import requests

from tests.contracts.fineract.contract_client import Borrower, Fineract, LoanAccount, unique

Start = Callable[[Path], AbstractContextManager[tuple[Fineract, "subprocess.Popen[bytes]"]]]


def test_a_restart_remembers_loans_external_ids_and_keys(start_standin: Start, tmp_path: Path) -> None:
    key = unique()
    with start_standin(tmp_path) as (server, _):
        loan = Borrower(server, server.client(), server.product()).active()
        paid = loan.paid("2025-02-05", 1120)
        first = loan.repay("2025-03-05", 1120, key)
    with start_standin(tmp_path) as (server, _):
        loan = LoanAccount(server, loan.external_id, loan.disbursed_on)
        assert loan.transaction(paid["externalId"]) == paid
        again = loan.repay("2025-03-05", 1120, key)
        assert (again.content, again.headers["x-served-from-cache"]) == (first.content, "true")
        assert loan.repay("2025-03-05", 1, externalId=paid["externalId"]).status_code == 400


def test_what_was_answered_before_a_kill_is_there_and_nothing_is_there_twice(
    start_standin: Start, tmp_path: Path
) -> None:
    answered: list[str] = []
    sent: list[str] = []
    with start_standin(tmp_path) as (server, process):
        loan = Borrower(server, server.client(), server.product()).active()

        def pay_until_killed() -> None:
            mine = LoanAccount(Fineract(server.base), loan.external_id, loan.disbursed_on)
            while True:
                external_id = unique()
                sent.append(external_id)
                try:
                    if mine.repay("2025-02-05", 1, unique(), externalId=external_id).status_code == 200:
                        answered.append(external_id)
                except requests.RequestException:
                    return

        payers = [threading.Thread(target=pay_until_killed) for _ in range(4)]
        for payer in payers:
            payer.start()
        while len(answered) < 100:
            payers[0].join(0.01)
        process.kill()
        for payer in payers:
            payer.join()
    with start_standin(tmp_path) as (server, _):
        loan = LoanAccount(server, loan.external_id, loan.disbursed_on)
        posted = [t["externalId"] for t in loan.repayments()]
        assert len(posted) == len(set(posted))
        assert set(answered) <= set(posted) <= set(sent)
        assert loan.look()["summary"]["totalRepayment"] == len(posted)
