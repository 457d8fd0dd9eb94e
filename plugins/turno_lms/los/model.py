"""What operations are told in: a submission with its state, what Fineract has of its subject, what may follow."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from turno_lms.domain.keys import idempotency_key, los_key
from turno_lms.domain.states import LosReason, LosState

Json = dict[str, Any]
ABSENT = None
"""The status of what Fineract does not have."""


class Subject(StrEnum):
    """Whose sequence an operation belongs to. Operations of one subject run one after the other."""

    CLIENT = "client"
    LOAN = "loan"


@dataclass(frozen=True)
class Row:
    """A submission and how far it is. `sent` tells that it may have reached Fineract before."""

    operation: str
    submission_id: UUID
    caller: str
    reference: str
    payload: Json
    submitted_at: datetime
    state: LosState = LosState.QUEUED
    attempt: int = 1
    tries: int = 0
    accepted_reasons: frozenset[str] = frozenset()
    is_due: bool = True

    @property
    def key(self) -> str:
        """32 hexadecimal digits that stand for the submission."""
        return los_key(self.operation, self.caller, self.reference)

    @property
    def external_id(self) -> str:
        """The external id of a transaction or charge that it makes; never of the form of a posting key."""
        return f"los-{self.key}"

    @property
    def idempotency_key(self) -> str:
        """The header of its present attempt."""
        return idempotency_key(self.key, self.attempt)

    @property
    def sent(self) -> bool:
        """Whether Fineract may have it."""
        return self.state in {LosState.IN_FLIGHT, LosState.UNKNOWN}

    def accepts(self, reason: LosReason) -> bool:
        """Whether a person let this mismatch pass."""
        return reason in self.accepted_reasons


@dataclass(frozen=True)
class View:
    """What Fineract has: the loan with its charges and schedule, and the client as far as it was asked for."""

    loan: Json | None = None
    client: Json | None = None

    @property
    def loan_status(self) -> int | None:
        """Fineract's status number of the loan, ABSENT without one."""
        return int(self.loan["status"]["id"]) if self.loan else ABSENT

    @property
    def client_status(self) -> int | None:
        """The same of the client."""
        return int(self.client["status"]["id"]) if self.client else ABSENT


@dataclass(frozen=True)
class Write:
    """One call that carries an operation out. `expected_external_id` is what its answer must name, if it names any."""

    method: str
    path: str
    body: Json
    expected_external_id: str | None = None


@dataclass(frozen=True)
class Wait:
    """Not yet: what it depends on is not there. `until` is the day before which nothing can change."""

    reason: LosReason
    message: str
    until: date | None = None


@dataclass(frozen=True)
class Hold:
    """A person looks. `detail` holds figures of both sides, never personal data."""

    reason: LosReason
    message: str
    detail: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Refuse:
    """Not to be done."""

    reason: LosReason
    message: str
    status_code: int | None = None


@dataclass(frozen=True)
class Done:
    """Carried out, or recognised as what Fineract has already."""

    result: Json
    recognised: bool = False


@dataclass(frozen=True)
class Again:
    """Sent without a clear end, or not sent for now: to be looked up and tried again. `next_attempt` spends the key."""

    state: LosState
    message: str
    next_attempt: bool = False
    wait_longer: bool = False


Ending = Done | Refuse | Hold
Outcome = Ending | Wait | Again
Draft = Write | Wait | Hold | Refuse
