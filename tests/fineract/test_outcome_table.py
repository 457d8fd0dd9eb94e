"""The outcome tables, row by row: reference sections 1.3, 1.4 and 2.3."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from turno_lms.fineract.answers import Answer, Delivery, read_answer
from turno_lms.fineract.exact_json import dumps
from turno_lms.fineract.outcomes import AFTER_LOOKING, LOOKS, RULES, Verdict, after_looking, judge
from turno_lms.fineract.repayments import Finding, Repayment, agreement, finding

KEY = "0f" * 16
REPAYMENT = Repayment(KEY, "GB100234", date(2026, 1, 5), Decimal("5499.00"), 1, fineract_loan_id=91)
DONE: dict[str, Any] = {
    "loanId": 91,
    "resourceId": 655,
    "resourceExternalId": KEY,
    "changes": {"transactionAmount": "5,499", "locale": "en"},
}
HTML = "<html>Bad Gateway</html>"


def error(code: str) -> dict[str, Any]:
    return {"userMessageGlobalisationCode": "validation.msg.domain.rule.violation", "errors": [
        {"userMessageGlobalisationCode": code, "developerMessage": "text"}]}  # fmt: skip


def answered(status: int, body: Any, *, from_cache: bool = False) -> Answer:
    return read_answer(status, body if isinstance(body, str) else dumps(body), from_cache=from_cache)


UNIQUE = error("validation.msg.loan.transaction.externalId.value.must.be.unique")
LOCKED = error("error.msg.loan.locked")
CONFLICT = error("error.msg.platform.service.loan.conflict")

ROWS: list[tuple[str, Answer, str, Verdict]] = [
    ("refused connection", Answer(Delivery.NOT_SENT), "no connection", Verdict.NOT_SENT),
    ("timeout", Answer(Delivery.LOST), "answer lost", Verdict.LOOK_THEN_SAME_KEY),
    ("200", answered(200, DONE), "done", Verdict.POSTED),
    ("200 replayed, ours", answered(200, DONE, from_cache=True), "done", Verdict.POSTED),
    ("200 under maker-checker", answered(200, {"commandId": 3}), "taken for approval", Verdict.LOOK_THEN_IN_DOUBT),
    ("200 of another id", answered(200, {**DONE, "resourceExternalId": "x"}), "answer of another payment",
     Verdict.LOOK_THEN_IN_DOUBT),
    ("200 of another loan", answered(200, {**DONE, "loanId": 92}, from_cache=True), "answer of another payment",
     Verdict.LOOK_THEN_IN_DOUBT),
    ("200 of another amount", answered(200, {**DONE, "changes": {"transactionAmount": "5,499.5"}}),
     "answer of another payment", Verdict.LOOK_THEN_IN_DOUBT),
    ("200 without a body", answered(200, ""), "success without a readable body", Verdict.LOOK_THEN_SAME_KEY),
    ("401 of the container", answered(401, HTML), "credentials refused", Verdict.STOP_RUN),
    ("400 replayed", answered(400, UNIQUE, from_cache=True), "old refusal replayed", Verdict.LOOK_THEN_NEXT_ATTEMPT),
    ("500 replayed, empty", answered(500, "", from_cache=True), "old refusal replayed", Verdict.LOOK_THEN_NEXT_ATTEMPT),
    ("409 replayed", answered(409, CONFLICT, from_cache=True), "old refusal replayed", Verdict.LOOK_THEN_NEXT_ATTEMPT),
    ("400 of the container", answered(400, HTML), "tenant missing or unknown", Verdict.STOP_RUN),
    ("403 not authorised", answered(403, {"userMessageGlobalisationCode": "error.msg.not.authorized"}),
     "no permission", Verdict.STOP_RUN),
    ("405 read-only node", answered(405, error("error.msg.invalid.instance.type")), "instance refuses writes",
     Verdict.STOP_RUN),
    ("400 external id taken", answered(400, UNIQUE), "external id taken", Verdict.LOOK_THEN_IN_DOUBT),
    ("403 integrity", answered(403, error("error.msg.data.integrity.issue")), "external id taken",
     Verdict.LOOK_THEN_IN_DOUBT),
    ("403 future date", answered(403, error("error.msg.loan.transaction.cannot.be.a.future.date")),
     "date after the business date", Verdict.NOT_YET),
    ("404 of a proxy", answered(404, HTML), "not Fineract's refusal", Verdict.LOOK_THEN_SAME_KEY),
    ("403 of a proxy", answered(403, HTML), "not Fineract's refusal", Verdict.LOOK_THEN_SAME_KEY),
    ("400 loan not active", answered(400, error("error.msg.loan.must.be.active.fully.paid.or.overpaid")), "refused",
     Verdict.FAILED),
    ("400 unknown parameter", answered(400, error("error.msg.parameter.unsupported")), "refused", Verdict.FAILED),
    ("400 bad JSON, no errors", answered(400, {"userMessageGlobalisationCode": "error.msg.invalid.request.body"}),
     "refused", Verdict.FAILED),
    ("403 before disbursement",
     answered(403, error("error.msg.loan.transaction.cannot.be.before.disbursement.date")), "refused", Verdict.FAILED),
    ("403 client not active", answered(403, error("error.msg.client.not.active.exception")), "refused",
     Verdict.FAILED),
    ("404 unknown loan", answered(404, error("error.msg.loan.external.id.invalid")), "refused", Verdict.FAILED),
    ("409 close of business", answered(409, LOCKED), "loan locked by close of business", Verdict.SAME_KEY),
    ("409 conflict", answered(409, CONFLICT), "concurrent change", Verdict.LOOK_THEN_NEXT_ATTEMPT),
    ("409 bare body", answered(409, {"developerMessage": "lock"}), "concurrent change",
     Verdict.LOOK_THEN_NEXT_ATTEMPT),
    ("425", answered(425, {"transactionAmount": 1}), "still being processed", Verdict.LOOK_THEN_SAME_KEY),
    ("501", answered(501, error("error.msg.x")), "not implemented", Verdict.FAILED),
    ("503 scheduler", answered(503, error("error.msg.sheduler.job.currently.running")), "scheduler job running",
     Verdict.SAME_KEY),
    ("503 written off", answered(503, error("error.msg.loan.written.off.update.not.allowed")), "refused under 503",
     Verdict.FAILED),
    ("503 chargeback", answered(503, error("error.msg.transaction.update.not.allowed")), "refused under 503",
     Verdict.FAILED),
    ("503 of a proxy", answered(503, HTML), "server fault", Verdict.LOOK_THEN_SAME_KEY),
    ("500 uncaught", answered(500, {"Exception": "text"}), "server fault", Verdict.LOOK_THEN_SAME_KEY),
    ("500 inline close of business", answered(500, error("error.msg.sheduler.job.execution.failed")), "server fault",
     Verdict.LOOK_THEN_SAME_KEY),
    ("302 to a login page", answered(302, HTML), "anything else", Verdict.LOOK_THEN_SAME_KEY),
    ("429 of a proxy", answered(429, HTML), "anything else", Verdict.LOOK_THEN_SAME_KEY),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "rule", "verdict"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_an_answer_is_judged_by_its_row(answer: Answer, rule: str, verdict: Verdict) -> None:
    found = judge(answer, agreement(answer, REPAYMENT) if answer.ok else None)
    assert (found.name, found.verdict) == (rule, verdict)


def test_every_row_of_the_table_has_an_answer_that_reaches_it() -> None:
    assert {row[2] for row in ROWS} == {rule.name for rule in RULES}


@pytest.mark.parametrize(
    ("found", "same_key", "next_attempt", "in_doubt"),
    [
        (Finding.SAME, Verdict.POSTED, Verdict.POSTED, Verdict.POSTED),
        (Finding.REVERSED, Verdict.IN_DOUBT, Verdict.IN_DOUBT, Verdict.IN_DOUBT),
        (Finding.DIFFERENT, Verdict.IN_DOUBT, Verdict.IN_DOUBT, Verdict.IN_DOUBT),
        (Finding.ABSENT, Verdict.LOOK_THEN_SAME_KEY, Verdict.NEXT_ATTEMPT, Verdict.IN_DOUBT),
        (Finding.INCONCLUSIVE,) + (Verdict.LOOK_THEN_SAME_KEY,) * 3,
    ],
)
def test_a_look_up_decides_what_the_answer_left_open(
    found: Finding, same_key: Verdict, next_attempt: Verdict, in_doubt: Verdict
) -> None:
    assert after_looking(Verdict.LOOK_THEN_SAME_KEY, found) is same_key
    assert after_looking(Verdict.LOOK_THEN_NEXT_ATTEMPT, found) is next_attempt
    assert after_looking(Verdict.LOOK_THEN_IN_DOUBT, found) is in_doubt


def test_every_look_up_has_an_entry() -> None:
    assert set(AFTER_LOOKING) == {(look, found) for look in LOOKS for found in Finding}


TRANSACTION: dict[str, Any] = {
    "id": 655, "externalId": KEY, "amount": Decimal("5499.000000"), "date": [2026, 1, 5], "manuallyReversed": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answered(200, TRANSACTION), Finding.SAME),
        (answered(200, {**TRANSACTION, "manuallyReversed": True}), Finding.REVERSED),
        (answered(200, {**TRANSACTION, "amount": Decimal("5499.01")}), Finding.DIFFERENT),
        (answered(200, {**TRANSACTION, "date": [2026, 1, 6]}), Finding.DIFFERENT),
        (answered(200, {**TRANSACTION, "externalId": "x"}), Finding.DIFFERENT),
        (answered(404, error("error.msg.loan.transaction.external.id.invalid")), Finding.ABSENT),
        (answered(404, error("error.msg.loan.external.id.invalid")), Finding.ABSENT),
        (answered(404, HTML), Finding.INCONCLUSIVE),
        (answered(500, {"Exception": "text"}), Finding.INCONCLUSIVE),
        (answered(200, HTML), Finding.INCONCLUSIVE),
        (answered(200, {}), Finding.INCONCLUSIVE),
        (Answer(Delivery.LOST), Finding.INCONCLUSIVE),
        (Answer(Delivery.NOT_SENT), Finding.INCONCLUSIVE),
    ],
)
def test_a_look_up_counts_only_with_the_same_id_amount_and_date(answer: Answer, expected: Finding) -> None:
    assert finding(answer, REPAYMENT) is expected


@pytest.mark.parametrize("echoed", ["5,499", "5,499.00", "5499", 5499, Decimal("5499.00")])
def test_amounts_echoed_in_the_locale_en_are_read(echoed: Any) -> None:
    answer = answered(200, {**DONE, "changes": {"transactionAmount": echoed}})
    assert judge(answer, agreement(answer, REPAYMENT)).verdict is Verdict.POSTED


@pytest.mark.parametrize("echoed", ["5.499,00", "54,99", "5 499", "", None, True, "₹5,499"])
def test_an_amount_that_another_locale_wrote_is_not_guessed(echoed: Any) -> None:
    answer = answered(200, {**DONE, "changes": {"transactionAmount": echoed}})
    assert judge(answer, agreement(answer, REPAYMENT)).verdict is Verdict.LOOK_THEN_IN_DOUBT
