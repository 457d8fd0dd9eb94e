"""One repayment: what is sent, and whether what Fineract answers or holds is the same one."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from turno_lms.domain.states import RepaymentKind
from turno_lms.fineract.answers import Answer, Delivery

MAX_RECEIPT_NUMBER = 50
_EN_AMOUNT = re.compile(r"\d{1,3}(,\d{3})*(\.\d+)?|\d+(\.\d+)?")


@dataclass(frozen=True)
class Repayment:
    """A repayment of `amount` rupees on a loan; `external_id` is our posting key.

    `fineract_loan_id` is Fineract's own number for the loan where we know it: an answer for another is not ours.
    """

    external_id: str
    loan_external_id: str
    transaction_date: date
    amount: Decimal
    payment_type_id: int
    receipt_number: str | None = None
    fineract_loan_id: int | None = None
    kind: RepaymentKind = RepaymentKind.REPAYMENT

    @property
    def command(self) -> str:
        """Fineract's name of what is asked: a written-off loan takes recoveries and no repayments."""
        return "recoverypayment" if self.kind is RepaymentKind.RECOVERY else "repayment"

    def body(self) -> dict[str, Any]:
        """The fields of POST .../transactions?command=...; Fineract refuses any it does not know."""
        fields: dict[str, Any] = {
            "transactionDate": self.transaction_date,
            "transactionAmount": self.amount,
            "paymentTypeId": self.payment_type_id,
            "externalId": self.external_id,
        }
        if self.receipt_number:
            fields["receiptNumber"] = self.receipt_number[:MAX_RECEIPT_NUMBER]
        return fields


class Agreement(StrEnum):
    """How a 2xx answer compares with the repayment that was sent."""

    SAME = "same"
    NO_EFFECT = "no_effect"  # no resourceId: maker-checker took it in for approval
    OTHER = "other"  # it speaks of another transaction, loan or amount
    UNREADABLE = "unreadable"


class Finding(StrEnum):
    """What a look-up by external id says about a repayment."""

    SAME = "same"
    REVERSED = "reversed"
    DIFFERENT = "different"
    ABSENT = "absent"
    INCONCLUSIVE = "inconclusive"


def locale_amount(value: Any) -> Decimal | None:
    """An amount as `changes` echoes it: a number, or text in the locale `en` that we send (`1,234.5`).

    None when it is neither: an amount is never guessed.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _EN_AMOUNT.fullmatch(value.strip()):
        return Decimal(value.strip().replace(",", ""))
    return None


def agreement(answer: Answer, repayment: Repayment) -> Agreement:
    """Compare a 2xx answer with what was sent. A 200 is no proof by itself: reference 0.6."""
    body = answer.body
    if not isinstance(body, dict):
        return Agreement.UNREADABLE
    if not body.get("resourceId"):
        return Agreement.NO_EFFECT
    changes = body.get("changes")
    amount = changes.get("transactionAmount") if isinstance(changes, dict) else None
    same = (
        body.get("resourceExternalId") == repayment.external_id
        and locale_amount(amount) == repayment.amount
        and (repayment.fineract_loan_id is None or body.get("loanId") == repayment.fineract_loan_id)
    )
    return Agreement.SAME if same else Agreement.OTHER


def iso_date(value: Any) -> date | None:
    """A date as Fineract sends it, `[2026, 1, 5]`; None for anything else."""
    try:
        return date(*value)
    except (TypeError, ValueError):
        return None


def finding(answer: Answer, repayment: Repayment) -> Finding:
    """Judge the look-up of `repayment` by its loan and external id.

    Only Fineract's own 404 says that it is absent; a 404 of something in between says nothing.
    """
    if answer.delivery is not Delivery.ANSWERED:
        return Finding.INCONCLUSIVE
    if answer.status == 404 and answer.code:  # noqa: PLR2004  # not found
        return Finding.ABSENT
    body = answer.body
    if not answer.ok or not isinstance(body, dict) or not body.get("id"):
        return Finding.INCONCLUSIVE
    if body.get("manuallyReversed"):
        return Finding.REVERSED
    same = (
        body.get("externalId", repayment.external_id) == repayment.external_id
        and locale_amount(body.get("amount")) == repayment.amount
        and iso_date(body.get("date")) == repayment.transaction_date
    )
    return Finding.SAME if same else Finding.DIFFERENT
