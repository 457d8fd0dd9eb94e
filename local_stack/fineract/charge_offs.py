"""Charging a loan off and taking that back: a state of the accounts alone, the loan stays active with its dues."""

from datetime import date
from typing import Final

from local_stack.fineract import clients, errors, loan_records, loans, settings
from local_stack.fineract.allocation import unpaid
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.enums import LoanStatus, TransactionType
from local_stack.fineract.loan_records import Loan, Transaction
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import DuplicateError, Store

_FIELDS: Final = FORMAT_FIELDS | {"transactionDate", "chargeOffReasonId", "externalId", "note"}
_ECHOED: Final = ("transactionDate", "locale", "dateFormat", "note", "externalId")


def charge_off(store: Store, target: Target, body: Body) -> Answer:
    """Charge an active loan off: one transaction over everything outstanding, which changes none of it."""
    body.only(_FIELDS)
    checks = Checks("loan.transaction")
    on = body.date("transactionDate")
    checks.required("transactionDate", on)
    loans.check_payment(checks, body)
    checks.settle()
    loan = _require_active(store, target)
    if loan_records.charged_off_on(store, loan.id) is not None:
        code = "error.msg.loan.is.already.charged.off"
        raise errors.domain_rule(code, "Loan is already charged-off")
    _check_date(store, loan, settled(on))
    portions = unpaid(loan_records.installments_of(store, loan.id))
    draft = Transaction(
        id=0,
        loan_id=loan.id,
        kind=TransactionType.CHARGE_OFF,
        on=settled(on),
        submitted_on=settings.today(store),
        amount=portions.repaid,
        portions=portions,
        balance=portions.principal,
        external_id=body.text("externalId"),
    )
    try:
        transaction_id = loan_records.add_transaction(store, draft)
    except DuplicateError as error:
        message = f"UNIQUE constraint failed: {error.column}"
        raise errors.integrity("error.msg.data.integrity.issue", message, "externalId") from error
    loan_records.save_loan(store, loan)
    return _result(loan, transaction_id, body.text("externalId"), dict(body.echo(_ECHOED)))


def undo(store: Store, target: Target, body: Body) -> Answer:
    """Take a charge-off back, which must be the last thing that was done to the loan."""
    body.only(FORMAT_FIELDS | {"reversalExternalId", "note"})
    loan = _require_active(store, target)
    standing = [t for t in loan_records.transactions_of(store, loan.id) if not t.manually_reversed]
    charged_off = [t for t in standing if t.kind is TransactionType.CHARGE_OFF]
    if not charged_off:
        raise errors.domain_rule("error.msg.loan.is.not.charged.off", "Loan is not charged-off")
    if standing[-1].id != charged_off[-1].id:
        code = "error.msg.loan.charge.off.is.not.the.last.user.transaction"
        raise errors.domain_rule(code, "The charge-off is not the last transaction of the loan.")
    reversal = body.text("reversalExternalId")
    try:
        loan_records.reverse_by_hand(store, charged_off[-1].id, settings.today(store), reversal)
    except DuplicateError as error:
        message = f"UNIQUE constraint failed: {error.column}"
        raise errors.integrity("error.msg.data.integrity.issue", message, "reversalExternalId") from error
    loan_records.save_loan(store, loan)
    return _result(loan, charged_off[-1].id, charged_off[-1].external_id, None)


def _require_active(store: Store, target: Target) -> Loan:
    loan = loan_records.require_loan(store, target.loan_id)
    clients.require_active(store, loan.client_id)
    if loan.status is not LoanStatus.ACTIVE:
        raise errors.domain_rule("error.msg.loan.is.not.active", "Loan is not active")
    return loan


def _check_date(store: Store, loan: Loan, on: date) -> None:
    if on > settings.today(store):
        code = "error.msg.loan.transaction.cannot.be.a.future.date"
        raise errors.domain_rule(code, "The transaction date cannot be in the future.")
    standing = [t.on for t in loan_records.transactions_of(store, loan.id) if not t.manually_reversed]
    if on < max(standing):
        code = "error.msg.loan.charge.off.is.before.than.the.last.user.transaction"
        raise errors.domain_rule(code, "The charge-off is before the last transaction of the loan.")


def _result(loan: Loan, transaction_id: int, external_id: str | None, changes: Answer | None) -> Answer:
    return result(
        officeId=clients.HEAD_OFFICE,
        clientId=loan.client_id,
        loanId=loan.id,
        resourceId=transaction_id,
        resourceExternalId=external_id,
        changes=changes,
    )
