"""A posting intent as a worker holds it, and what a try made of it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from turno_lms.domain.keys import idempotency_key
from turno_lms.domain.states import IntentState, PostingOutcome, RepaymentKind


@dataclass(frozen=True)
class Intent:
    """One payment to post, as it was when taken: `state` and `seconds_since_last_try` are from before, `tries` counts
    this one. `block` says why it may no longer be sent, None while it may; `is_stopped` that the switch forbids it now.
    """

    posting_key: str
    lender: str
    loan_id: str
    business_date: date
    amount: Decimal
    payment_type_id: int
    bank_reference: str | None
    state: IntentState
    attempt: int
    tries: int
    block: str | None
    seconds_since_last_try: float | None
    kind: RepaymentKind = RepaymentKind.REPAYMENT
    is_stopped: bool = False

    @property
    def idempotency_key(self) -> str:
        """The header of this attempt; a try that repeats an attempt repeats the header."""
        return idempotency_key(self.posting_key, self.attempt)

    @property
    def was_interrupted(self) -> bool:
        """A worker died or lost its lease while this was in flight."""
        return self.state is IntentState.IN_FLIGHT

    @property
    def may_be_posted(self) -> bool:
        """An earlier try may have taken effect: read back before anything is sent.

        Queued again after tries is what a person's release from `in_doubt` leaves.
        """
        unclear = self.state in {IntentState.IN_FLIGHT, IntentState.UNKNOWN}
        return unclear or (self.state is IntentState.QUEUED and self.tries > 1)


@dataclass(frozen=True)
class Ended:
    """The intent has ended: it leaves the queue for the archive and the ledger.

    `settled_by` names the person who said so, with the evidence in `error_message`, where no answer of Fineract did.
    """

    outcome: PostingOutcome
    fineract_transaction_id: int | None = None
    status_code: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    settled_by: str | None = None


@dataclass(frozen=True)
class Open:
    """The intent stays in the queue, in `state`, to be tried again after `wait` seconds.

    `next_attempt` raises the attempt, `counts` says whether the try counts towards the ceiling.
    """

    state: IntentState
    reason: str
    wait: float = 0.0
    next_attempt: bool = False
    counts: bool = True


@dataclass(frozen=True)
class Unreachable(Open):
    """Nothing was sent because Fineract cannot be reached."""


@dataclass(frozen=True)
class Stopped(Open):
    """Every further call would fail alike: the run ends here."""


Result = Ended | Open
