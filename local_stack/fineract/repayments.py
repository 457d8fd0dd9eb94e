"""Repayments: posting, undoing and adjusting, with Fineract's replay of later transactions, credits and waivers among
them.
"""

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from local_stack.fineract import charges, clients, errors, loan_records, loans, settings, wire
from local_stack.fineract.allocation import Component, Installment, Portions, allocate, unpaid, waive
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.enums import REPAYABLE, LoanStatus, TransactionType
from local_stack.fineract.loan_records import Loan, Transaction
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import DuplicateError, Store

FIELDS: Final = FORMAT_FIELDS | {
    "transactionDate",
    "transactionAmount",
    "externalId",
    "note",
    "paymentTypeId",
    *loans.PAYMENT_REFERENCES,
}
_CREDITS: Final = frozenset({TransactionType.GOODWILL_CREDIT, TransactionType.CHARGE_ADJUSTMENT})
_WAIVERS: Final = frozenset({TransactionType.INTEREST_WAIVER, TransactionType.CHARGE_WAIVER})
_ADJUSTABLE: Final = _CREDITS | {TransactionType.REPAYMENT, TransactionType.INTEREST_WAIVER}
_ECHOED: Final = ("transactionDate", "locale", "dateFormat", "note", "externalId", "paymentTypeId")


def repay(store: Store, target: Target, body: Body) -> Answer:
    """Post a repayment: to the oldest dues first, what is left to later ones, and beyond them as an overpayment."""
    body.only(FIELDS)
    on, amount = read(body, "positive")
    loan = loan_records.require_loan(store, target.loan_id)
    clients.require_active(store, loan.client_id)
    if loan.status not in REPAYABLE:
        code = "error.msg.loan.must.be.active.fully.paid.or.overpaid"
        raise errors.wrong_state(code, "Loan must be Active, Fully Paid or Overpaid")
    check_date(store, loan, on)
    transaction_id = _post(store, loan, on, amount, body)
    return answer(loan, transaction_id, body.text("externalId"), body)


def adjust(store: Store, target: Target, body: Body) -> Answer:
    """Reverse a repayment, and post another in its place when the amount is above zero."""
    body.only(FIELDS | {"reversalExternalId"})
    on, amount = read(body, "not_negative")
    loan = loan_records.require_loan(store, target.loan_id)
    transaction = loan_records.require_transaction(store, loan.id, target.resource_id)
    clients.require_active(store, loan.client_id)
    if loan.status is LoanStatus.WRITTEN_OFF:
        raise errors.refused_when_written_off()
    if store.row("select 1 from foreclosed_loan where loan_id = ?", loan.id):
        code = "error.msg.loan.cannot.be.reopened.as.it.is.foreclosured"
        raise errors.domain_rule(code, "Loan cannot be reopened as it is foreclosured")
    _check_reversible(transaction, amount)
    check_date(store, loan, on)
    _reverse(store, transaction, body.text("reversalExternalId"))
    if not amount:
        replay(store, loan, on)
        return answer(loan, transaction.id, transaction.external_id, body)
    transaction_id = loans.book(store, loan, TransactionType.REPAYMENT, body, on=on, amount=amount)
    replay(store, loan, on, newest=transaction_id)
    return answer(loan, transaction_id, body.text("externalId"), body)


def read(body: Body, bound: str) -> tuple[date, int]:
    """Date and paise of a transaction; `bound` is the rule of its amount, `positive` or `not_negative`."""
    checks = Checks("loan.transaction")
    on, amount = body.date("transactionDate"), body.amount("transactionAmount")
    checks.required("transactionDate", on)
    checks.required("transactionAmount", amount)
    (checks.positive if bound == "positive" else checks.not_negative)("transactionAmount", amount)
    checks.at_most("reversalExternalId", body.text("reversalExternalId"), loans.EXTERNAL_ID_LENGTH)
    loans.check_payment(checks, body)
    checks.settle()
    return settled(on), wire.paise(settled(amount))


