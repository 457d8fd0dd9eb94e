"""The errors of Fineract calls: few types, each with status, code and what a caller may do next."""

from enum import StrEnum

from turno_lms.fineract.answers import Answer
from turno_lms.fineract.outcomes import Verdict, judge


class RetryClass(StrEnum):
    """What may follow a failed write."""

    NEVER = "never"  # refused for good
    LATER = "later"  # nothing ran
    AFTER_LOOKUP = "after_lookup"  # it may have run: read before sending again
    STOP = "stop"  # every further call would fail alike


_RETRY_CLASS = {
    Verdict.FAILED: RetryClass.NEVER,
    Verdict.NOT_SENT: RetryClass.LATER,
    Verdict.SAME_KEY: RetryClass.LATER,
    Verdict.NOT_YET: RetryClass.LATER,
    Verdict.STOP_RUN: RetryClass.STOP,
}


class FineractError(RuntimeError):
    """A call that did not end in success. `status` and `code` are None where Fineract gave none."""

    def __init__(self, call: str, answer: Answer, retry: RetryClass):
        self.call = call
        self.status = answer.status
        self.code = answer.code
        self.retry = retry
        answered = f"{answer.status} {answer.code or ''}".strip() if answer.status else answer.delivery.value
        super().__init__(f"Fineract {call}: {answered}: {answer.message or 'no message'}")


class FineractRefusedError(FineractError):
    """Refused for good: the request is wrong for the state of the loan, client or product."""


class FineractNotFoundError(FineractRefusedError):
    """404: no such resource."""


class FineractUnavailableError(FineractError):
    """Not reachable, locked or busy: nothing ran, the same call may be made later."""


class FineractUnknownOutcomeError(FineractError):
    """The call may have taken effect. Read before sending it again."""


class FineractConfigurationError(FineractError):
    """Credentials, permission, tenant or instance type: correct the connection `turno_fineract`, then run again."""


_TYPES: dict[RetryClass, type[FineractError]] = {
    RetryClass.NEVER: FineractRefusedError,
    RetryClass.LATER: FineractUnavailableError,
    RetryClass.AFTER_LOOKUP: FineractUnknownOutcomeError,
    RetryClass.STOP: FineractConfigurationError,
}


def error_of(call: str, answer: Answer) -> FineractError:
    """The error for an answer that is no success."""
    retry = _RETRY_CLASS.get(judge(answer).verdict, RetryClass.AFTER_LOOKUP)
    if retry is RetryClass.NEVER and answer.status == 404:  # noqa: PLR2004  # not found
        return FineractNotFoundError(call, answer, retry)
    return _TYPES[retry](call, answer, retry)
