"""Carry out what is due: threads that take one client or loan each, and its submissions one after the other.

Each turn looks at Fineract, decides (ordering), marks the row as in flight, sends, and stores what came of it together
with the API log, in a transaction that checks the lease. A worker that dies leaves nothing but rows in flight; whoever
takes the subject next looks in Fineract before anything is sent. Safe to run again at any point.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from queue import Empty, SimpleQueue
from threading import Event, Lock
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from turno_lms.domain.dates import ist_date
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LosReason, LosState
from turno_lms.fineract import leases
from turno_lms.fineract.answers import Delivery
from turno_lms.fineract.audit import AuditSink, CollectedAudit
from turno_lms.fineract.client import FineractClient, client_path, loan_path
from turno_lms.fineract.leases import Lease, LeaseLostError
from turno_lms.lenders.registry import LenderRegistry
from turno_lms.los import ledger
from turno_lms.los.chain import PATH, Chain, chain_of, in_flight, judge_chain
from turno_lms.los.desk import Desk, LookUpError
from turno_lms.los.model import Again, Done, Hold, Json, Outcome, Refuse, Row, Subject, View, Wait, Write
from turno_lms.los.observation import ASSOCIATIONS, keep_loan
from turno_lms.los.ordering import AllWait, Recognised, Settle, next_turn
from turno_lms.los.products import ProductTemplates
from turno_lms.los.protocol import StopRunError, judge_answer, text_of
from turno_lms.los.registry import REGISTRY
from turno_lms.los.results import result_of
from turno_lms.los.settings import LosSettings
from turno_lms.los.statements import STATEMENTS
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect, warehouse_url

log = logging.getLogger(__name__)
_PATIENCE = LosSettings()
_PREDECESSORS = {LosReason.CLIENT_MISSING: ["create_client"], LosReason.CLIENT_NOT_ACTIVE: ["create_client"]}


@dataclass
class LosReport:
    """What a run did: submissions by how they ended or stand, and loans that changed in Fineract."""

    outcomes: Counter[str] = field(default_factory=Counter)
    loans_changed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For XCom."""
        return {**self.outcomes, "loans_changed": self.loans_changed}


class LosRunner:
    """Works through subjects. `connect_warehouse` and `new_client` give each thread its own."""

    def __init__(
        self,
        connect_warehouse: Callable[[], WarehouseConnection],
        new_client: Callable[[AuditSink], FineractClient],
        lenders: LenderRegistry,
        run: RunContext,
        settings: LosSettings = _PATIENCE,
    ):
        self._connect = connect_warehouse
        self._new_client = new_client
        self._lenders = lenders
        self._run = run
        self._settings = settings

    def work(self, subjects: Sequence[str]) -> LosReport:
        """Do what can be done for these subjects. Raises StopRunError if Fineract is down or refuses us."""
        report, deadline = LosReport(), time.monotonic() + self._settings.patience
        todo = list(subjects)
        with self._connect() as conn:
            leases.prepare(conn, [_lease_name(subject) for subject in todo])
            while todo:
                self._pass(todo, report)
                wait = ledger.seconds_until_due(conn, list(subjects))
                if wait is None or time.monotonic() + wait > deadline:
                    break
                time.sleep(max(wait, self._settings.shortest_wait))
                kind = subjects[0].partition(":")[0]
                todo = ledger.due_subjects(conn, kind, list(subjects))
        return report

    def _pass(self, subjects: list[str], report: LosReport) -> None:
        shared = _Shared(subjects, report, f"{self._run.label}/{uuid4().hex[:8]}")
        threads = min(self._settings.threads, len(subjects))
        # made here: Airflow looks a connection up for the task's main thread
        audits = [CollectedAudit(self._run) for _ in range(threads)]
        clients = [self._new_client(audit) for audit in audits]
        with ThreadPoolExecutor(max(threads, 1), thread_name_prefix="los") as pool:
            turns = [pool.submit(self._thread, shared, *each) for each in zip(clients, audits, strict=True)]
        for turn in turns:
            turn.result()

    def _thread(self, shared: "_Shared", client: FineractClient, audit: CollectedAudit) -> None:
        try:
            with self._connect() as conn:
                desk = Desk(client, self._lenders, ProductTemplates(conn, client).template_of, _today)
                worker = _Worker(shared, conn, desk, audit, run=self._run, settings=self._settings)
                while not shared.stopped.is_set():
                    worker.drain(shared.subjects.get_nowait())
        except Empty:
            return
        except BaseException:
            shared.stopped.set()
            raise


