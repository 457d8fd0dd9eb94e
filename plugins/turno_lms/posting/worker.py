"""Post one chunk: threads that take loans, one call in flight per loan, the oldest payment first.

Each turn of a thread is one transaction and one exchange with Fineract. The transaction stores what the last exchange
led to, with its API log rows, and marks the next intent as in flight; so a worker that dies leaves nothing but intents
in flight, and whoever takes the loan next reads back first. Safe to run again at any point.

There are a few more threads than calls that may be in flight: while one waits for its commit another one calls.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from decimal import Decimal
from threading import BoundedSemaphore, Lock
from typing import Any
from uuid import uuid4

from turno_lms.domain.money import canonical_amount
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import IntentState, PostingOutcome
from turno_lms.fineract import leases
from turno_lms.fineract.audit import AuditSink, Call, CollectedAudit
from turno_lms.fineract.client import FineractClient, loan_path
from turno_lms.fineract.leases import Lease, LeaseLostError
from turno_lms.fineract.repayments import Repayment
from turno_lms.fineract.snapshots import LoanAddress, loan_addresses
from turno_lms.posting import ledger
from turno_lms.posting.intents import Ended, Intent, Open, Result, Stopped, Unreachable
from turno_lms.posting.ledger import Head, Written
from turno_lms.posting.loan_queue import LoanQueue
from turno_lms.posting.outage import Outage
from turno_lms.posting.protocol import try_intent
from turno_lms.posting.settings import PostingSettings
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect, warehouse_url

log = logging.getLogger(__name__)

_OPEN = """
select state, count(*) as intents
from core.core_fineract_pending_transactions
where loan_id = any(%s)
group by state
"""


_OUTCOMES = (PostingOutcome.POSTED, PostingOutcome.FAILED, PostingOutcome.WITHDRAWN)


class PostingStoppedError(RuntimeError):
    """The run cannot go on; every repayment not posted yet stays due for the next run."""


@dataclass
class PostingReport:
    """What a chunk did: intents by outcome, rupees posted, and intents of its loans that are still open, by state."""

    outcomes: Counter[str] = field(default_factory=Counter)
    rupees_posted: Decimal = Decimal(0)
    still_open: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For XCom."""
        return {
            **{outcome.value: self.outcomes[outcome] for outcome in _OUTCOMES},
            "rupees_posted": canonical_amount(self.rupees_posted),
            "still_open": self.still_open,
        }


class _Progress:
    """Counts endings for all threads, and says now and then how far the chunk is."""

    def __init__(self, total: int, every: float):
        self.report = PostingReport()
        self._total = total
        self._every = every
        self._next = time.monotonic() + every
        self._lock = Lock()

    def ended(self, intent: Intent, result: Ended) -> None:
        with self._lock:
            self.report.outcomes[result.outcome] += 1
            if result.outcome is PostingOutcome.POSTED:
                self.report.rupees_posted += intent.amount
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + self._every
                self.say()

    def say(self) -> None:
        counts = self.report.outcomes
        log.info("%d of %d posted, %d failed, %d withdrawn",
                 counts[PostingOutcome.POSTED], self._total, counts[PostingOutcome.FAILED],
                 counts[PostingOutcome.WITHDRAWN])  # fmt: skip


@dataclass(frozen=True)
class _Taken:
    """An intent in flight, in the hands of one thread until `send_until` on the monotonic clock."""

    intent: Intent
    lease: Lease
    more: bool
    send_until: float


@dataclass(frozen=True)
class _Tried:
    """What a try made of an intent, to be stored."""

    taken: _Taken
    result: Result

    @property
    def loan_waits(self) -> bool:
        """Whether the loan's next turn is not yet due: its oldest intent has to wait."""
        return isinstance(self.result, Open) and self.result.state is not IntentState.IN_DOUBT

    @property
    def loan_goes_on(self) -> bool:
        """Whether the loan's next intent may be taken at once, under the same lease."""
        return self.taken.more and not self.loan_waits


class _Chunk:
    """What the threads of one chunk share."""

    def __init__(
        self,
        loan_ids: list[str],
        run: RunContext,
        settings: PostingSettings,
        addresses: dict[str, LoanAddress],
        progress: _Progress,
    ):
        self.run = run
        self.settings = settings
        self.addresses = addresses
        self.progress = progress
        self.queue = LoanQueue(loan_ids, settings.wait_limit)
        self.calls = BoundedSemaphore(settings.threads)
        self.outage = Outage(settings)
        self.holder = f"{run.label}/{run.task_id}[{run.map_index}]/{uuid4().hex[:8]}"
        self.stopped_by: str | None = None

    def stop(self, reason: str) -> None:
        self.stopped_by = self.stopped_by or reason
        self.queue.stop()


