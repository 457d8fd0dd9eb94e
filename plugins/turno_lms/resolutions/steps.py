"""The step ledger: a resolution's changes of a loan in Fineract, one row each, in order, each exactly once.

A step is marked as sent, under the loan's lease, before anything leaves; whoever finds it so reads it back by its
external id before sending again, under the same Idempotency-Key. So a run may be killed at any moment and another goes
on. A step that Fineract refuses for good ends the walk; `undo_steps` then takes back what was done, the last first.
Money is posted by the posting ledger alone: the step `post_money` waits for it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol
from uuid import uuid4

from turno_lms.domain.keys import idempotency_key
from turno_lms.domain.money import canonical_amount
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import PostingOutcome, ReversalState, StepKind, StepState, advance
from turno_lms.fineract import leases, loan_commands
from turno_lms.fineract.answers import Answer
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.errors import FineractConfigurationError, FineractError, error_of
from turno_lms.fineract.leases import Lease
from turno_lms.fineract.loan_commands import LoanCommand
from turno_lms.fineract.outcomes import LOOKS, Verdict, after_looking, judge
from turno_lms.fineract.repayments import Agreement, Finding, iso_date, locale_amount
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.resolutions.journal import note
from turno_lms.resolutions.quotes import outstanding_of, still_owed
from turno_lms.resolutions.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection

_LEASE_CALLS = 6
_RELEASE_MONEY = "update core.core_resolution_money set is_released = true where resolution_ref = %s"
_KEEP = """
update core.core_resolution_step set attempt = attempt + %s, last_error = %s
where resolution_ref = %s and position = %s
"""
_ENDED = frozenset({StepState.DONE, StepState.REFUSED, StepState.UNDONE, StepState.DROPPED})
_UNDOABLE = frozenset({StepState.SENT, StepState.IN_DOUBT, StepState.DONE, StepState.UNDOING})
_ACCRUALS = frozenset({10, 32})
"""Fineract's transaction types of accruals and their activity."""
_WRITES_ALL = frozenset({StepKind.CHARGE_OFF, StepKind.WRITE_OFF})
"""Kinds whose amount must be everything that is outstanding at that moment."""


_OF_THE_LOAN = {
    StepKind.WAIVE_INTEREST: loan_commands.waive_interest,
    StepKind.GOODWILL_CREDIT: loan_commands.goodwill_credit,
    StepKind.WRITE_OFF: loan_commands.write_off,
    StepKind.FORECLOSE: loan_commands.foreclose,
}


@dataclass(frozen=True)
class Incoming:
    """A payment that the posting ledger could post now, and has not."""

    posting_key: str
    amount: Decimal
    business_date: date


class MoneyDesk(Protocol):
    """The posting ledger, as far as a resolution needs it."""

    def unposted(self, loan_id: str) -> Sequence[Incoming]:
        """The loan's payments that nothing but a hold keeps from being posted, oldest first."""

    def post(self, loan_id: str) -> None:
        """Claim and post what is due on one loan."""

    def take_back(self, posting_key: str, business_date: date, reason: str) -> None:
        """Reverse a posted payment and have it posted anew, as an ordinary repayment of its own day."""


class StepsEnd(StrEnum):
    """How far a walk over the steps got."""

    DONE = "done"
    WAITING = "waiting"  # nothing is wrong: a later run goes on
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True)
class Progress:
    """Where a walk ended, and why."""

    end: StepsEnd
    reason: str = ""


DONE = Progress(StepsEnd.DONE)


@dataclass(frozen=True)
class Patience:
    """`settling` is for how many seconds a command whose answer was lost may still run in Fineract."""

    settling: int = 90
    most_tries: int = 12


@dataclass(frozen=True)
class PlannedStep:
    """A step to be: rupees, and what it is about. `external_id` where it is not the reference and position."""

    kind: StepKind
    amount: Decimal
    charge_id: int | None = None
    reason_id: int | None = None
    external_id: str | None = None


@dataclass(frozen=True)
class Walk:
    """What the steps of one resolution are carried out with. `conn` commits by itself."""

    conn: WarehouseConnection
    client: FineractClient
    run: RunContext
    desk: MoneyDesk
    patience: Patience = Patience()