def check_date(store: Store, loan: Loan, on: date) -> None:
    """Refuse (403) a date before the disbursement or after today."""
    if loan.disbursed_on is not None and on < loan.disbursed_on:
        code = "error.msg.loan.transaction.cannot.be.before.disbursement.date"
        raise errors.domain_rule(code, "The transaction date cannot be before the loan disbursement date")
    if on > settings.today(store):
        code = "error.msg.loan.transaction.cannot.be.a.future.date"
        raise errors.domain_rule(code, "The transaction date cannot be in the future.")
    if loan.terms.recalculates and any(each.on > on for each in loan_records.live_repayments(store, loan.id)):
        code = "error.msg.loan.repayment.or.waiver.cannot.be.made.before.last.transaction.date"
        raise errors.domain_rule(code, "It cannot be made before the last transaction date.")


def _check_reversible(transaction: Transaction, amount: int) -> None:
    if transaction.kind in _CREDITS and amount:
        code = "error.msg.loan.transaction.adjustment.of.credit.is.not.allowed"
        raise errors.domain_rule(code, "A credit can be undone, its amount cannot be changed.")
    if transaction.kind is TransactionType.INTEREST_WAIVER and amount:
        raise errors.NotProvidedError("the stand-in undoes a waiver of interest, it changes none")
    if transaction.kind in _ADJUSTABLE and transaction.reversed_on is None:
        return
    kinds = "repayment.or.waiver.or.creditbalancerefund.transactions"
    code = f"error.msg.loan.transaction.adjustment.is.only.allowed.to.{kinds}"
    raise errors.domain_rule(
        code, "Only transactions of type repayment, waiver or credit balance refund can be adjusted."
    )


def _reverse(store: Store, transaction: Transaction, reversal_external_id: str | None) -> None:
    try:
        loan_records.reverse_by_hand(store, transaction.id, settings.today(store), reversal_external_id)
    except DuplicateError as error:
        message = f"UNIQUE constraint failed: {error.column}"
        raise errors.integrity("error.msg.data.integrity.issue", message, "reversalExternalId") from error


def _post(store: Store, loan: Loan, on: date, amount: int, body: Body) -> int:
    latest = loan_records.last_repaid_on(store, loan.id)
    transaction_id = loans.book(store, loan, TransactionType.REPAYMENT, body, on=on, amount=amount)
    if loan.terms.recalculates or (latest is not None and on < latest):
        replay(store, loan, on, newest=transaction_id)
        return transaction_id
    before = loan_records.installments_of(store, loan.id)
    after, portions = allocate(before, amount, on, loan.terms.order)
    loan_records.save_paid(store, loan.id, before, after)
    loan_records.set_portions(store, transaction_id, portions, _principal_left(after))
    _settle_status(store, loan, after, loan.overpaid + portions.overpayment, on)
    return transaction_id


def replay(store: Store, loan: Loan, on: date, newest: int | None = None) -> None:
    """Apply everything that lowers the dues again in date order. What now pays something else is put anew, under a new
    id.
    """
    if loan.terms.recalculates:
        loan_records.replace_dues(store, loan.id, _recalculated(store, loan))
    before = loan_records.installments_of(store, loan.id)
    installments = [installment.unpaid() for installment in before]
    overpaid = 0
    for transaction in loan_records.live_repayments(store, loan.id):
        installments, portions = lower(store, loan, installments, transaction)
        overpaid += portions.overpayment
        balance = _principal_left(installments)
        if transaction.id == newest or transaction.portions == portions:
            loan_records.set_portions(store, transaction.id, portions, balance)
        else:
            _put_anew(store, transaction, portions, balance)
    loan_records.save_paid(store, loan.id, before, installments)
    _settle_status(store, loan, installments, overpaid, on)


def ended_on(store: Store, loan: Loan, on: date) -> list[Installment]:
    """The schedule of a loan that ends on a day, after what has been paid and waived: what is unpaid of it ends it."""
    return _after(store, loan, cut(store, loan, on), loan_records.live_repayments(store, loan.id))


def cut(store: Store, loan: Loan, on: date) -> list[Installment]:
    """The schedule that is left: what was due before the day as it was, and one installment that ends on it."""
    return _cut(loan_records.installments_of(store, loan.id), charges.charges_of(store, loan.id), on)


