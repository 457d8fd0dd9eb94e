"""Writes to a loan beside repayments: waivers, credits, write-offs and their undoing, each under an external id.

A command is what is sent; `found` says what a look-up by its external id means. Facts: the Fineract contract.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from turno_lms.fineract.answers import Answer
from turno_lms.fineract.client import FORMATS, FineractClient, loan_path, transaction_path
from turno_lms.fineract.repayments import Finding, Repayment, finding, iso_date

_NO_PAYMENT_TYPE = 0


@dataclass(frozen=True)
class LoanCommand:
    """One write. `amount` (rupees) is what its transaction must be of; some transactions Fineract dates itself."""

    purpose: str
    loan_external_id: str
    external_id: str
    on: date
    amount: Decimal
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    method: str = "POST"
    is_dated_by_us: bool = True


def waive_interest(loan: str, external_id: str, on: date, amount: Decimal) -> LoanCommand:
    """Waive interest, the earliest installments first."""
    return _transaction("waiveinterest", loan, external_id, on, amount)


def goodwill_credit(loan: str, external_id: str, on: date, amount: Decimal) -> LoanCommand:
    """Credit the loan at the lender's expense: it pays like a repayment."""
    return _transaction("goodwillCredit", loan, external_id, on, amount)


def write_off(loan: str, external_id: str, on: date, amount: Decimal) -> LoanCommand:
    """Write off whatever is outstanding; `amount` is what it must turn out to be."""
    return _transaction("writeoff", loan, external_id, on, amount, sends_amount=False)


def charge_off(loan: str, external_id: str, on: date, amount: Decimal, reason_id: int) -> LoanCommand:
    """Charge the loan off: accounting alone, it stays active."""
    command = _transaction("charge-off", loan, external_id, on, amount, sends_amount=False)
    return replace(command, body={**command.body, "chargeOffReasonId": reason_id})


def foreclose(loan: str, external_id: str, on: date, amount: Decimal) -> LoanCommand:
    """Pay the loan off on a day; Fineract computes the sum, `amount` is what it must turn out to be."""
    return _transaction("foreclosure", loan, external_id, on, amount, sends_amount=False)


def waive_charge(loan: str, charge_id: int, external_id: str, on: date, amount: Decimal) -> LoanCommand:
    """Waive the whole of what is outstanding on a charge. Fineract dates the transaction by the charge's own rules."""
    path = f"{loan_path(loan)}/charges/{charge_id}?command=waive"
    body = {"externalId": external_id}
    return LoanCommand("waive_charge", loan, external_id, on, amount, path, body, is_dated_by_us=False)


def adjust_charge(loan: str, charge_id: int, external_id: str, on: date, amount: Decimal) -> LoanCommand:
    """Credit a part of a charge, dated by Fineract's business date."""
    path = f"{loan_path(loan)}/charges/{charge_id}?command=adjustment"
    body = {"amount": amount, "externalId": external_id, "locale": FORMATS["locale"]}
    return LoanCommand("adjust_charge", loan, external_id, on, amount, path, body, is_dated_by_us=False)


def undo_transaction(command: LoanCommand) -> LoanCommand:
    """Reverse the transaction of a waiver or credit."""
    body = {"transactionDate": command.on, "transactionAmount": 0, **FORMATS}
    return replace(command, purpose=f"undo_{command.purpose}", path=_transaction_path(command), body=body)


def undo_charge_waiver(command: LoanCommand) -> LoanCommand:
    """Take the waiver of a charge back."""
    path = _transaction_path(command)
    return replace(command, purpose="undo_waive_charge", path=path, body={}, method="PUT")


def undo_write_off(command: LoanCommand) -> LoanCommand:
    """Take a write-off back: the loan is active again."""
    return replace(command, purpose="undo_writeoff", path=_command_path(command, "undowriteoff"), body={})


def undo_charge_off(command: LoanCommand) -> LoanCommand:
    """Take a charge-off back."""
    body = {"reversalExternalId": f"{command.external_id}-u"}
    return replace(
        command, purpose="undo_charge-off", path=_command_path(command, "undo-charge-off"), body=body
    )


def send(client: FineractClient, command: LoanCommand, idempotency_key: str) -> Answer:
    """Send a command once and return whatever came back; raises nothing, the caller's ledger judges."""
    return client.send(
        command.method,
        command.path,
        dict(command.body),
        purpose=command.purpose,
        subject=command.external_id,
        idempotency_key=idempotency_key,
    )


def found(answer: Answer, command: LoanCommand) -> Finding:
    """What the look-up of a command's transaction says: there with its amount and day, reversed, different, absent."""
    on = command.on
    if not command.is_dated_by_us and isinstance(answer.body, dict):
        on = iso_date(answer.body.get("date")) or on
    expected = Repayment(command.external_id, command.loan_external_id, on, command.amount, _NO_PAYMENT_TYPE)
    return finding(answer, expected)


def _transaction(
    name: str, loan: str, external_id: str, on: date, amount: Decimal, *, sends_amount: bool = True
) -> LoanCommand:
    body: dict[str, Any] = {"transactionDate": on, "externalId": external_id, **FORMATS}
    if sends_amount:
        body["transactionAmount"] = amount
    path = f"{loan_path(loan)}/transactions?command={name}"
    return LoanCommand(name, loan, external_id, on, amount, path, body)


def _command_path(command: LoanCommand, name: str) -> str:
    return f"{loan_path(command.loan_external_id)}/transactions?command={name}"


def _transaction_path(command: LoanCommand) -> str:
    return transaction_path(command.loan_external_id, command.external_id)