def new_reference(prefix: str) -> str:
    """A reference nobody has used: it begins every external id of the resolution."""
    return f"{prefix}-{uuid4().hex[:16]}"


def add_steps(
    conn: WarehouseConnection, ref: str, loan_id: str, booked_on: date, steps: Sequence[PlannedStep]
) -> None:
    """Write the plan, in the transaction in which its approval was read again."""
    for position, step in enumerate(steps, start=1):
        values: dict[str, Any] = {
            "ref": ref, "position": position, "loan_id": loan_id, "kind": step.kind, "amount": step.amount,
            "charge_id": step.charge_id, "reason_id": step.reason_id,
            "external_id": step.external_id or f"{ref}-{position}",
            "booked_on": booked_on, "state": StepState.PENDING,
        }  # fmt: skip
        conn.execute(STATEMENTS["add_step"], values)


def steps_of(conn: WarehouseConnection, ref: str) -> list[Row]:
    """The steps of a resolution in order."""
    return conn.execute(STATEMENTS["steps_of"], (ref,)).fetchall()


def transactions_since(
    conn: WarehouseConnection, listed: Sequence[Json], ref: str, executed_on: date
) -> list[Json]:
    """Of a loan's transactions in Fineract, those from the day of its execution on that stand and are not its own.

    Accruals are none: they move no balance.
    """
    own = {step["external_id"] for step in steps_of(conn, ref)}
    own |= {each["posting_key"] for each in conn.execute(STATEMENTS["money_of"], (ref,)).fetchall()}
    return [
        each
        for each in listed
        if each.get("externalId") not in own
        and each["type"]["id"] not in _ACCRUALS
        and not each.get("manuallyReversed")
        and (iso_date(each.get("date")) or date.max) >= executed_on
    ]


# ---------------------------------------------------------------- forwards


def run_steps(walk: Walk, ref: str) -> Progress:
    """Carry out what is left of the steps, in order, up to the first one that does not end."""
    for row in steps_of(walk.conn, ref):
        if row["state"] == StepState.DONE:
            continue
        progress = _post_money(walk, row) if row["kind"] == StepKind.POST_MONEY else _carry_out(walk, row)
        if progress.end is not StepsEnd.DONE:
            return progress
    return DONE


def _carry_out(walk: Walk, row: Row) -> Progress:
    with _lease(walk, row["loan_id"]) as lease:
        if lease is None:
            return _waiting(f"loan {row['loan_id']} is being written to by somebody else")
        try:
            return _try_step(walk, row, lease)
        except FineractConfigurationError:
            raise
        except FineractError as unclear:  # only reads raise here: what was sent is judged below
            return _waiting(str(unclear))


def _try_step(walk: Walk, row: Row, lease: Lease) -> Progress:
    command = _command(walk, row)
    if row["state"] in {StepState.SENT, StepState.IN_DOUBT}:
        looked = _settle_by_look(walk, row, lease, command)
        if looked is not None:
            return looked
    obstacle = _obstacle(walk.client, row, command)
    if obstacle and row["state"] == StepState.SENT and row["seconds_since_sent"] < walk.patience.settling:
        return _waiting(f"step {row['position']} may still run: {obstacle}")
    if obstacle:
        if row["state"] == StepState.PENDING:  # a refusal always says that it was tried
            row = _mark(walk, row, lease, StepState.SENT)
        _mark(walk, row, lease, StepState.REFUSED, error=obstacle)
        return Progress(StepsEnd.REFUSED, f"step {row['position']} {row['kind']}: {obstacle}")
    row = _mark(walk, row, lease, StepState.SENT)
    answer = loan_commands.send(walk.client, command, idempotency_key(row["external_id"], row["attempt"]))
    return _judge(walk, row, lease, command, answer)