class _Shared:
    """What the threads of one pass share."""

    def __init__(self, subjects: Sequence[str], report: LosReport, holder: str):
        self.subjects: SimpleQueue[str] = SimpleQueue()
        for subject in subjects:
            self.subjects.put(subject)
        self.holder = holder
        self.stopped = Event()
        self._report = report
        self._lock = Lock()

    def count(self, outcome: Outcome, *, loan_changed: bool) -> None:
        name = (
            "recognised"
            if isinstance(outcome, Done) and outcome.recognised
            else type(outcome).__name__.lower()
        )
        with self._lock:
            self._report.outcomes[name] += 1
            self._report.loans_changed += loan_changed


class _Worker:
    """One thread: its own connection to the warehouse and its own client."""

    def __init__(
        self,
        shared: _Shared,
        conn: WarehouseConnection,
        desk: Desk,
        audit: CollectedAudit,
        *,
        run: RunContext,
        settings: LosSettings,
    ):
        self._shared = shared
        self._conn = conn
        self._desk = desk
        self._audit = audit
        self._run = run
        self._settings = settings
        longest_call = desk.client.timeouts.connect + desk.client.timeouts.read
        self._lease_seconds = settings.lease_calls * longest_call

    def drain(self, subject: str) -> None:
        """Do what can be done for one client or loan; one that another worker has is left to it."""
        held = leases.acquire(self._conn, [_lease_name(subject)], self._shared.holder, self._lease_seconds)
        if not held:
            return
        try:
            _Drain(self, subject, held[0]).work()
        except LeaseLostError as lost:
            log.warning("%s; the new holder looks at what was sent", lost)
        finally:
            leases.release(self._conn, held[0])