class _Worker:
    """One thread: its own connection to the warehouse and its own client."""

    def __init__(
        self, chunk: _Chunk, conn: WarehouseConnection, client: FineractClient, audit: CollectedAudit
    ):
        self._chunk = chunk
        self._conn = conn
        self._client = client
        self._audit = audit
        self._longest_call = client.timeouts.connect + client.timeouts.read
        self._lease_seconds = chunk.settings.lease_calls * self._longest_call

    def work(self) -> None:
        """Turn by turn, until no loan is left."""
        tried: _Tried | None = None
        while True:
            taken = self._turn(tried)
            tried = _Tried(taken, self._exchange(taken)) if taken else None
            if tried is None and not self._chunk.queue.wait():
                return

    def _turn(self, tried: _Tried | None) -> _Taken | None:
        """Store what was tried and take what comes next: the loan's next intent, else the first one of another loan.

        One transaction, sent in one go.
        """
        chunk, conn, started = self._chunk, self._conn, time.monotonic()
        loan_goes_on = tried is not None and tried.loan_goes_on and not chunk.queue.stopped
        loan_id = tried.taken.lease.loan_id if tried and loan_goes_on else chunk.queue.pop()
        written = asked = take = None
        with conn.pipeline(), conn.transaction():
            if tried:
                written = self._write(tried, self._lease_seconds if loan_goes_on else 0)
            self._audit.flush(conn)
            if loan_id and not loan_goes_on:
                asked = leases.ask(conn, loan_id, chunk.holder, self._lease_seconds)
            if loan_id:
                take = ledger.take(conn, loan_id, chunk.holder)
        if tried and written and not self._settle(tried, written, loan_goes_on=loan_goes_on):
            return None
        if loan_id is None or take is None:
            return None
        held = tried.taken.lease if tried else None
        lease = asked.lease() if asked else held
        return self._hold(loan_id, lease, take.head(), started)

    def _write(self, tried: _Tried, lease_seconds: float) -> Written:
        taken, result = tried.taken, tried.result
        if isinstance(result, Ended):
            return ledger.end(
                self._conn, taken.lease, taken.intent, result, self._chunk.run, lease_seconds=lease_seconds
            )
        return ledger.keep(
            self._conn, taken.lease, taken.intent, result, self._chunk.run, lease_seconds=lease_seconds
        )

    def _settle(self, tried: _Tried, written: Written, *, loan_goes_on: bool) -> bool:
        """Account for what was stored. False if the lease was lost on the way to the loan's next intent."""
        chunk, intent, result = self._chunk, tried.taken.intent, tried.result
        try:
            written.check()
        except LeaseLostError as lost:
            log.warning("%s; the new holder reads %s back", lost, intent.posting_key)
            chunk.queue.put_back(intent.loan_id, chunk.settings.lease_wait)
            return not loan_goes_on
        if isinstance(result, Ended):
            chunk.progress.ended(intent, result)
        else:
            log.warning(
                "%s of loan %s is %s: %s", intent.posting_key, intent.loan_id, result.state, result.reason
            )
        if tried.loan_waits:
            chunk.queue.put_back(intent.loan_id, result.wait if isinstance(result, Open) else 0.0)
        elif not loan_goes_on:
            chunk.queue.done()
        return True

    def _hold(self, loan_id: str, lease: Lease | None, head: Head | None, started: float) -> _Taken | None:
        """The intent that was taken; without one the loan is let go."""
        queue = self._chunk.queue
        if lease is None:
            queue.put_back(loan_id, self._chunk.settings.lease_wait)
            return None
        if head and head.intent:
            if head.intent.was_interrupted:
                self._audit.record(_interrupted(head.intent))
            send_until = started + self._lease_seconds - self._longest_call
            return _Taken(head.intent, lease, head.more, send_until)
        leases.release(self._conn, lease)
        if head:
            queue.put_back(loan_id, head.due_in_seconds)
        else:
            queue.done()
        return None

    def _exchange(self, taken: _Taken) -> Result:
        """Try the intent, waiting out an outage that keeps it from being sent."""
        chunk, intent = self._chunk, taken.intent
        repayment = _repayment(intent, chunk.addresses[intent.loan_id])
        while True:
            with chunk.calls:
                result = try_intent(
                    intent, repayment, self._client, chunk.settings,
                    # a turn that waited for its call may find the run stopped or its lease spent
                    may_send=lambda: time.monotonic() < taken.send_until and not chunk.queue.stopped,
                )  # fmt: skip
                if isinstance(result, Stopped):
                    chunk.stop(
                        f"Fineract refuses every call ({result.reason}). Correct the connection turno_fineract"
                    )
            if not isinstance(result, Unreachable) or chunk.queue.stopped:
                return result
            if not chunk.outage.wait_until_up(self._client):
                chunk.stop(f"Fineract was down for {chunk.settings.wait_limit:.0f} s ({result.reason})")