def _settle_by_look(walk: Walk, row: Row, lease: Lease, command: LoanCommand) -> Progress | None:
    """What a step that may have run turns out to be; None if Fineract does not have it and it may be sent (again)."""
    answer = _look(walk.client, command)
    found = loan_commands.found(answer, command)
    if found is Finding.SAME:
        return _done(walk, row, lease, answer)
    if found is Finding.ABSENT and row["state"] == StepState.SENT:
        return None
    if found is Finding.INCONCLUSIVE:
        return _waiting(f"step {row['position']} cannot be read back: {answer.status or answer.delivery}")
    return _doubt(walk, row, lease, f"read back: {found}")


def _judge(walk: Walk, row: Row, lease: Lease, command: LoanCommand, answer: Answer) -> Progress:
    """What an answer means. A success counts only when the transaction is read back as it was meant."""
    rule = judge(answer, Agreement.OTHER if answer.ok else None)
    said = f"{rule.name}: {answer.status or answer.delivery} {answer.code or ''} {answer.message}".strip()
    if rule.verdict is Verdict.STOP_RUN:
        raise error_of(command.purpose, answer)
    if rule.verdict is Verdict.FAILED:
        _mark(walk, row, lease, StepState.REFUSED, error=said)
        return Progress(StepsEnd.REFUSED, f"step {row['position']} {row['kind']}: {said}")
    if rule.verdict not in LOOKS:
        return _later(walk, row, lease, said, next_attempt=rule.verdict is Verdict.NOT_YET)
    looked = _look(walk.client, command)
    found = loan_commands.found(looked, command)
    if found is Finding.SAME:
        return _done(walk, row, lease, looked)
    verdict = after_looking(rule.verdict, found)
    if verdict is Verdict.IN_DOUBT:
        return _doubt(walk, row, lease, f"{said}; read back: {found}")
    return _later(walk, row, lease, said, next_attempt=verdict is Verdict.NEXT_ATTEMPT)


def _later(walk: Walk, row: Row, lease: Lease, reason: str, *, next_attempt: bool) -> Progress:
    if row["tries"] >= walk.patience.most_tries:
        return _doubt(walk, row, lease, f"tried {row['tries']} times; {reason}")
    # the state stays: the next run reads back before it sends
    walk.conn.execute(_KEEP, (int(next_attempt), reason, row["resolution_ref"], row["position"]))
    return _waiting(f"step {row['position']} {row['kind']}: {reason}")


def _done(walk: Walk, row: Row, lease: Lease, looked: Answer) -> Progress:
    _mark(walk, row, lease, StepState.DONE, transaction_id=int(looked.body["id"]))
    return DONE


def _doubt(walk: Walk, row: Row, lease: Lease, reason: str) -> Progress:
    if row["state"] != StepState.IN_DOUBT:
        _mark(walk, row, lease, StepState.IN_DOUBT, error=reason)
    return Progress(StepsEnd.IN_DOUBT, f"step {row['position']} {row['kind']}: {reason}")


def _waiting(reason: str) -> Progress:
    return Progress(StepsEnd.WAITING, reason)


def _obstacle(client: FineractClient, row: Row, command: LoanCommand) -> str | None:
    """Why a step that takes everything must not be sent: what is there is not what was planned."""
    kind, planned = StepKind(row["kind"]), row["amount"]
    if kind is StepKind.FORECLOSE:
        quoted = client.pay_off_quote(command.loan_external_id, "foreclosure", command.on)
        there = locale_amount(quoted.get("amount"))
    elif kind is StepKind.GOODWILL_CREDIT:
        # pays like a repayment, so that it ends what one would end
        there = still_owed(client, client.find_loan(command.loan_external_id) or {}, command.on)
    elif kind in _WRITES_ALL:
        there = outstanding_of(client.find_loan(command.loan_external_id) or {})
    else:
        return None
    if there == planned:
        return None
    shown = "nothing readable" if there is None else f"{canonical_amount(there)} rupees"
    return f"Fineract has {shown} outstanding, planned were {canonical_amount(planned)}"


# ---------------------------------------------------------------- money


