"""A posting process to be killed: claims, plans and posts until nothing is left, then ends with status 0.

It runs the product's code. What is its own: where it dies (`--die-at before_send:7` is a SIGKILL to itself before the
seventh repayment leaves) and, to show that the campaign notices, one planted bug (`--bug`).
"""

import argparse
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

from tests.fineract.loan_book import standin_client
from turno_lms.domain.runs import RunContext
from turno_lms.fineract import leases
from turno_lms.fineract.answers import Answer, Delivery
from turno_lms.fineract.audit import AuditSink
from turno_lms.fineract.client import FineractClient, Timeouts
from turno_lms.fineract.outcomes import Rule, Verdict
from turno_lms.fineract.repayments import Agreement, Repayment
from turno_lms.posting import claim as claim_module
from turno_lms.posting import ledger, protocol
from turno_lms.posting.claim import claim
from turno_lms.posting.plan import plan_chunks
from turno_lms.posting.settings import PostingSettings
from turno_lms.posting.worker import Poster
from turno_lms.warehouse.connection import connect

# a lease lasts 3 x 0.8 s: what a killed process held is free again soon
TIMEOUTS = Timeouts(connect=0.3, read=0.5)
SETTINGS = PostingSettings(
    threads=4, wait_limit=30.0, settling=1.5, most_tries=1000, first_wait=0.02, longest_wait=0.2, lease_wait=0.1,
)  # fmt: skip
CHUNKS = 2
PAUSE = 0.1


def post_everything(warehouse_url: str, fineract_url: str) -> None:
    run = RunContext("faults", "the same run", "post")

    def new_client(audit: AuditSink) -> FineractClient:
        return standin_client(fineract_url, audit, TIMEOUTS)

    poster = Poster(lambda: connect(warehouse_url, autocommit=True), new_client, run, SETTINGS)
    with connect(warehouse_url, autocommit=True) as conn:
        claim(conn, run)
        while conn.execute("select 1 from core.core_fineract_pending_transactions limit 1").fetchone():
            for loan_ids in plan_chunks(conn, CHUNKS):
                poster.post(loan_ids)
            time.sleep(PAUSE)


# ---------------------------------------------------------------- dying


def dies(calls: int) -> Callable[[], None]:
    """A counter that kills this process when it is called for the n-th time."""
    counter = count(1)

    def tick() -> None:
        if next(counter) == calls:
            os.kill(os.getpid(), signal.SIGKILL)

    return tick


def die_at(point: str, calls: int) -> None:
    """Kill this process the n-th time that it comes to a point of the protocol."""
    tick = dies(calls)
    post, end = FineractClient.post_repayment, ledger.end

    def post_and_die(client: FineractClient, repayment: Repayment, key: str) -> Answer:
        if point == "before_send":
            tick()
        answer = post(client, repayment, key)
        if point == "after_send":
            tick()
        return answer

    def end_and_die(*arguments: Any, **named: Any) -> ledger.Written:
        written = end(*arguments, **named)
        if point == "before_commit":
            tick()
        return written

    FineractClient.post_repayment = post_and_die  # type: ignore[method-assign]  # this process is here to be broken
    ledger.end = end_and_die


# ---------------------------------------------------------------- planted bugs


def plant_new_external_id_per_try() -> None:
    """Each try goes out under an external id of its own, and no one minds the answer's: money goes twice."""
    post = FineractClient.post_repayment

    def post_anew(client: FineractClient, repayment: Repayment, key: str) -> Answer:
        fresh = uuid4().hex
        answer = post(client, replace(repayment, external_id=fresh), f"{fresh}-a1")
        if isinstance(answer.body, dict) and "resourceExternalId" in answer.body:
            return replace(answer, body={**answer.body, "resourceExternalId": repayment.external_id})
        return answer

    FineractClient.post_repayment = post_anew  # type: ignore[method-assign]


def plant_lost_answer_taken_for_success() -> None:
    """A lost answer counts as posted, without a look-up: money that never arrived is written off as done."""
    send = protocol._send

    def send_and_hope(
        client: FineractClient, repayment: Repayment, idempotency_key: str
    ) -> protocol.Judgement:
        answers: list[Answer] = []
        post = client.post_repayment
        client.post_repayment = lambda *given: answers.append(post(*given)) or answers[-1]  # type: ignore[method-assign,func-returns-value]
        judgement = send(client, repayment, idempotency_key)
        del client.post_repayment
        if answers[0].delivery is Delivery.LOST:
            return protocol.Judgement(
                Verdict.POSTED, "hoped", Answer(Delivery.ANSWERED, 200, {"resourceId": 1})
            )
        return judgement

    protocol._send = send_and_hope


def plant_read_back_removed() -> None:
    """Nothing is ever read back: money that did arrive is never found."""
    protocol._look = lambda *_: None


def plant_lease_removed() -> None:
    """A lease is given to whoever asks: two workers post to one loan at once."""
    leases._ACQUIRE = leases._ACQUIRE.replace("and expires_at <= clock_timestamp()", "")


def plant_second_look_removed() -> None:
    """A payment that was refunded after its claim is sent all the same."""
    look = ledger._intent
    ledger._intent = lambda row: replace(look(row), block=None)


def plant_any_200_taken_for_success() -> None:
    """A 200 counts without a look at what it says: what waits for a checker is written off as done."""
    judge = protocol.judge
    sent = FineractClient.post_repayment

    def judge_lightly(answer: Answer, agreement: Agreement | None = None) -> Rule:
        return judge(answer, Agreement.SAME if answer.ok else agreement)

    def post_and_believe(client: FineractClient, repayment: Repayment, key: str) -> Answer:
        answer = sent(client, repayment, key)
        return replace(answer, body={"resourceId": 1, **answer.body}) if answer.ok else answer

    protocol.judge = judge_lightly
    FineractClient.post_repayment = post_and_believe  # type: ignore[method-assign]


def plant_claim_forgets_what_ended() -> None:
    """The claim makes intents of what is posted already."""
    looks = "where processed.posting_key is null and"
    assert looks in claim_module._CLAIM, "the claim reads otherwise now: plant the bug anew"
    claim_module._CLAIM = claim_module._CLAIM.replace(looks, "where")


BUGS = {
    "new_external_id_per_try": plant_new_external_id_per_try,
    "lost_answer_taken_for_success": plant_lost_answer_taken_for_success,
    "read_back_removed": plant_read_back_removed,
    "lease_removed": plant_lease_removed,
    "second_look_removed": plant_second_look_removed,
    "any_200_taken_for_success": plant_any_200_taken_for_success,
    "claim_forgets_what_ended": plant_claim_forgets_what_ended,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", required=True)
    parser.add_argument("--fineract", required=True)
    parser.add_argument("--die-at")
    parser.add_argument("--bug", choices=sorted(BUGS))
    arguments = parser.parse_args()
    if arguments.bug:
        BUGS[arguments.bug]()
    if arguments.die_at:
        point, _, calls = arguments.die_at.partition(":")
        die_at(point, int(calls))
    post_everything(arguments.warehouse, arguments.fineract)


if __name__ == "__main__":
    main()