def _repayment(intent: Intent, address: LoanAddress) -> Repayment:
    return Repayment(
        external_id=intent.posting_key,
        loan_external_id=address.external_id,
        transaction_date=intent.business_date,
        amount=intent.amount,
        payment_type_id=intent.payment_type_id,
        receipt_number=intent.bank_reference,
        fineract_loan_id=address.fineract_loan_id,
        kind=intent.kind,
    )


def _interrupted(intent: Intent) -> Call:
    """The API log row of an attempt whose worker did not live to write it."""
    path = f"{loan_path(intent.loan_id)}/transactions?command=repayment"
    return Call("repayment", "POST", path, None, 0, intent.posting_key, intent.idempotency_key)


class Poster:
    """Posts chunks. `connect_warehouse` and `new_client` give each thread its own."""

    def __init__(
        self,
        connect_warehouse: Callable[[], WarehouseConnection],
        new_client: Callable[[AuditSink], FineractClient],
        run: RunContext,
        settings: PostingSettings,
    ):
        self._connect = connect_warehouse
        self._new_client = new_client
        self._run = run
        self._settings = settings

    def post(self, loan_ids: list[str]) -> PostingReport:
        """Post what is due on `loan_ids`. Raises PostingStoppedError if Fineract is down for too long or refuses us."""
        with self._connect() as conn:
            leases.prepare(conn, loan_ids)
            progress = _Progress(
                sum(self._still_open(conn, loan_ids).values()), self._settings.progress_every
            )
            chunk = _Chunk(loan_ids, self._run, self._settings, loan_addresses(conn, loan_ids), progress)
            most = self._settings.threads + self._settings.spare_threads
            self._run_threads(chunk, min(most, len(loan_ids)))
            progress.report.still_open = self._still_open(conn, loan_ids)
        progress.say()
        if chunk.stopped_by:
            left = sum(progress.report.still_open.values())
            raise PostingStoppedError(
                f"{chunk.stopped_by}; {left} repayments stay in the queue for the next run"
            )
        return progress.report

    def _run_threads(self, chunk: _Chunk, threads: int) -> None:
        # made here: Airflow looks a connection up for the task's main thread
        audits = [CollectedAudit(self._run) for _ in range(threads)]
        clients = [self._new_client(audit) for audit in audits]
        with ThreadPoolExecutor(max(threads, 1), thread_name_prefix="posting") as pool:
            try:
                turns = [pool.submit(self._work, chunk, *each) for each in zip(clients, audits, strict=True)]
                wait(turns, return_when=FIRST_EXCEPTION)
            finally:
                chunk.queue.stop()
        for turn in turns:
            turn.result()

    def _work(self, chunk: _Chunk, client: FineractClient, audit: CollectedAudit) -> None:
        with self._connect() as conn:
            _Worker(chunk, conn, client, audit).work()

    @staticmethod
    def _still_open(conn: WarehouseConnection, loan_ids: list[str]) -> dict[str, int]:
        return {row["state"]: row["intents"] for row in conn.execute(_OPEN, (loan_ids,))}


def post_chunk(
    loan_ids: list[str], run: RunContext, *, threads: int = PostingSettings.threads,
    wait_limit: float = PostingSettings.wait_limit,
) -> PostingReport:  # fmt: skip
    """Post what is due on `loan_ids` over the Airflow connections `turno_warehouse` and `turno_fineract`.

    At most `threads` calls are in flight; `wait_limit` is the patience in seconds with a Fineract that is down.
    """
    from turno_lms.fineract.hook import FineractHook  # over a second of imports: not while DAGs are parsed

    url = warehouse_url(Role.POSTER)
    settings = replace(PostingSettings(), threads=threads, wait_limit=wait_limit)
    poster = Poster(lambda: connect(url, autocommit=True), FineractHook().client, run, settings)
    return poster.post(loan_ids)