def _post_money(walk: Walk, row: Row) -> Progress:
    if row["state"] == StepState.PENDING:
        row = _mark(walk, row, None, StepState.SENT)
    walk.desk.post(row["loan_id"])
    payments = walk.conn.execute(STATEMENTS["money_of"], (row["resolution_ref"],)).fetchall()
    gone = [each for each in payments if each["outcome"] in {"failed", "reversed"} or each["block"]]
    if gone:
        first = gone[0]
        reason = f"payment {first['posting_key']} is {first['block'] or first['outcome']}"
        _mark(walk, row, None, StepState.REFUSED, error=reason)
        return Progress(StepsEnd.REFUSED, f"step {row['position']} {row['kind']}: {reason}")
    waiting = [each for each in payments if each["outcome"] != PostingOutcome.POSTED]
    if waiting:
        first = waiting[0]
        state = first["queue_state"] or "not queued"
        return _waiting(f"payment {first['posting_key']} is {state}: {first['last_error'] or 'to be posted'}")
    _mark(walk, row, None, StepState.DONE)
    return DONE


def _take_money_back(walk: Walk, row: Row, reason: str) -> Progress:
    """Posted payments are reversed and become ordinary repayments of their own days; queued ones are withdrawn."""
    if row["state"] != StepState.UNDOING:
        row = _mark(walk, row, None, StepState.UNDOING)
    walk.conn.execute(_RELEASE_MONEY, (row["resolution_ref"],))
    walk.desk.post(row["loan_id"])  # withdraws what is queued: it is held again, and no longer taken
    for each in walk.conn.execute(STATEMENTS["money_of"], (row["resolution_ref"],)).fetchall():
        if each["outcome"] == PostingOutcome.POSTED and each["reversal_state"] != ReversalState.REFUSED:
            walk.desk.take_back(each["posting_key"], each["business_date"], reason)
    for each in walk.conn.execute(STATEMENTS["money_of"], (row["resolution_ref"],)).fetchall():
        if each["outcome"] == PostingOutcome.POSTED or each["queue_state"]:
            state = each["reversal_state"] or each["queue_state"]
            end = StepsEnd.REFUSED if state == ReversalState.REFUSED else StepsEnd.WAITING
            return Progress(end, f"payment {each['posting_key']} is not taken back yet ({state})")
    _mark(walk, row, None, StepState.UNDONE)
    return DONE


# ---------------------------------------------------------------- backwards


def undo_steps(walk: Walk, ref: str, reason: str) -> Progress:
    """Take back what the steps did, the last first; what was never sent is dropped."""
    for row in steps_of(walk.conn, ref):
        if row["state"] == StepState.PENDING:
            _mark(walk, row, None, StepState.DROPPED)
    for row in reversed(steps_of(walk.conn, ref)):
        if StepState(row["state"]) not in _UNDOABLE:
            continue
        is_money = row["kind"] == StepKind.POST_MONEY
        progress = _take_money_back(walk, row, reason) if is_money else _undo(walk, row)
        if progress.end is not StepsEnd.DONE:
            return progress
    walk.conn.execute(_RELEASE_MONEY, (ref,))
    return DONE


def _undo(walk: Walk, row: Row) -> Progress:
    with _lease(walk, row["loan_id"]) as lease:
        if lease is None:
            return _waiting(f"loan {row['loan_id']} is being written to by somebody else")
        return _try_undo(walk, row, lease)


def _try_undo(walk: Walk, row: Row, lease: Lease) -> Progress:
    command = _command(walk, row)
    if row["state"] != StepState.UNDOING:
        row = _mark(walk, row, lease, StepState.UNDOING)
    found = loan_commands.found(_look(walk.client, command), command)
    if found is Finding.ABSENT and row["fineract_transaction_id"] is None:
        # while a lost command may still run, its absence proves nothing
        left = walk.patience.settling - (row["seconds_since_sent"] or 0)
        if left > 0:
            return _waiting(f"step {row['position']} may still run in Fineract: look again in {left} s")
        return _undone(walk, row, lease)
    if found is Finding.SAME:
        undoing = _undo_command(command, row)
        answer = loan_commands.send(walk.client, undoing, f"{row['external_id']}-u{uuid4().hex[:6]}")
        verdict = None if answer.ok else judge(answer).verdict
        if verdict is Verdict.STOP_RUN:
            raise error_of(f"undo {command.purpose}", answer)
        found = loan_commands.found(_look(walk.client, command), command)
        if found is not Finding.REVERSED:
            said = f"{answer.status or answer.delivery} {answer.code or ''} {answer.message}".strip()
            end = StepsEnd.REFUSED if verdict is Verdict.FAILED else StepsEnd.WAITING
            return Progress(end, f"step {row['position']} {row['kind']} is not undone: {said}")
    if found is not Finding.REVERSED:
        return _waiting(f"step {row['position']} {row['kind']} cannot be undone: read back as {found}")
    return _undone(walk, row, lease)


