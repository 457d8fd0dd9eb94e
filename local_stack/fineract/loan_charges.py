"""Adding a charge to a loan that exists: it falls on an installment, and what was repaid is applied anew."""

from dataclasses import replace
from typing import Final

from local_stack.fineract import charges, errors, loan_records, repayments
from local_stack.fineract.allocation import Installment, Portions
from local_stack.fineract.body import FORMAT_FIELDS, Body
from local_stack.fineract.clients import HEAD_OFFICE
from local_stack.fineract.enums import LoanStatus
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import Store

_CHARGEABLE: Final = frozenset(
    {LoanStatus.SUBMITTED, LoanStatus.APPROVED, LoanStatus.ACTIVE, LoanStatus.CLOSED}
)


def add(store: Store, target: Target, body: Body) -> Answer:
    """Add a charge: it falls on the installment of its due date, and what was repaid is applied anew.

    On a closed loan it opens the loan again; after the last installment it makes one more.
    """
    body.only(FORMAT_FIELDS | charges.LOAN_CHARGE_FIELDS)
    charge = charges.draft(store, body)
    loan = loan_records.require_loan(store, target.loan_id)
    if loan.status not in _CHARGEABLE or charges.is_foreclosed(store, loan.id):
        raise errors.NotProvidedError(f"the stand-in adds no charge to a loan in status {loan.status}")
    charge_id = charges.save(store, loan.id, charge)
    before = loan_records.installments_of(store, loan.id)
    spread = charges.with_charges([_without_charges(i) for i in before], charges.charges_of(store, loan.id))
    loan_records.replace_dues(store, loan.id, spread)
    if loan.disbursed_on is not None:
        repayments.replay(store, loan, loan.disbursed_on)
    return result(
        officeId=HEAD_OFFICE,
        clientId=loan.client_id,
        loanId=loan.id,
        resourceId=charge_id,
        resourceExternalId=charge.external_id,
        changes={**body.echo(("dueDate", "locale", "dateFormat")), "amount": body.echo_amount("amount")},
    )


def _without_charges(installment: Installment) -> Installment:
    bare = Portions(installment.due.principal, installment.due.interest)
    return replace(installment, due=bare)