class _Drain:
    """The turns of one subject under one lease."""

    def __init__(self, worker: _Worker, subject: str, lease: Lease):
        self._w = worker
        self._subject = subject
        self._lease = lease
        self._deferred: set[UUID] = set()
        self._view: View | None = None

    def work(self) -> None:
        """Turn by turn, until nothing more can be done now."""
        while not self._w._shared.stopped.is_set():
            rows = self._rows()
            if not rows or any(row.sent and not row.is_due for row in rows):
                return
            try:
                going_on = self._turn(rows)
            except LookUpError as error:
                self._look_later(rows, error)
                return
            if not going_on:
                return

    def _rows(self) -> list[Row]:
        conn = self._w._conn
        with conn.transaction():
            leases.renew(conn, self._lease, self._w._lease_seconds)
            rows = ledger.open_rows(conn, self._subject)
        return [row for row in rows if row.submission_id not in self._deferred]

    def _turn(self, rows: list[Row]) -> bool:
        """One decision and what follows from it; whether another turn may bring more."""
        self._view = self._view or self._look(*_asked_for(rows))
        turn = next_turn(rows, self._view)
        if isinstance(turn, AllWait):
            for row, wait in turn.waits:
                self._store([(row, wait)])
            return False
        if isinstance(turn, Recognised):
            result = result_of(REGISTRY[turn.row.operation], self._view)
            self._store([(turn.row, Done(result, recognised=not turn.row.sent))])
            return True
        if isinstance(turn, Settle):
            self._store([(turn.row, turn.outcome)])
            return True
        draft = REGISTRY[turn.row.operation].draft(turn.row, self._view, self._w._desk)
        if not isinstance(draft, Write):
            self._store([(turn.row, draft)])
            return True
        chain = (
            chain_of(turn.row, draft, rows, self._w._desk) if turn.row.operation == "create_loan" else None
        )
        return self._send_chain(chain) if chain else self._send(turn.row, draft)

    # ------------------------------------------------------------ Fineract

    def _look(self, row: Row, needs_client: bool = False) -> View:
        """What Fineract has of the subject."""
        desk, payload = self._w._desk, row.payload
        if REGISTRY[row.operation].subject is Subject.CLIENT:
            return View(
                client=desk.read(client_path(payload["client_id"]), "find_client", payload["client_id"])
            )
        loan_id = payload["loan_id"]
        query = urlencode({"associations": ",".join(ASSOCIATIONS)})
        loan = desk.read(f"{loan_path(loan_id)}?{query}", "find_loan", loan_id)
        client = None
        if loan is None and needs_client:
            client = desk.read(client_path(payload["client_id"]), "find_client", payload["client_id"])
        return View(loan, client)

    def _send(self, row: Row, write: Write) -> bool:
        sent = self._mark([row])[0]
        answer = self._w._desk.client.send(
            write.method, write.path, write.body, purpose=row.operation, subject=sent.key,
            idempotency_key=sent.idempotency_key,
        )  # fmt: skip
        try:
            judged = judge_answer(sent, write, answer, lambda: self._look(sent), self._w._desk)
        except LookUpError as error:
            self._store([(sent, Again(LosState.UNKNOWN, text_of(sent, str(error))))])
            return False
        self._view = judged.view
        outcome = self._bounded(sent, judged.outcome)
        self._store([(sent, outcome)])
        if isinstance(outcome, Again) and answer.delivery is Delivery.NOT_SENT:
            raise StopRunError(
                f"Fineract cannot be reached ({outcome.message}); what is not done stays for the next run"
            )
        return not isinstance(outcome, Again)

    def _send_chain(self, chain: Chain) -> bool:
        self._mark(list(chain.rows))
        sent = in_flight(chain)
        answer = self._w._desk.client.send(
            "POST",
            PATH,
            sent.body(),
            purpose="create_approve_disburse",
            subject=sent.rows[0].key,
            idempotency_key=None,
        )
        try:
            view = self._look(sent.rows[0])
            outcomes = judge_chain(sent, answer, view)
        except LookUpError as error:
            again = Again(LosState.UNKNOWN, text_of(sent.rows[0], str(error)))
            self._store([(row, again) for row in sent.rows])
            return False
        self._view = view
        bounded = [self._bounded(row, outcome) for row, outcome in zip(sent.rows, outcomes, strict=True)]
        self._store(list(zip(sent.rows, bounded, strict=True)))
        if answer.delivery is Delivery.NOT_SENT:
            raise StopRunError("Fineract cannot be reached; what is not done stays for the next run")
        return not any(isinstance(outcome, Again) for outcome in bounded)

    def _bounded(self, row: Row, outcome: Outcome) -> Outcome:
        """After too many tries a person looks."""
        if (
            isinstance(outcome, Again)
            and outcome.state is LosState.UNKNOWN
            and row.tries + 1 >= self._w._settings.most_tries
        ):
            return Hold(LosReason.IN_DOUBT, f"tried {row.tries + 1} times; {outcome.message}")
        return outcome

    # ------------------------------------------------------------ the warehouse

    def _mark(self, rows: list[Row]) -> list[Row]:
        """Note that rows are about to be sent, under the lease; returns them as they then are."""
        conn = self._w._conn
        with conn.transaction():
            leases.check(conn, self._lease)
            for row in rows:
                ledger.mark_in_flight(conn, row, self._lease)
            self._w._audit.flush(conn)
        return [replace(row, state=LosState.IN_FLIGHT) for row in rows]

    def _store(self, outcomes: Sequence[tuple[Row, Outcome]]) -> None:
        """Record what became of rows, what Fineract shows of their loan, and the calls, in one transaction."""
        conn, changed = self._w._conn, False
        with conn.transaction():
            leases.check(conn, self._lease)
            for row, outcome in outcomes:
                self._record(row, outcome)
            if self._view and self._view.loan and any(isinstance(outcome, Done) for _, outcome in outcomes):
                changed = keep_loan(conn, self._view.loan, self._w._run)
            self._w._audit.flush(conn)
        for row, outcome in outcomes:
            self._w._shared.count(outcome, loan_changed=changed)
            changed = False
            _say(row, outcome)

    def _record(self, row: Row, outcome: Outcome) -> None:
        conn = self._w._conn
        if isinstance(outcome, Wait):
            self._deferred.add(row.submission_id)
            ledger.keep_waiting(conn, row, outcome, self._reason_to_wait(row, outcome))
        elif isinstance(outcome, Again):
            self._deferred.add(row.submission_id)
            wait = (
                self._w._settings.longest_wait
                if outcome.wait_longer
                else self._w._settings.backoff(row.tries)
            )
            ledger.keep_trying(conn, row, outcome, wait)
        else:
            ledger.end(conn, row, outcome, self._w._run)
            if isinstance(outcome, Done):
                ledger.wake(conn, row, self._subject)

    def _look_later(self, rows: list[Row], error: LookUpError) -> None:
        """Fineract could not be asked: every row stays as it is, to be looked at again soon."""
        if error.answer.delivery is Delivery.NOT_SENT:
            raise StopRunError(
                f"Fineract cannot be reached ({error}); what is not done stays for the next run"
            ) from error
        conn, settings = self._w._conn, self._w._settings
        with conn.transaction():
            for row in rows:
                said = text_of(row, str(error))
                if row.sent:
                    ledger.keep_trying(conn, row, Again(LosState.UNKNOWN, said), settings.backoff(row.tries))
                else:
                    busy = Wait(LosReason.FINERACT_BUSY, said)
                    ledger.keep_waiting(conn, row, busy, said, settings.backoff(row.tries))
            self._w._audit.flush(conn)

    def _reason_to_wait(self, row: Row, wait: Wait) -> str:
        """The wait's message, and how the operation stands that would end it."""
        subject, operations = self._subject, list(REGISTRY)
        if wait.reason in _PREDECESSORS:
            subject, operations = f"client:{row.payload['client_id']}", _PREDECESSORS[wait.reason]
        elif wait.reason not in {LosReason.LOAN_MISSING, LosReason.LOAN_NOT_READY}:
            return wait.message
        rank = REGISTRY[row.operation].rank
        before = [name for name in operations if REGISTRY[name].rank < rank]
        values = {"subject": subject, "operations": before}
        found = self._w._conn.execute(STATEMENTS["predecessors"], values).fetchall()
        told = [f"{each['operation']} {each['reference']} is {each['state']}" for each in found]
        return f"{wait.message}: {', '.join(told) or 'nothing was submitted that would change it'}"


