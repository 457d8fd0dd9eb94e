"""What lowers a loan's dues without the borrower's money: waivers of interest and charges, adjustments, goodwill.

A waiver takes interest or a charge off the installments; a credit pays like a repayment, at the lender's expense. All
of them are applied anew, with the repayments, whenever something before them changes.
"""

from dataclasses import replace
from typing import Final

from local_stack.fineract import charges, clients, errors, loan_records, loans, repayments, settings, wire
from local_stack.fineract.allocation import unpaid
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.charges import LoanCharge
from local_stack.fineract.enums import REPAYABLE, LoanStatus, TransactionType
from local_stack.fineract.loan_records import Loan, Transaction
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import DuplicateError, Store

_INTEREST_FIELDS: Final = FORMAT_FIELDS | {"transactionDate", "transactionAmount", "externalId", "note"}
_CHARGE_ECHOED: Final = ("locale", "externalId")


def waive_interest(store: Store, target: Target, body: Body) -> Answer:
    """Waive interest of an active loan, the earliest installments first."""
    body.only(_INTEREST_FIELDS)
    on, amount = repayments.read(body, "positive")
    loan = loan_records.require_loan(store, target.loan_id)
    clients.require_active(store, loan.client_id)
    if loan.status is not LoanStatus.ACTIVE:
        code = "error.msg.loan.repayment.or.waiver.account.is.not.active"
        raise errors.wrong_state(code, "Waiver is not allowed. Loan Account is not active.")
    repayments.check_date(store, loan, on)
    if amount > unpaid(loan_records.installments_of(store, loan.id)).interest:
        code = "error.msg.loan.waive.interest.amount.exceeds.total.outstanding.interest"
        raise errors.domain_rule(code, "The amount of interest to waive exceeds the interest outstanding.")
    draft = _draft(store, loan, TransactionType.INTEREST_WAIVER, body)
    transaction_id = _add(store, replace(draft, on=on, amount=amount))
    repayments.replay(store, loan, on, newest=transaction_id)
    return repayments.answer(loan, transaction_id, body.text("externalId"), body)


def credit_goodwill(store: Store, target: Target, body: Body) -> Answer:
    """Credit a loan at the lender's expense; it pays like a repayment."""
    body.only(repayments.FIELDS)
    on, amount = repayments.read(body, "positive")
    loan = loan_records.require_loan(store, target.loan_id)
    clients.require_active(store, loan.client_id)
    if loan.status not in REPAYABLE:
        code = "error.msg.loan.must.be.active.fully.paid.or.overpaid"
        raise errors.wrong_state(code, "Loan must be Active, Fully Paid or Overpaid")
    repayments.check_date(store, loan, on)
    transaction_id = loans.book(store, loan, TransactionType.GOODWILL_CREDIT, body, on=on, amount=amount)
    repayments.replay(store, loan, on, newest=transaction_id)
    return repayments.answer(loan, transaction_id, body.text("externalId"), body)


def waive_charge(store: Store, target: Target, body: Body) -> Answer:
    """Waive the whole of what is outstanding on a charge, on its due date or today, whichever is earlier."""
    body.only(FORMAT_FIELDS | {"externalId"}, elsewhere=frozenset({"installmentNumber", "dueDate"}))
    loan, charge = _charge_of(store, target)
    if loan.status is not LoanStatus.ACTIVE:
        code = "error.msg.loan.charge.cannot.be.waived.loan.is.inactive"
        raise errors.domain_rule(code, "This loan charge cannot be waived as the loan is not active.")
    standing = charges.standing_of(store, loan.id)[charge.id]
    if not standing.outstanding:
        done = "waived" if standing.waived else "paid"
        code = f"error.msg.loan.charge.already.{done}"
        raise errors.domain_rule(code, f"This loan charge cannot be waived as it is already {done}.")
    on = min(charge.due_date, settings.today(store))
    draft = _draft(store, loan, TransactionType.CHARGE_WAIVER, body)
    waived = replace(draft, on=on, amount=standing.outstanding, loan_charge_id=charge.id)
    transaction_id = _add(store, waived)
    repayments.replay(store, loan, on, newest=transaction_id)
    return _charge_result(loan, charge, transaction_id, body, {})


