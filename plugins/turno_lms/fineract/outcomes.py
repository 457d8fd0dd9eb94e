"""What an answer to a repayment means, as data: two tables, read from the top, the first row that fits decides.

The first table judges the answer to the call, the second what a look-up by external id found where the first one
asks for it. Nothing here sends, waits or stores.
"""

from dataclasses import dataclass
from enum import StrEnum

from turno_lms.fineract.answers import Answer, Delivery
from turno_lms.fineract.repayments import Agreement, Finding

DUPLICATE_CODES = ("externalId.value.must.be.unique", "data.integrity.issue", "duplicate.externalId")
LOCK_CODES = ("error.msg.loan.locked",)
SCHEDULER_CODES = ("error.msg.sheduler.job.currently.running",)  # Fineract's spelling
REFUSED_503_CODES = ("update.not.allowed", "write.off.transaction.not.found")
FUTURE_DATE_CODES = ("cannot.be.a.future.date",)
PERMISSION_CODES = ("error.msg.not.authorized",)


class Verdict(StrEnum):
    """What to do after an answer."""

    POSTED = "posted"
    FAILED = "failed"  # refused for good; a person may order another attempt
    NOT_SENT = "not_sent"  # Fineract cannot be reached
    STOP_RUN = (
        "stop_run"  # every further call would fail alike: credentials, permission, tenant, instance type
    )
    SAME_KEY = "same_key"  # nothing ran and nothing was recorded: wait, then the same attempt
    NEXT_ATTEMPT = "next_attempt"  # nothing ran and the key is spent: wait, then the next attempt
    NOT_YET = "not_yet"  # as NEXT_ATTEMPT, but it is the business date that must move on: wait long
    LOOK_THEN_SAME_KEY = "look_then_same_key"  # may have run, or still runs
    LOOK_THEN_NEXT_ATTEMPT = "look_then_next_attempt"  # the key is spent; whether money moved is to be read
    LOOK_THEN_IN_DOUBT = "look_then_in_doubt"  # it should be there: if it is not, a person looks
    IN_DOUBT = "in_doubt"


LOOKS = frozenset({Verdict.LOOK_THEN_SAME_KEY, Verdict.LOOK_THEN_NEXT_ATTEMPT, Verdict.LOOK_THEN_IN_DOUBT})


@dataclass(frozen=True)
class Rule:
    """One row: every condition that is given must hold. `codes` are parts of Fineract's error code; an empty
    tuple asks for an answer without one (a proxy's or the container's).
    """

    name: str
    verdict: Verdict
    delivery: Delivery = Delivery.ANSWERED
    statuses: tuple[int, int] = (100, 599)
    codes: tuple[str, ...] | None = None
    from_cache: bool | None = None
    agreement: Agreement | None = None

    def fits(self, answer: Answer, agreement: Agreement | None) -> bool:
        """Whether this row speaks of `answer`."""
        if answer.delivery is not self.delivery:
            return False
        if answer.delivery is not Delivery.ANSWERED:
            return True
        first, last = self.statuses
        return (
            first <= (answer.status or 0) <= last
            and self.from_cache in {None, answer.from_cache}
            and self.agreement in {None, agreement}
            and self._code_fits(answer.code)
        )

    def _code_fits(self, code: str | None) -> bool:
        if self.codes is None:
            return True
        if not self.codes:
            return code is None
        return code is not None and any(part in code for part in self.codes)


RULES: tuple[Rule, ...] = (
    Rule("no connection", Verdict.NOT_SENT, delivery=Delivery.NOT_SENT),
    Rule("answer lost", Verdict.LOOK_THEN_SAME_KEY, delivery=Delivery.LOST),
    Rule("done", Verdict.POSTED, statuses=(200, 299), agreement=Agreement.SAME),
    Rule(
        "taken for approval", Verdict.LOOK_THEN_IN_DOUBT, statuses=(200, 299), agreement=Agreement.NO_EFFECT
    ),
    Rule(
        "answer of another payment",
        Verdict.LOOK_THEN_IN_DOUBT,
        statuses=(200, 299),
        agreement=Agreement.OTHER,
    ),
    Rule("success without a readable body", Verdict.LOOK_THEN_SAME_KEY, statuses=(200, 299)),
    Rule("credentials refused", Verdict.STOP_RUN, statuses=(401, 401)),
    Rule("old refusal replayed", Verdict.LOOK_THEN_NEXT_ATTEMPT, statuses=(400, 599), from_cache=True),
    Rule("tenant missing or unknown", Verdict.STOP_RUN, statuses=(400, 400), codes=()),
    Rule("no permission", Verdict.STOP_RUN, statuses=(403, 403), codes=PERMISSION_CODES),
    Rule("instance refuses writes", Verdict.STOP_RUN, statuses=(405, 405)),
    Rule("external id taken", Verdict.LOOK_THEN_IN_DOUBT, statuses=(400, 403), codes=DUPLICATE_CODES),
    Rule("date after the business date", Verdict.NOT_YET, statuses=(403, 403), codes=FUTURE_DATE_CODES),
    Rule("not Fineract's refusal", Verdict.LOOK_THEN_SAME_KEY, statuses=(402, 404), codes=()),
    Rule("refused", Verdict.FAILED, statuses=(400, 404)),
    Rule("loan locked by close of business", Verdict.SAME_KEY, statuses=(409, 409), codes=LOCK_CODES),
    Rule("concurrent change", Verdict.LOOK_THEN_NEXT_ATTEMPT, statuses=(409, 409)),
    Rule("still being processed", Verdict.LOOK_THEN_SAME_KEY, statuses=(425, 425)),
    Rule("not implemented", Verdict.FAILED, statuses=(501, 501)),
    Rule("scheduler job running", Verdict.SAME_KEY, statuses=(503, 503), codes=SCHEDULER_CODES),
    Rule("refused under 503", Verdict.FAILED, statuses=(503, 503), codes=REFUSED_503_CODES),
    Rule("server fault", Verdict.LOOK_THEN_SAME_KEY, statuses=(500, 599)),
    Rule("anything else", Verdict.LOOK_THEN_SAME_KEY),
)


def judge(answer: Answer, agreement: Agreement | None = None) -> Rule:
    """The row for an answer to a write. `agreement` is given for a 2xx to a repayment."""
    return next(rule for rule in RULES if rule.fits(answer, agreement))


AFTER_LOOKING: dict[tuple[Verdict, Finding], Verdict] = {
    **{(look, Finding.SAME): Verdict.POSTED for look in LOOKS},
    **{(look, Finding.REVERSED): Verdict.IN_DOUBT for look in LOOKS},
    **{(look, Finding.DIFFERENT): Verdict.IN_DOUBT for look in LOOKS},
    # kept as it is: the next try looks again before anything is sent
    **{(look, Finding.INCONCLUSIVE): Verdict.LOOK_THEN_SAME_KEY for look in LOOKS},
    # an absent transaction may belong to a command that still runs: look again before sending
    (Verdict.LOOK_THEN_SAME_KEY, Finding.ABSENT): Verdict.LOOK_THEN_SAME_KEY,
    (Verdict.LOOK_THEN_NEXT_ATTEMPT, Finding.ABSENT): Verdict.NEXT_ATTEMPT,
    (Verdict.LOOK_THEN_IN_DOUBT, Finding.ABSENT): Verdict.IN_DOUBT,
}


def after_looking(verdict: Verdict, found: Finding) -> Verdict:
    """What a verdict that asked for a look-up becomes when the look-up has answered."""
    return AFTER_LOOKING[verdict, found]
