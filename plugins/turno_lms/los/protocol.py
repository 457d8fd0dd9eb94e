"""What the answer to a write means for its submission. The rules are the tables of `fineract.outcomes`."""

from collections.abc import Callable
from dataclasses import dataclass

from turno_lms.domain.states import LosReason, LosState
from turno_lms.fineract.answers import Answer
from turno_lms.fineract.audit import masked, secrets_of
from turno_lms.fineract.outcomes import LOOKS, Verdict, judge
from turno_lms.fineract.repayments import Agreement
from turno_lms.los.desk import Desk
from turno_lms.los.model import Again, Done, Hold, Outcome, Refuse, Row, View, Write
from turno_lms.los.registry import REGISTRY
from turno_lms.los.results import result_of

_TAKEN = {
    "duplicate.mobileNo": (LosReason.MOBILE_TAKEN, "mobile_no", "mobile number"),
    "duplicate.accountNo": (LosReason.ACCOUNT_TAKEN, "account_no", "account number"),
}


class StopRunError(RuntimeError):
    """Every further call would fail alike; what is not done stays for the next run."""


@dataclass(frozen=True)
class Judged:
    """An outcome, and what Fineract showed after it where it was looked at."""

    outcome: Outcome
    view: View | None = None


def agreement_of(answer: Answer, write: Write) -> Agreement:
    """Compare a 2xx answer with what was sent. A 200 without a resource was only taken in for approval."""
    body = answer.body
    if not isinstance(body, dict):
        return Agreement.UNREADABLE
    if not body.get("resourceId"):
        return Agreement.NO_EFFECT
    named = {body.get("resourceExternalId"), body.get("subResourceExternalId")} - {None}
    return Agreement.SAME if not named or write.expected_external_id in named else Agreement.OTHER


def judge_answer(row: Row, write: Write, answer: Answer, look: Callable[[], View], desk: Desk) -> Judged:
    """The outcome of a write. `look` reads the subject again, and may raise LookUpError. Raises StopRunError."""
    taken = _taken(row, answer, desk)
    if taken:
        return Judged(taken)
    rule = judge(answer, agreement_of(answer, write) if answer.ok else None)
    said = text_of(
        row, f"{rule.name}: {answer.status or answer.delivery} {answer.code or ''} {answer.message}".strip()
    )
    if rule.verdict is Verdict.POSTED:
        return _looked_after(row, look())
    if rule.verdict is Verdict.FAILED:
        return Judged(Refuse(LosReason.REFUSED_BY_FINERACT, said, answer.status))
    if rule.verdict is Verdict.STOP_RUN:
        raise StopRunError(f"Fineract refuses every call ({said}). Correct the connection turno_fineract")
    if rule.verdict is Verdict.NOT_SENT:
        return Judged(Again(LosState.QUEUED, said))
    if rule.verdict in LOOKS:
        return _looked_up(row, rule.verdict, said, look())
    return Judged(_later(rule.verdict, said))


def _looked_after(row: Row, view: View) -> Judged:
    """Fineract says that it is done; what it then shows is the result."""
    return Judged(Done(result_of(REGISTRY[row.operation], view)), view)


def _looked_up(row: Row, verdict: Verdict, said: str, view: View) -> Judged:
    operation = REGISTRY[row.operation]
    if operation.is_done(row, view):
        return Judged(Done(result_of(operation, view)), view)
    if verdict is not Verdict.LOOK_THEN_IN_DOUBT:
        return Judged(_later(verdict, said), view)
    if "duplicate" in said or "unique" in said or "data.integrity" in said:
        return Judged(_taken_external_id(row, view, said), view)
    return Judged(Hold(LosReason.IN_DOUBT, f"{said}: look in Fineract before it is tried again"), view)


def _taken_external_id(row: Row, view: View, said: str) -> Outcome:
    """Its external id is taken: by the same thing with other data, or (a charge, a transaction) by something else."""
    operation = REGISTRY[row.operation]
    there = view.client if operation.name == "create_client" else view.loan
    if operation.name in {"create_client", "create_loan"} and there:
        return operation.otherwise(row, view)
    return Hold(LosReason.IN_DOUBT, said)


def _later(verdict: Verdict, said: str) -> Again:
    match verdict:
        case Verdict.SAME_KEY:
            return Again(LosState.UNKNOWN, said)
        case Verdict.NEXT_ATTEMPT | Verdict.LOOK_THEN_NEXT_ATTEMPT:
            return Again(LosState.UNKNOWN, said, next_attempt=True)
        case Verdict.NOT_YET:
            return Again(LosState.UNKNOWN, said, next_attempt=True, wait_longer=True)
    return Again(LosState.UNKNOWN, said)


def _taken(row: Row, answer: Answer, desk: Desk) -> Hold | None:
    """A mobile or account number that somebody else has: who, as Fineract's numbers and external ids."""
    kind = next((found for code, found in _TAKEN.items() if answer.code and code in answer.code), None)
    if kind is None:
        return None
    reason, field, name = kind
    value = row.payload.get(field, "")
    if REGISTRY[row.operation].name == "create_loan":
        page = desk.read(f"/loans?accountNo={value}&orderBy=id", "find_holder", row.payload["loan_id"]) or {}
        holders = [(each.get("id"), each.get("externalId")) for each in page.get("pageItems", ())]
    else:
        found = desk.search_clients(value, row.payload["client_id"])
        holders = [(each.get("entityId"), each.get("entityExternalId")) for each in found]
    told = ", ".join(f"{number} (external id {external_id or 'none'})" for number, external_id in holders)
    message = f"the {name} belongs to number {told or 'somebody that the search does not show'} in Fineract"
    detail = {"holders": [{"number": number, "external_id": external_id} for number, external_id in holders]}
    return Hold(reason, message, detail)


def text_of(row: Row, text: str) -> str:
    """A message without the personal data of the submission that it may quote."""
    return str(masked(text, secrets_of(row.payload)))[:500]