def adjust_charge(store: Store, target: Target, body: Body) -> Answer:
    """Credit a part of a charge: at most its sum, less what was adjusted before. It pays like a repayment of today."""
    body.only(FORMAT_FIELDS | {"amount", "externalId", "note", "paymentTypeId"})
    checks = Checks("loanCharge")
    checks.required("amount", body.amount("amount"))
    checks.positive("amount", body.amount("amount"))
    checks.at_most("externalId", body.text("externalId"), loans.EXTERNAL_ID_LENGTH)
    checks.settle()
    amount = wire.paise(settled(body.amount("amount")))
    loan, charge = _charge_of(store, target)
    if loan.status not in REPAYABLE:
        code = "error.msg.loan.charge.adjustment.loan.is.not.active"
        raise errors.domain_rule(code, "The loan is not active.")
    if amount > charge.amount - _adjusted(store, loan, charge):
        code = "error.msg.loan.charge.transaction.amount.cannot.be.higher.than.available.amount"
        raise errors.domain_rule(
            code, "Transaction amount cannot be higher than the available charge amount for adjustment."
        )
    on = settings.today(store)
    draft = _draft(store, loan, TransactionType.CHARGE_ADJUSTMENT, body)
    transaction_id = _add(store, replace(draft, on=on, amount=amount, loan_charge_id=charge.id))
    repayments.replay(store, loan, on, newest=transaction_id)
    return _charge_result(loan, charge, transaction_id, body, {"amount": body.echo_amount("amount")})


def undo_charge_waiver(store: Store, target: Target, body: Body) -> Answer:
    """Take the waiver of a charge back; the loan opens again if that leaves something to pay."""
    body.only(FORMAT_FIELDS | {"transactionDate", "transactionAmount", "externalId", "note"})
    loan = loan_records.require_loan(store, target.loan_id)
    transaction = loan_records.require_transaction(store, loan.id, target.resource_id)
    if transaction.kind is not TransactionType.CHARGE_WAIVER or transaction.reversed_on is not None:
        code = "error.msg.loan.transaction.undo.waive.charge.invalid.transaction"
        raise errors.domain_rule(code, "Only a waiver of a charge that stands can be taken back.")
    if loan.status is not LoanStatus.ACTIVE:
        code = "error.msg.loan.charge.associated.loan.inactive"
        raise errors.domain_rule(code, "The loan associated with this charge is inactive.")
    loan_records.reverse_by_hand(store, transaction.id, settings.today(store), None)
    repayments.replay(store, loan, transaction.on)
    return result(
        officeId=clients.HEAD_OFFICE,
        clientId=loan.client_id,
        loanId=loan.id,
        resourceId=transaction.id,
        resourceExternalId=transaction.external_id,
    )


def _charge_of(store: Store, target: Target) -> tuple[Loan, LoanCharge]:
    loan = loan_records.require_loan(store, target.loan_id)
    clients.require_active(store, loan.client_id)
    for charge in charges.charges_of(store, loan.id):
        if charge.id == target.resource_id:
            return loan, charge
    message = f"Loan charge with identifier {target.resource_id} does not exist for loan {loan.id}"
    raise errors.not_found("error.msg.loanCharge.id.invalid", message, target.resource_id, loan.id)


def _adjusted(store: Store, loan: Loan, charge: LoanCharge) -> int:
    return sum(
        transaction.amount
        for transaction in loan_records.live_repayments(store, loan.id)
        if transaction.kind is TransactionType.CHARGE_ADJUSTMENT and transaction.loan_charge_id == charge.id
    )


def _draft(store: Store, loan: Loan, kind: TransactionType, body: Body) -> Transaction:
    today = settings.today(store)
    return Transaction(0, loan.id, kind, today, today, 0, external_id=body.text("externalId"))


def _add(store: Store, draft: Transaction) -> int:
    """Book a waiver. A duplicate external id is a 403 of the database here, not the tidy 400 of repayments."""
    try:
        return loan_records.add_transaction(store, draft)
    except DuplicateError as error:
        message = f"UNIQUE constraint failed: {error.column}"
        raise errors.integrity("error.msg.data.integrity.issue", message, "externalId") from error


def _charge_result(
    loan: Loan, charge: LoanCharge, transaction_id: int, body: Body, changes: Answer
) -> Answer:
    return result(
        officeId=clients.HEAD_OFFICE,
        clientId=loan.client_id,
        loanId=loan.id,
        resourceId=charge.id,
        resourceExternalId=charge.external_id,
        subResourceId=transaction_id,
        subResourceExternalId=body.text("externalId"),
        changes={**body.echo(_CHARGE_ECHOED), **changes},
    )