def _cut(installments: list[Installment], due: list[charges.LoanCharge], on: date) -> list[Installment]:
    kept = [each.unpaid() for each in installments if each.due_date < on]
    rest = installments[len(kept) :]
    if not rest:
        return kept
    parts = Portions(principal=sum(each.due.principal for each in rest), interest=_interest(rest[0], on))
    start = kept[-1].due_date if kept else rest[0].from_date
    merged = Installment(rest[0].number, start, on, parts)
    # the charges of what is kept stand on it already
    falling_due = [each for each in due if each.due_date <= on and (not kept or each.due_date > start)]
    return [*kept, *charges.with_charges([merged], falling_due)]


def _interest(running: Installment, on: date) -> int:
    """The running installment's interest for its days so far; half-even to the paisa."""
    days = (running.due_date - running.from_date).days
    share = Decimal(running.due.interest * (on - running.from_date).days) / days
    return int(share.to_integral_value(rounding=ROUND_HALF_EVEN))


def _recalculated(store: Store, loan: Loan) -> list[Installment]:
    """The schedule of a product that recalculates interest: as agreed, and cut at the first payment that ends the loan.

    Only that much is computed: a part that is paid early lowers no interest, a late one adds none.
    """
    agreed = loans.agreed(store, loan)
    due = charges.charges_of(store, loan.id)
    transactions = loan_records.live_repayments(store, loan.id)
    for number, transaction in enumerate(transactions):
        if transaction.kind in _WAIVERS:
            continue
        ended = _cut(agreed, due, transaction.on)
        if unpaid(_after(store, loan, ended, transactions[:number])).repaid <= transaction.amount:
            return ended
    return agreed


def _after(
    store: Store, loan: Loan, installments: list[Installment], transactions: list[Transaction]
) -> list[Installment]:
    for transaction in transactions:
        installments, _ = lower(store, loan, installments, transaction)
    return installments


def lower(
    store: Store, loan: Loan, installments: list[Installment], transaction: Transaction
) -> tuple[list[Installment], Portions]:
    """The installments after one transaction, and what of them it paid or waived."""
    amount, on = transaction.amount, transaction.on
    if transaction.kind is TransactionType.INTEREST_WAIVER:
        return waive(installments, amount, on, "interest", installments[0].due_date)
    if transaction.kind is TransactionType.CHARGE_WAIVER:
        charge = next(
            each for each in charges.charges_of(store, loan.id) if each.id == transaction.loan_charge_id
        )
        component: Component = "penalty" if charge.penalty else "fee"
        return waive(installments, amount, on, component, charge.due_date)
    return allocate(installments, amount, on, loan.terms.order)


def _put_anew(store: Store, old: Transaction, portions: Portions, balance: int) -> None:
    loan_records.hide_replaced(store, old.id, settings.today(store))
    anew = replace(old, portions=portions, balance=balance, replays=old.id)
    loan_records.add_transaction(store, anew)


def _principal_left(installments: list[Installment]) -> int:
    return sum(installment.due.principal - installment.paid.principal for installment in installments)


def _settle_status(
    store: Store, loan: Loan, installments: list[Installment], overpaid: int, on: date
) -> None:
    open_dues = any(installment.outstanding for installment in installments)
    status = LoanStatus.ACTIVE if open_dues else LoanStatus.OVERPAID if overpaid else LoanStatus.CLOSED
    loan_records.save_loan(
        store,
        replace(
            loan,
            status=status,
            overpaid=overpaid,
            closed_on=on if status is LoanStatus.CLOSED else None,
            overpaid_on=on if status is LoanStatus.OVERPAID else None,
        ),
    )


def answer(loan: Loan, transaction_id: int, external_id: str | None, body: Body) -> Answer:
    """The answer of a command that moved money."""
    changes = {**body.echo(_ECHOED), "transactionAmount": body.echo_amount("transactionAmount")}
    return result(
        officeId=clients.HEAD_OFFICE,
        clientId=loan.client_id,
        loanId=loan.id,
        resourceId=transaction_id,
        resourceExternalId=external_id,
        changes=changes,
    )