def _undone(walk: Walk, row: Row, lease: Lease) -> Progress:
    _mark(walk, row, lease, StepState.UNDONE)
    return DONE


# ---------------------------------------------------------------- what both use


def _command(walk: Walk, row: Row) -> LoanCommand:
    loan = loan_addresses(walk.conn, [row["loan_id"]])[row["loan_id"]].external_id
    common = (row["external_id"], row["booked_on"], row["amount"])
    match StepKind(row["kind"]):
        case StepKind.WAIVE_CHARGE:
            return loan_commands.waive_charge(loan, row["charge_id"], *common)
        case StepKind.ADJUST_CHARGE:
            return loan_commands.adjust_charge(loan, row["charge_id"], *common)
        case StepKind.CHARGE_OFF:
            return loan_commands.charge_off(loan, *common, row["reason_id"])
        case kind:
            return _OF_THE_LOAN[kind](loan, *common)


def _undo_command(command: LoanCommand, row: Row) -> LoanCommand:
    match StepKind(row["kind"]):
        case StepKind.WAIVE_CHARGE:
            return loan_commands.undo_charge_waiver(command)
        case StepKind.WRITE_OFF:
            return loan_commands.undo_write_off(command)
        case StepKind.CHARGE_OFF:
            return loan_commands.undo_charge_off(command)
    return loan_commands.undo_transaction(command)


def _look(client: FineractClient, command: LoanCommand) -> Answer:
    return client.look_up_transaction(command.loan_external_id, command.external_id)


@contextmanager
def _lease(walk: Walk, loan_id: str) -> Iterator[Lease | None]:
    """The loan's lease, None while somebody else has it."""
    seconds = _LEASE_CALLS * (walk.client.timeouts.connect + walk.client.timeouts.read)
    held = leases.acquire(walk.conn, [loan_id], f"{walk.run.label}/{uuid4().hex[:8]}", seconds)
    try:
        yield held[0] if held else None
    finally:
        if held:
            leases.release(walk.conn, held[0])


def _mark(
    walk: Walk,
    row: Row,
    lease: Lease | None,
    new: StepState,
    *,
    error: str | None = None,
    transaction_id: int | None = None,
) -> Row:
    """Move a step, note it in the journal, and return the row as it is now; all under the lease where there is one."""
    before = StepState(row["state"])
    values = {
        "state": advance(before, new), "before": before, "fence": lease.fence if lease else None, "raise_attempt": 0,
        "transaction_id": transaction_id, "error": error, "is_ended": new in _ENDED, "run": walk.run.label,
        "ref": row["resolution_ref"], "position": row["position"],
    }  # fmt: skip
    with walk.conn.transaction():
        if lease:
            leases.check(walk.conn, lease)
        moved = walk.conn.execute(STATEMENTS["mark_step"], values).fetchone()
        if moved is None:
            raise StepTakenOverError(row["resolution_ref"], row["position"])
        note(
            walk.conn, row["resolution_ref"], row["loan_id"], f"step {new}", walk.run,
            position=row["position"], kind=row["kind"], rupees=canonical_amount(row["amount"]),
            external_id=row["external_id"], fineract_transaction_id=transaction_id, error=error,
        )  # fmt: skip
    return moved


class StepTakenOverError(RuntimeError):
    """Another run has moved the step meanwhile: what is known here is out of date. A later run goes on."""

    def __init__(self, ref: str, position: int):
        super().__init__(f"step {position} of {ref} was moved by another run")
