"""The reference of a payment link: a pure function of loan, due, purpose and attempt.

`GB100234_E260105_1`: the loan, what it is for (E, T or D) with the due date, and which attempt. Gateways hand it back
as the order's receipt or the link's id, so that `split: _, part: 1` names the loan. Razorpay takes 40 characters,
Cashfree 50 letters, digits, `-` and `_`; the separator occurs in no loan id that is accepted here.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from turno_lms.domain.states import LinkPurpose

MAX_LENGTH = 40
_LETTERS = {LinkPurpose.EMI: "E", LinkPurpose.OVERDUE: "D", LinkPurpose.OUTSTANDING: "T"}
_PURPOSES = {letter: purpose for purpose, letter in _LETTERS.items()}
_LOAN_ID = re.compile(r"[A-Z0-9-]+")
_REFERENCE = re.compile(r"(?P<loan>[A-Z0-9-]+)_(?P<letter>[EDT])(?P<due>\d{6})_(?P<attempt>[1-9]\d{0,3})")
_DAY = "%y%m%d"


class BadReferenceError(ValueError):
    """A loan id that fits into no reference, or a text that is none; the message says which."""


@dataclass(frozen=True)
class Reference:
    """What a reference says."""

    loan_id: str
    purpose: LinkPurpose
    due_on: date
    attempt: int


def make_reference(loan_id: str, due_on: date, purpose: LinkPurpose, attempt: int) -> str:
    """The reference of the `attempt`-th link (from 1) for a loan's due and purpose. Raises BadReferenceError."""
    text = f"{loan_id}_{_LETTERS[purpose]}{due_on:{_DAY}}_{attempt}"
    if not _LOAN_ID.fullmatch(loan_id):
        raise BadReferenceError(f"loan id {loan_id!r} has other signs than capitals, digits and hyphens")
    if len(text) > MAX_LENGTH or not _REFERENCE.fullmatch(text):
        raise BadReferenceError(
            f"{text} is no reference: at most {MAX_LENGTH} characters, attempts 1 to 9999"
        )
    return text


def parse_reference(text: str) -> Reference:
    """What `make_reference` was given. Raises BadReferenceError for any other text."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise BadReferenceError(f"{text!r} is no reference of a payment link")
    try:
        due_on = datetime.strptime(found["due"], _DAY).date()  # noqa: DTZ007  # a date, no moment
    except ValueError as error:
        raise BadReferenceError(f"{text!r} is no reference of a payment link: {error}") from error
    return Reference(found["loan"], _PURPOSES[found["letter"]], due_on, int(found["attempt"]))
