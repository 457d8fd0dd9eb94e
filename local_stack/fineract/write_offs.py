"""Writing a loan off, taking that back, and money that comes in on a loan written off.

What is written off is what was outstanding, and nothing is stored about it besides the transaction: while a loan is
written off, its unpaid dues count as written off and none as outstanding. A recovery pays none of them: it only raises
`totalRecovered`, and each may be as large as what was written off.
"""

from dataclasses import replace
from datetime import date
from typing import Final

from local_stack.fineract import clients, enums, errors, loan_records, loans, repayments, settings
from local_stack.fineract.allocation import Portions, unpaid
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.enums import LoanStatus, TransactionType
from local_stack.fineract.loan_records import Loan, Transaction
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import DuplicateError, Store

_FIELDS: Final = FORMAT_FIELDS | {"transactionDate", "note", "externalId"}
_ECHOED: Final = ("transactionDate", "locale", "dateFormat", "note", "externalId")


def write_off(store: Store, target: Target, body: Body) -> Answer:
    """Write off all that is outstanding on an active loan."""
    body.only(_FIELDS, elsewhere=frozenset({"writeoffReasonId"}))
    on = _read_date(body)
    loan = loan_records.require_loan(store, target.loan_id)
    clients.require_active(store, loan.client_id)
    if loan.status is not LoanStatus.ACTIVE:
        code = "error.msg.loan.writtenoff.account.is.not.active"
        raise errors.wrong_state(code, "Loan Written off is not allowed. Loan account is not active.")
    _check_date(store, loan, on)
    transaction_id = _book(store, loan, on, body)
    written_off = replace(loan, status=LoanStatus.WRITTEN_OFF, closed_on=on)
    loan_records.save_loan(store, written_off)
    changes: Answer = {"status": enums.loan_status(written_off.status), **body.echo(_ECHOED)}
    return _result(loan, transaction_id, body.text("externalId"), changes)


def undo(store: Store, target: Target, _: Body) -> Answer:
    """Take a write-off back: its transaction is reversed and the loan is active again. Recoveries stay."""
    loan = loan_records.require_loan(store, target.loan_id)
    if loan.status is not LoanStatus.WRITTEN_OFF:
        raise errors.refused_under_503(
            "error.msg.loan.status.not.written.off.update.not.allowed", "Loan is not written off."
        )
    transaction = _live(store, loan, TransactionType.WRITE_OFF)[-1]
    loan_records.reverse_by_hand(store, transaction.id, settings.today(store), None)
    loan_records.save_loan(store, replace(loan, status=LoanStatus.ACTIVE, closed_on=None))
    return _result(loan, transaction.id, transaction.external_id, None)


def recover(store: Store, target: Target, body: Body) -> Answer:
    """Book money that came in on a written-off loan; its dues stay written off."""
    body.only(repayments.FIELDS)
    on, amount = repayments.read(body, "positive")
    loan = loan_records.require_loan(store, target.loan_id)
    clients.require_active(store, loan.client_id)
    if loan.status is not LoanStatus.WRITTEN_OFF:
        raise errors.wrong_state("error.msg.loan.account.is.not.written.off", "Loan is not written off.")
    if amount > written_off_on(store, loan).repaid:
        code = "error.msg.loan.transaction.cannot.be.greater.than.total.written.off"
        raise errors.domain_rule(
            code, "The transaction amount cannot greater than the remaining written off amount."
        )
    repayments.check_date(store, loan, on)
    transaction_id = loans.book(store, loan, TransactionType.RECOVERY, body, on=on, amount=amount)
    loan_records.set_portions(store, transaction_id, Portions(), 0)
    loan_records.save_loan(store, loan)
    return repayments.answer(loan, transaction_id, body.text("externalId"), body)


def written_off_on(store: Store, loan: Loan) -> Portions:
    """What of a written-off loan was outstanding when it was written off."""
    return unpaid(loan_records.installments_of(store, loan.id))


def _read_date(body: Body) -> date:
    checks = Checks("loan.transaction")
    on = body.date("transactionDate")
    checks.required("transactionDate", on)
    loans.check_payment(checks, body)
    checks.settle()
    return settled(on)


def _check_date(store: Store, loan: Loan, on: date) -> None:
    if on > settings.today(store):
        code = "error.msg.loan.writeoff.cannot.be.a.future.date"
        raise errors.domain_rule(code, "The date on which a loan is written off cannot be in the future.")
    others = [t.on for t in loan_records.transactions_of(store, loan.id) if not t.manually_reversed]
    if on < max(others):
        code = "error.msg.loan.writeoff.must.occur.on.or.after.other.transaction.dates"
        message = "The date of the write-off must occur on or after other transaction dates."
        raise errors.domain_rule(code, message)


def _book(store: Store, loan: Loan, on: date, body: Body) -> int:
    """The transaction. A duplicate external id is a 403 of the database here, not the tidy 400 of repayments."""
    portions = written_off_on(store, loan)
    draft = Transaction(
        id=0,
        loan_id=loan.id,
        kind=TransactionType.WRITE_OFF,
        on=on,
        submitted_on=settings.today(store),
        amount=portions.repaid,
        portions=portions,
        external_id=body.text("externalId"),
    )
    try:
        return loan_records.add_transaction(store, draft)
    except DuplicateError as error:
        message = f"UNIQUE constraint failed: {error.column}"
        raise errors.integrity("error.msg.data.integrity.issue", message, "externalId") from error


def _live(store: Store, loan: Loan, kind: TransactionType) -> list[Transaction]:
    return [
        transaction
        for transaction in loan_records.transactions_of(store, loan.id)
        if transaction.kind is kind and not transaction.manually_reversed
    ]


def _result(loan: Loan, transaction_id: int, external_id: str | None, changes: Answer | None) -> Answer:
    return result(
        officeId=clients.HEAD_OFFICE,
        clientId=loan.client_id,
        loanId=loan.id,
        resourceId=transaction_id,
        resourceExternalId=external_id,
        changes=changes,
    )
