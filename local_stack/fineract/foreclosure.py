"""Foreclosure of a loan without interest recalculation: what it takes on a day, and what it leaves.

Installments due on or before the day owe all of their interest and charges; the running one its interest for the days
that have passed, and the charges due by then; later ones no interest. What was paid beyond that counts as principal.
"""

from dataclasses import replace
from datetime import date
from typing import Final

from local_stack.fineract import (
    charges,
    clients,
    enums,
    errors,
    loan_records,
    loans,
    products,
    repayments,
    settings,
    wire,
)
from local_stack.fineract.allocation import unpaid
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.enums import LoanStatus, TransactionType
from local_stack.fineract.loan_records import Loan
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import Store

SUB_STATUS: Final = enums.option(100, "loanSubStatusType.foreclosed", "Foreclosed")


def quote(store: Store, loan: Loan, query: Body) -> Answer:
    """The answer of the template with command=foreclosure."""
    checks = Checks("loan.transaction")
    asked = query.date("transactionDate")
    checks.required("transactionDate", asked)
    checks.settle()
    on = settled(asked)
    _refuse(store, loan, on)
    owed = unpaid(repayments.ended_on(store, loan, on))
    details = products.details(products.require(store, loan.product_id))
    return {
        "type": enums.transaction_type(TransactionType.REPAYMENT),
        "date": wire.day(settings.today(store)),
        "currency": products.currency(details.currency),
        "amount": wire.rupees(owed.repaid),
        "principalPortion": wire.rupees(owed.principal),
        "interestPortion": wire.rupees(owed.interest),
        "feeChargesPortion": wire.rupees(owed.fee),
        "penaltyChargesPortion": wire.rupees(owed.penalty),
        "outstandingLoanBalance": wire.rupees(owed.principal),
        "netDisbursalAmount": wire.rupees(loan.principal),
        "paymentTypeOptions": settings.payment_types(store),
    }


def foreclose(store: Store, target: Target, body: Body) -> Answer:
    """Close the loan with one repayment of what is owed on the day; the rest of its schedule goes."""
    body.only(FORMAT_FIELDS | {"transactionDate", "note", "externalId"})
    checks = Checks("loan.transaction")
    asked = body.date("transactionDate")
    checks.required("transactionDate", asked)
    checks.at_most("note", body.text("note"), loans.NOTE_LENGTH)
    checks.at_most("externalId", body.text("externalId"), loans.EXTERNAL_ID_LENGTH)
    checks.settle()
    on = settled(asked)
    loan = loan_records.require_loan(store, target.loan_id)
    _refuse(store, loan, on)
    remaining = repayments.cut(store, loan, on)
    amount = unpaid(repayments.ended_on(store, loan, on)).repaid
    charges.drop_later(store, loan, on)
    loan_records.replace_dues(store, loan.id, remaining)
    transaction_id = loans.book(store, loan, TransactionType.REPAYMENT, body, on=on, amount=amount)
    repayments.replay(store, loan, on, newest=transaction_id)
    store.run("insert into foreclosed_loan (loan_id) values (?)", loan.id)
    closed = loan_records.require_loan(store, loan.id)
    loan_records.save_loan(store, replace(closed, closed_on=on))
    return result(
        officeId=clients.HEAD_OFFICE,
        clientId=loan.client_id,
        loanId=loan.id,
        resourceId=transaction_id,
        resourceExternalId=body.text("externalId"),
        changes={"transactions": [transaction_id], "eventAmount": wire.rupees(amount)},
    )


def _refuse(store: Store, loan: Loan, on: date) -> None:
    if loan.terms.recalculates:
        code = "error.msg.loan.with.interest.recalculation.enabled.cannot.be.foreclosured"
        raise errors.domain_rule(code, "Loan with interest recalculation enabled cannot be foreclosed.")
    if loan.status is not LoanStatus.ACTIVE:
        code = "error.msg.loan.foreclosure.account.is.not.active"
        raise errors.wrong_state(code, "Loan foreclosure is not allowed. Loan Account is not active.")
    if on > settings.today(store):
        code = "error.msg.loan.foreclosure.transaction.date.is.in.future"
        raise errors.domain_rule(code, "The transaction date cannot be in the future.")
    latest = max(
        (each.on for each in loan_records.transactions_of(store, loan.id) if not each.manually_reversed),
        default=on,
    )
    if on < latest:
        code = "error.msg.loan.foreclosure.transaction.date.cannot.before.the.last.transaction.date"
        raise errors.domain_rule(
            code, "The transaction date cannot be earlier than the last transaction date."
        )
