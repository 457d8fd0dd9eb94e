"""A process that carries operations out and is killed: claims and works until nothing is left to do, then ends with status 0.

It runs the product's code. What is its own: where it dies (`--die-at after_send:7` is a SIGKILL to itself when the seventh
write has been answered, `add_charge:1` when the first of that operation has, `before_add_charge:1` when it is about to
leave) and, to show that the test notices, one planted bug (`--bug`). With `--atomic` the lender asks for new loans in one
batch each, whose purpose is `create_approve_disburse` and whose three outcomes `before_chain_commit` waits for.
"""

import argparse
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

from tests.fineract.loan_book import standin_client
from tests.los.fineract_book import QUICK, RUN, lenders_with
from turno_lms.domain.keys import los_key
from turno_lms.fineract.answers import Answer, Delivery
from turno_lms.fineract.client import FineractClient, Timeouts
from turno_lms.los import ledger, runner
from turno_lms.los.chain import LINKS, Chain
from turno_lms.los.model import Done, Outcome, Row, View
from turno_lms.los.protocol import Judged
from turno_lms.los.runner import LosRunner, _Drain
from turno_lms.warehouse.connection import connect

TIMEOUTS = Timeouts(connect=0.2, read=0.6)
# a lease lasts 2 x 0.8 s: what a killed process held is free again soon
SETTINGS = replace(QUICK, lease_calls=2.0, patience=6.0, most_tries=50)


def work_everything_off(warehouse_url: str, fineract_url: str, product_id: int, *, atomic: bool) -> None:
    worker = LosRunner(
        lambda: connect(warehouse_url, autocommit=True),
        lambda audit: standin_client(fineract_url, audit, TIMEOUTS),
        lenders_with(product_id, atomic_chain=atomic),
        RUN,
        SETTINGS,
    )
    with connect(warehouse_url, autocommit=True) as conn:
        ledger.claim(conn, RUN)
        for kind in ("client", "loan"):
            subjects = ledger.due_subjects(conn, kind)
            if subjects:
                worker.work(subjects)


def die_at(point: str, calls: int) -> None:
    """Kill this process the n-th time that it comes to a point of the protocol."""
    counter = count(1)
    send, store = FineractClient.send, _Drain._store

    def tick() -> None:
        if next(counter) == calls:
            os.kill(os.getpid(), signal.SIGKILL)

    def send_and_die(client: FineractClient, *given: Any, **named: Any) -> Answer:
        preview = named.get("purpose") == "preview_schedule"
        if (point == "before_send" and not preview) or point == f"before_{named.get('purpose')}":
            tick()
        answer = send(client, *given, **named)
        if (point == "after_send" and not preview) or point == named.get("purpose"):
            tick()
        return answer

    def store_and_die(drain: _Drain, outcomes: Any) -> None:
        if point == "before_commit" or (point == "before_chain_commit" and len(outcomes) == len(LINKS)):
            tick()
        store(drain, outcomes)

    FineractClient.send = send_and_die  # type: ignore[method-assign]  # this process is here to be broken
    _Drain._store = store_and_die  # type: ignore[method-assign]


# ---------------------------------------------------------------- planted bugs


def plant_new_external_id_per_try() -> None:
    """Each process has external ids and keys of its own: after a crash a charge is there twice."""
    salt = uuid4().hex
    Row.key = property(lambda row: los_key(row.operation, salt, row.reference))  # type: ignore[assignment,method-assign]


def plant_nothing_is_looked_at() -> None:
    """Fineract is never asked what it has: what is there is sent again, refused, and left for a person."""
    client = {"id": 1, "status": {"id": 300}}
    _Drain._look = lambda _, row, *__: View() if "loan_id" not in row.payload else View(client=client)  # type: ignore[method-assign]


def plant_lost_answer_taken_for_success() -> None:
    """A lost answer counts as done, without a look: what never happened is written off as done."""
    judge = runner.judge_answer

    def judge_lightly(row: Row, write: Any, answer: Answer, *given: Any) -> Judged:
        if answer.delivery is Delivery.LOST:
            return Judged(Done({}), View())
        return judge(row, write, answer, *given)

    runner.judge_answer = judge_lightly


def plant_lost_chain_taken_for_success() -> None:
    """The same for the batch of a new loan."""
    judge = runner.judge_chain

    def judge_lightly(chain: Chain, answer: Answer, view: View) -> list[Outcome]:
        return (
            [Done({}) for _ in chain.rows] if answer.delivery is Delivery.LOST else judge(chain, answer, view)
        )

    runner.judge_chain = judge_lightly


BUGS: dict[str, Callable[[], None]] = {
    "new_external_id_per_try": plant_new_external_id_per_try,
    "nothing_is_looked_at": plant_nothing_is_looked_at,
    "lost_answer_taken_for_success": plant_lost_answer_taken_for_success,
    "lost_chain_taken_for_success": plant_lost_chain_taken_for_success,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--fineract", required=True)
    parser.add_argument("--product", type=int, required=True)
    parser.add_argument("--die-at")
    parser.add_argument("--atomic", action="store_true")
    parser.add_argument("--bug", choices=sorted(BUGS))
    arguments = parser.parse_args()
    if arguments.bug:
        BUGS[arguments.bug]()
    if arguments.die_at:
        point, _, calls = arguments.die_at.partition(":")
        die_at(point, int(calls))
    work_everything_off(arguments.warehouse, arguments.fineract, arguments.product, atomic=arguments.atomic)


if __name__ == "__main__":
    main()