def _asked_for(rows: Sequence[Row]) -> tuple[Row, bool]:
    """A row that names all that is to be looked at: the loan, and its client where one of the rows needs it."""
    needing = next((row for row in rows if REGISTRY[row.operation].needs_client), None)
    return (needing, True) if needing else (rows[0], False)


def _lease_name(subject: str) -> str:
    """A loan's own lease, shared with posting and all others; a client's stands beside them."""
    return subject.removeprefix("loan:")


def _say(row: Row, outcome: Outcome) -> None:
    if isinstance(outcome, Hold | Refuse):
        log.warning("%s %s: %s: %s", row.operation, row.reference, outcome.reason, outcome.message)


def _today() -> date:
    return ist_date(datetime.now(UTC))


def run_chunk(
    subjects: Sequence[str], run: RunContext, lenders: LenderRegistry, *, threads: int = LosSettings.threads
) -> LosReport:
    """Work through subjects over the Airflow connections `turno_warehouse` and `turno_fineract`."""
    from turno_lms.fineract.hook import FineractHook  # over a second of imports: not while DAGs are parsed

    url = warehouse_url(Role.POSTER)
    hook = FineractHook()
    settings = replace(LosSettings(), threads=threads)
    runner = LosRunner(lambda: connect(url, autocommit=True), hook.client, lenders, run, settings)
    return runner.work(subjects)


def standing(conn: WarehouseConnection) -> list[Json]:
    """How all operations stand, with the age of the oldest of each kind in hours."""
    return [{**row, "oldest_hours": str(row["oldest_hours"])} for row in conn.execute(STATEMENTS["standing"])]
