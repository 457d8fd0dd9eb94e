"""One try at one intent: read back what may already be posted, look again, send, judge. No database here.

The rules are the tables of `fineract.outcomes`; the attempt rises only after an answer that is recorded as a refusal.
"""

from collections.abc import Callable
from dataclasses import dataclass

from turno_lms.domain.states import IntentState, PostingOutcome
from turno_lms.fineract.answers import Answer
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.outcomes import LOOKS, Verdict, after_looking, judge
from turno_lms.fineract.repayments import Finding, Repayment, agreement, finding
from turno_lms.posting.intents import Ended, Intent, Open, Result, Stopped, Unreachable
from turno_lms.posting.settings import PostingSettings

_STOPPING = frozenset({Verdict.NOT_SENT, Verdict.STOP_RUN})


@dataclass(frozen=True)
class Judgement:
    """What to do about an intent, and the answer that says so."""

    verdict: Verdict
    rule: str
    answer: Answer


def try_intent(
    intent: Intent,
    repayment: Repayment,
    client: FineractClient,
    settings: PostingSettings,
    *,
    may_send: Callable[[], bool],
) -> Result:
    """Try `intent` once. `may_send` is asked just before sending: False when the lease runs out or the run stopped."""
    if intent.may_be_posted:
        looked = _look(client, repayment, Verdict.LOOK_THEN_SAME_KEY)
        if looked:
            return _result(intent, looked, settings)
    if intent.block:
        return _withdrawal(intent, settings)
    if intent.is_stopped:
        return Open(
            _unsent(intent),
            "posting is stopped for its lender and channel",
            settings.stopped_wait,
            counts=False,
        )
    if not may_send():
        return Open(_unsent(intent), "the lease was about to run out, or the run stopped", counts=False)
    return _result(intent, _send(client, repayment, intent.idempotency_key), settings)


def _send(client: FineractClient, repayment: Repayment, idempotency_key: str) -> Judgement:
    answer = client.post_repayment(repayment, idempotency_key)
    rule = judge(answer, agreement(answer, repayment) if answer.ok else None)
    if rule.verdict not in LOOKS:
        return Judgement(rule.verdict, rule.name, answer)
    looked = _look(client, repayment, rule.verdict)
    if looked and looked.verdict in {Verdict.POSTED, Verdict.IN_DOUBT}:
        return looked
    if looked:  # no clear look-up: whatever was sent stays unclear
        return Judgement(Verdict.LOOK_THEN_SAME_KEY, rule.name, answer)
    return Judgement(after_looking(rule.verdict, Finding.ABSENT), rule.name, answer)


def _look(client: FineractClient, repayment: Repayment, verdict: Verdict) -> Judgement | None:
    """Read the repayment back by its external id; None if Fineract says that it does not have it."""
    answer = client.look_up_transaction(repayment.loan_external_id, repayment.external_id)
    found = finding(answer, repayment)
    if found is Finding.ABSENT:
        return None
    refusal = judge(answer).verdict if found is Finding.INCONCLUSIVE else None
    if refusal in _STOPPING:
        return Judgement(refusal, "read back", answer)
    return Judgement(after_looking(verdict, found), f"read back: {found}", answer)


def _withdrawal(intent: Intent, settings: PostingSettings) -> Result:
    """Not sent after all; but while a lost command may still run in Fineract, its absence proves nothing."""
    if intent.may_be_posted and intent.seconds_since_last_try is not None:
        settling = settings.settling - intent.seconds_since_last_try
        if settling > 0:
            return Open(IntentState.UNKNOWN, f"to be withdrawn ({intent.block})", settling, counts=False)
    return Ended(PostingOutcome.WITHDRAWN, error_code=intent.block, error_message="no longer to be posted")


def _unsent(intent: Intent) -> IntentState:
    return IntentState.UNKNOWN if intent.may_be_posted else IntentState.QUEUED


def _result(intent: Intent, judged: Judgement, settings: PostingSettings) -> Result:
    answer = judged.answer
    if judged.verdict is Verdict.POSTED:
        transaction_id = answer.body.get("resourceId") or answer.body.get("id")
        return Ended(PostingOutcome.POSTED, int(transaction_id), answer.status)
    if judged.verdict is Verdict.FAILED:
        return Ended(PostingOutcome.FAILED, None, answer.status, answer.code, answer.message)
    reason = f"{judged.rule}: {answer.status or answer.delivery} {answer.code or ''} {answer.message}".strip()
    return _open(intent, judged.verdict, reason, settings)


def _open(intent: Intent, verdict: Verdict, reason: str, settings: PostingSettings) -> Open:
    if verdict is Verdict.NOT_SENT:
        return Unreachable(_unsent(intent), reason, counts=False)
    if verdict is Verdict.STOP_RUN:
        return Stopped(IntentState.UNKNOWN, reason, counts=False)
    if verdict is Verdict.IN_DOUBT:
        return Open(IntentState.IN_DOUBT, reason)
    if intent.tries >= settings.most_tries:
        return Open(IntentState.IN_DOUBT, f"tried {intent.tries} times; {reason}")
    return _later(verdict, reason, settings, settings.backoff(intent.tries))


def _later(verdict: Verdict, reason: str, settings: PostingSettings, backoff: float) -> Open:
    match verdict:
        case Verdict.SAME_KEY:
            return Open(IntentState.WAITING, reason, backoff)
        case Verdict.NEXT_ATTEMPT:
            return Open(IntentState.WAITING, reason, backoff, next_attempt=True)
        case Verdict.NOT_YET:
            return Open(IntentState.WAITING, reason, settings.not_yet_wait, next_attempt=True)
    return Open(IntentState.UNKNOWN, reason, backoff)
