"""Creation, approval and disbursal of a loan as one transaction in Fineract, where the lender's mapping asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from turno_lms.domain.states import LosReason, LosState
from turno_lms.fineract import exact_json
from turno_lms.fineract.answers import Answer, read_answer
from turno_lms.fineract.outcomes import Verdict, judge
from turno_lms.fineract.repayments import Agreement
from turno_lms.los.desk import Desk
from turno_lms.los.model import Again, Done, Hold, Json, Outcome, Refuse, Row, View, Write
from turno_lms.los.protocol import StopRunError, agreement_of, text_of
from turno_lms.los.registry import REGISTRY
from turno_lms.los.results import result_of

LINKS = ("create_loan", "approve_loan", "disburse_loan")
PATH = "/batches?enclosingTransaction=true"


@dataclass(frozen=True)
class Chain:
    """The rows in the order of their links, each with its write."""

    rows: tuple[Row, ...]
    writes: tuple[Write, ...]

    def body(self) -> list[Json]:
        """The items of the batch: each refers to the one before it."""
        return [
            {
                "requestId": number,
                "relativeUrl": write.path.removeprefix("/"),
                "method": write.method,
                "headers": [{"name": "Idempotency-Key", "value": row.idempotency_key}],
                "body": exact_json.dumps(write.body),
                **({"reference": number - 1} if number > 1 else {}),
            }
            for number, (row, write) in enumerate(zip(self.rows, self.writes, strict=True), start=1)
        ]


def chain_of(creation: Row, creating: Write, rows: Sequence[Row], desk: Desk) -> Chain | None:
    """The chain that starts with this creation, None where it is not asked for, not complete or not to be sent now."""
    lender = desk.lenders.get(creation.payload["lender"])
    if lender is None or not lender.los.atomic_chain:
        return None
    found = {row.operation: row for row in reversed(rows) if row.operation in LINKS and not row.sent}
    if len(found) != len(LINKS) or found[LINKS[0]] is not creation:
        return None
    approval, disbursal = (found[name] for name in LINKS[1:])
    approved = approval.payload.get("amount", creation.payload["principal"])
    then = View(loan={"loanProductId": lender.fineract.product_id, "approvedPrincipal": approved})
    drafts = [REGISTRY[row.operation].draft(row, then, desk) for row in (approval, disbursal)]
    writes = [draft for draft in drafts if isinstance(draft, Write)]
    if len(writes) != len(drafts):
        return None  # one of them must wait or be held: each then goes by itself
    return Chain((creation, approval, disbursal), (creating, *writes))


def judge_chain(chain: Chain, answer: Answer, view: View) -> list[Outcome]:
    """The outcome of each link; `view` is what Fineract shows of the loan afterwards. Raises StopRunError."""
    if all(REGISTRY[row.operation].is_done(row, view) for row in chain.rows):
        return [Done(result_of(REGISTRY[row.operation], view)) for row in chain.rows]
    items = answer.body if answer.ok and isinstance(answer.body, list) else []
    place, item = _failed(items, chain)
    rule = judge(item or answer, Agreement.NO_EFFECT if (item or answer).ok else None)
    said = f"{rule.name}: {(item or answer).status or answer.delivery} {(item or answer).code or ''}"
    said = text_of(chain.rows[0], f"{said} {(item or answer).message}".strip())
    if rule.verdict is Verdict.STOP_RUN:
        raise StopRunError(f"Fineract refuses every call ({said}). Correct the connection turno_fineract")
    if rule.verdict is Verdict.FAILED and item and view.loan is None:
        return [_refusal(chain, number, place, said) for number in range(len(chain.rows))]
    state = LosState.QUEUED if rule.verdict is Verdict.NOT_SENT else LosState.UNKNOWN
    spent = rule.verdict in {Verdict.NEXT_ATTEMPT, Verdict.LOOK_THEN_NEXT_ATTEMPT, Verdict.NOT_YET}
    return [Again(state, said, next_attempt=spent) for _ in chain.rows]


def _failed(items: Sequence[Any], chain: Chain) -> tuple[int, Answer | None]:
    """The link that failed, and its answer: of an enclosing batch Fineract answers with that one alone."""
    for item in items:
        answer = read_answer(int(item.get("statusCode") or 0), str(item.get("body") or ""), from_cache=False)
        place = int(item.get("requestId") or 1) - 1
        if not answer.ok or agreement_of(answer, chain.writes[place]) is not Agreement.SAME:
            return place, answer
    return 0, None


def _refusal(chain: Chain, number: int, place: int, said: str) -> Hold | Refuse:
    if number == place:
        return Refuse(LosReason.REFUSED_BY_FINERACT, said)
    blamed = chain.rows[place]
    message = (
        f"sent as one with {blamed.operation} {blamed.reference}, which was refused: nothing of it was done"
    )
    return Hold(
        LosReason.CHAIN_REFUSED, message, {"operation": blamed.operation, "reference": blamed.reference}
    )


def in_flight(chain: Chain) -> Chain:
    """The chain as it is once its rows are marked."""
    return replace(chain, rows=tuple(replace(row, state=LosState.IN_FLIGHT) for row in chain.rows))
