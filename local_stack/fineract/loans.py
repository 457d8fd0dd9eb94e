"""A loan's life up to and including disbursal: application, approval, rejection, withdrawal, and their undoing."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

from local_stack.fineract import charges, clients, enums, errors, loan_records, products, settings, wire
from local_stack.fineract.allocation import STRATEGIES, Installment, Portions
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.enums import (
    Amortization,
    Frequency,
    InterestMethod,
    InterestPeriod,
    LoanStatus,
    TransactionType,
)
from local_stack.fineract.loan_records import Loan, LoanTerms, Payment, Transaction
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.products import Product
from local_stack.fineract.schedule import ScheduleError, repayment_schedule
from local_stack.fineract.store import DuplicateError, Store

NOTE_LENGTH: Final = 1000
EXTERNAL_ID_LENGTH: Final = 100
_ACCOUNT_NO_LENGTH: Final = 20
_REFERENCE_LENGTH: Final = 50
_INDIVIDUAL: Final = "individual"
PAYMENT_REFERENCES: Final = ("accountNumber", "checkNumber", "routingCode", "receiptNumber", "bankNumber")
_ENUMERATIONS: Final = {
    "loanTermFrequencyType": (0, 3),
    "repaymentFrequencyType": (0, 3),
    "amortizationType": (0, 1),
    "interestType": (0, 1),
    "interestCalculationPeriodType": (0, 1),
}
_COUNTS: Final = ("loanTermFrequency", "numberOfRepayments", "repaymentEvery")
_FIELDS: Final = FORMAT_FIELDS | {
    *_ENUMERATIONS,
    *_COUNTS,
    "clientId",
    "productId",
    "principal",
    "loanType",
    "interestRatePerPeriod",
    "interestRateFrequencyType",
    "transactionProcessingStrategyCode",
    "expectedDisbursementDate",
    "submittedOnDate",
    "repaymentsStartingFromDate",
    "graceOnPrincipalPayment",
    "graceOnArrearsAgeing",
    "inArrearsTolerance",
    "externalId",
    "accountNo",
    "daysInYearType",
    "submittedOnNote",
    "charges",
}
_ELSEWHERE: Final = frozenset(
    {
        "allowPartialPeriodInterestCalcualtion",
        "calendarId",
        "collateral",
        "createStandingInstructionAtDisbursement",
        "datatables",
        "disallowExpectedDisbursements",
        "disbursementData",
        "enableDownPayment",
        "enableInstallmentLevelDelinquency",
        "fixedEmiAmount",
        "fixedLength",
        "fixedPrincipalPercentagePerInstallment",
        "fraud",
        "fundId",
        "graceOnInterestCharged",
        "graceOnInterestPayment",
        "groupId",
        "interestChargedFromDate",
        "interestRateDifferential",
        "isEqualAmortization",
        "isFloatingInterestRate",
        "isTopup",
        "linkAccountId",
        "loanIdToClose",
        "loanOfficerId",
        "loanPurposeId",
        "loanScheduleProcessingType",
        "maxOutstandingLoanBalance",
        "rates",
        "repaymentFrequencyDayOfWeekType",
        "repaymentFrequencyNthDayType",
        "syncDisbursementWithMeeting",
    }
)
_DUPLICATES: Final = {
    "loan.external_id": ("error.msg.loan.duplicate.externalId", "externalId"),
    "loan.account_no": ("error.msg.loan.duplicate.accountNo", "accountNo"),
}


def preview(store: Store, body: Body) -> tuple[Loan, list[Installment]]:
    """The loan and the schedule an application would get; nothing is written."""
    draft = _read_application(store, body)
    return draft, charges.with_charges(schedule_of(draft), _charges(store, body))


def _charges(store: Store, body: Body) -> list[charges.LoanCharge]:
    """The charges of an application."""
    asked = body.items("charges")
    for each in asked:
        each.only(FORMAT_FIELDS | charges.LOAN_CHARGE_FIELDS)
    return charges.drafts(store, asked)


def submit(store: Store, _: Target, body: Body) -> Answer:
    """Submit a loan application; 403 for a duplicate external id or account number."""
    draft = _read_application(store, body)
    _check_dates(store, draft)
    try:
        loan_id = loan_records.add_loan(store, draft)
    except DuplicateError as error:
        code, field = _DUPLICATES[error.column]
        value = body.text(field)
        raise errors.integrity(code, f"Loan with {field} `{value}` already exists", field, value) from error
    for charge in _charges(store, body):
        charges.save(store, loan_id, charge)
    _lay_out(store, replace(draft, id=loan_id))
    return command_result(replace(draft, id=loan_id))


def _lay_out(store: Store, loan: Loan) -> None:
    loan_records.replace_dues(store, loan.id, agreed(store, loan))


def agreed(store: Store, loan: Loan) -> list[Installment]:
    """The schedule of the loan's terms, with its charges; nothing is paid."""
    return charges.with_charges(schedule_of(loan), charges.charges_of(store, loan.id))


def schedule_of(loan: Loan) -> list[Installment]:
    """The schedule of a loan from the day it was lent, or is expected to be; without its charges."""
    try:
        return [
            Installment(p.number, p.from_date, p.due_date, Portions(p.principal, p.interest))
            for p in repayment_schedule(loan.terms.of_loan(loan.principal, loan.lent_on))
        ]
    except ScheduleError as error:
        raise errors.domain_rule(
            "error.msg.loan.emi.amount.must.be.greater.than.interest", str(error)
        ) from error


def _read_application(store: Store, body: Body) -> Loan:
    body.only(_FIELDS, _ELSEWHERE)
    checks = Checks("loan")
    for name in ("productId", "clientId"):
        checks.required(name, body.plain_integer(name))
    checks.settle()
    client_id, product_id = settled(body.plain_integer("clientId")), settled(body.plain_integer("productId"))
    product = products.details(products.require(store, product_id))
    clients.require_active(store, client_id)
    _check_application(checks, body)
    _check_bounds(checks, body, product)
    _check_term(checks, body)
    checks.settle()
    principal = wire.paise(settled(body.amount("principal")))
    return Loan(
        id=0,
        account_no=body.text("accountNo") or "",
        external_id=body.text("externalId"),
        client_id=client_id,
        product_id=product_id,
        status=LoanStatus.SUBMITTED,
        principal=principal,
        proposed_principal=principal,
        approved_principal=None,
        overpaid=0,
        terms=_read_terms(body, product),
        submitted_on=settled(body.date("submittedOnDate")),
        expected_disbursement_on=settled(body.date("expectedDisbursementDate")),
    )


def _check_application(checks: Checks, body: Body) -> None:
    checks.required("loanType", body.text("loanType"))
    for name in _COUNTS:
        checks.required(name, body.integer(name))
        checks.positive(name, body.integer(name))
    for name, (low, high) in _ENUMERATIONS.items():
        checks.required(name, body.plain_integer(name))
        checks.between(name, body.plain_integer(name), low, high)
    checks.required("principal", body.amount("principal"))
    checks.positive("principal", body.amount("principal"))
    checks.required("interestRatePerPeriod", body.amount("interestRatePerPeriod"))
    checks.not_negative("interestRatePerPeriod", body.amount("interestRatePerPeriod"))
    for name in ("expectedDisbursementDate", "submittedOnDate"):
        checks.required(name, body.date(name))
    for name in ("graceOnPrincipalPayment", "graceOnArrearsAgeing"):
        checks.not_negative(name, body.integer(name))
    checks.not_negative("inArrearsTolerance", body.amount("inArrearsTolerance"))
    checks.required("transactionProcessingStrategyCode", body.text("transactionProcessingStrategyCode"))
    checks.at_most("externalId", body.text("externalId"), EXTERNAL_ID_LENGTH)
    checks.at_most("accountNo", body.text("accountNo"), _ACCOUNT_NO_LENGTH)


def _check_bounds(checks: Checks, body: Body, product: Product) -> None:
    _check_range(checks, "principal", body.amount("principal"), product.min_principal, product.max_principal)
    rate = body.amount("interestRatePerPeriod")
    _check_range(checks, "interestRatePerPeriod", rate, product.min_rate, product.max_rate)
    repayments = body.integer("numberOfRepayments")
    low, high = product.min_repayments, product.max_repayments
    if repayments is not None and not (low or repayments) <= repayments <= (high or repayments):
        message = f"The parameter `numberOfRepayments` must be between {low} and {high}."
        checks.fail("numberOfRepayments", "is.not.within.expected.range", message, repayments, low, high)


def _check_range(
    checks: Checks, name: str, value: Decimal | None, low: Decimal | None, high: Decimal | None
) -> None:
    if value is not None and not (value if low is None else low) <= value <= (
        value if high is None else high
    ):
        message = f"The parameter `{name}` must be between {low} and {high}."
        checks.fail(name, "amount.is.not.within.min.max.range", message, value, low, high)


def _check_term(checks: Checks, body: Body) -> None:
    """The term must be exactly as long as its repayments, in the same unit."""
    if checks.failures:
        return
    if body.plain_integer("loanTermFrequencyType") != body.plain_integer("repaymentFrequencyType"):
        message = "The parameters loanTermFrequencyType and repaymentFrequencyType must be the same."
        checks.fail("loanTermFrequencyType", "not.the.same.as.repaymentFrequencyType", message)
    term, count, every = (settled(body.integer(name)) for name in _COUNTS)
    if term != count * every:
        rule = "less" if term < count * every else "greater"
        message = f"The parameter loanTermFrequency is {rule} than numberOfRepayments x repaymentEvery."
        checks.fail(
            "loanTermFrequency", f"{rule}.than.repayment.structure.suggests", message, term, count, every
        )
    if (body.integer("graceOnPrincipalPayment") or 0) >= count:
        message = "The parameter graceOnPrincipalPayment must be less than numberOfRepayments."
        checks.fail("graceOnPrincipalPayment", "mustBeLessThan.numberOfRepayments", message)


def _read_terms(body: Body, product: Product) -> LoanTerms:
    strategy = settled(body.text("transactionProcessingStrategyCode"))
    if strategy not in STRATEGIES or body.text("loanType") != _INDIVIDUAL:
        raise errors.NotProvidedError(
            f"the stand-in knows individual loans with {', '.join(STRATEGIES)} only"
        )
    rate = settled(body.amount("interestRatePerPeriod"))
    return LoanTerms(
        repayments=settled(body.integer("numberOfRepayments")),
        every=settled(body.integer("repaymentEvery")),
        frequency=Frequency(settled(body.plain_integer("repaymentFrequencyType"))),
        rate=rate,
        rate_unit=product.rate_unit,
        annual_rate=product.annual_rate(rate),
        amortization=Amortization(settled(body.plain_integer("amortizationType"))),
        interest_method=InterestMethod(settled(body.plain_integer("interestType"))),
        interest_period=InterestPeriod(settled(body.plain_integer("interestCalculationPeriodType"))),
        days_in_year=body.plain_integer("daysInYearType") or product.days_in_year,
        days_in_month=product.days_in_month,
        principal_grace=body.integer("graceOnPrincipalPayment") or 0,
        multiples_of=product.multiples_of,
        strategy=strategy,
        first_due=body.date("repaymentsStartingFromDate"),
        recalculates=product.recalculates,
    )


def _check_dates(store: Store, draft: Loan) -> None:
    submitted = draft.submitted_on
    client = clients.require(store, draft.client_id)
    _refuse(submitted > settings.today(store), "submittal", "cannot.be.a.future.date")
    late = submitted > draft.expected_disbursement_on
    _refuse(late, "submittal", "cannot.be.after.expected.disbursement.date")
    _refuse(
        submitted.isoformat() < client["activated_on"], "submittal", "cannot.be.before.client.activation.date"
    )
    first_due = draft.terms.first_due
    if first_due is not None and submitted > first_due:
        rule = "error.msg.loan.submitted.on.date.cannot.be.after.the.loan.expected.first.repayment.date"
        raise errors.domain_rule(
            rule, "submittedOnDate cannot be after the loans expectedFirstRepaymentOnDate."
        )


def _refuse(broken: bool, action: str, rule: str) -> None:
    if broken:
        text = rule.replace(".", " ")
        raise errors.domain_rule(f"error.msg.loan.{action}.{rule}", f"The {action} of a loan {text}.")


def _require_status(loan: Loan, status: LoanStatus, code: str, message: str) -> None:
    if loan.status is not status:
        raise errors.wrong_state(f"error.msg.loan.{code}", message)


def _read_date(body: Body, resource: str, name: str) -> date:
    checks = Checks(resource)
    on = body.date(name)
    checks.required(name, on)
    checks.at_most("note", body.text("note"), NOTE_LENGTH)
    checks.settle()
    return settled(on)


def approve(store: Store, target: Target, body: Body) -> Answer:
    """Approve a submitted loan, for less than was asked when `approvedLoanAmount` says so."""
    fields = FORMAT_FIELDS | {"approvedOnDate", "approvedLoanAmount", "expectedDisbursementDate", "note"}
    body.only(fields, elsewhere=frozenset({"disbursementData"}))
    on = _read_date(body, "loanapplication", "approvedOnDate")
    loan = loan_records.require_loan(store, target.loan_id)
    message = (
        "Loan Account Approval is not allowed. Loan Account is not in submitted and pending approval state."
    )
    _require_status(loan, LoanStatus.SUBMITTED, "approve.account.is.not.submitted.and.pending.state", message)
    expected = body.date("expectedDisbursementDate") or loan.expected_disbursement_on
    _refuse(on < loan.submitted_on, "approval", "cannot.be.before.submittal.date")
    _refuse(on > settings.today(store), "approval", "cannot.be.a.future.date")
    _refuse(expected < on, "expecteddisbursal", "should.be.on.or.after.approval.date")
    asked = body.amount("approvedLoanAmount")
    amount = loan.proposed_principal if asked is None else wire.paise(asked)
    _refuse(amount > loan.proposed_principal, "approval", "amount.can't.be.greater.than.loan.amount.demanded")
    approved = replace(
        loan,
        status=LoanStatus.APPROVED,
        approved_on=on,
        approved_principal=amount,
        principal=amount,
        expected_disbursement_on=expected,
    )
    return _reschedule(store, approved, body, ("approvedOnDate", "expectedDisbursementDate"))


def undo_approval(store: Store, target: Target, body: Body) -> Answer:
    """Take an approval back."""
    body.only(frozenset({"note"}))
    loan = loan_records.require_loan(store, target.loan_id)
    message = "Undo approval is not allowed. Loan Account is not in approved state."
    _require_status(loan, LoanStatus.APPROVED, "undo.approval.account.is.not.approved", message)
    undone = replace(
        loan,
        status=LoanStatus.SUBMITTED,
        approved_on=None,
        approved_principal=None,
        principal=loan.proposed_principal,
    )
    return _reschedule(store, undone, body, ())


def reject(store: Store, target: Target, body: Body) -> Answer:
    """Reject a submitted loan."""
    body.only(FORMAT_FIELDS | {"rejectedOnDate", "note"})
    on = _read_date(body, "loanapplication", "rejectedOnDate")
    loan = loan_records.require_loan(store, target.loan_id)
    message = (
        "Loan application cannot be rejected. Loan Account is not in submitted and pending approval state."
    )
    _require_status(
        loan, LoanStatus.SUBMITTED, "reject.account.is.not.submitted.pending.approval.state", message
    )
    _refuse(on < loan.submitted_on, "reject", "cannot.be.before.submittal.date")
    _refuse(on > settings.today(store), "reject", "cannot.be.a.future.date")
    rejected = replace(loan, status=LoanStatus.REJECTED, rejected_on=on, closed_on=on)
    return _save(store, rejected, body, ("rejectedOnDate",))


def withdraw(store: Store, target: Target, body: Body) -> Answer:
    """Withdraw a submitted loan on the applicant's wish."""
    body.only(FORMAT_FIELDS | {"withdrawnOnDate", "note"})
    on = _read_date(body, "loanapplication", "withdrawnOnDate")
    loan = loan_records.require_loan(store, target.loan_id)
    _refuse(loan.status is not LoanStatus.SUBMITTED, "withdraw", "cannot.withdraw")
    _refuse(on < loan.submitted_on, "withdraw", "cannot.be.before.submittal.date")
    _refuse(on > settings.today(store), "withdraw", "cannot.be.a.future.date")
    withdrawn = replace(loan, status=LoanStatus.WITHDRAWN, withdrawn_on=on, closed_on=on)
    return _save(store, withdrawn, body, ("withdrawnOnDate",))


def disburse(store: Store, target: Target, body: Body) -> Answer:
    """Lend the money: the loan becomes active and its schedule starts on the actual date."""
    fields = {"actualDisbursementDate", "transactionAmount", "netDisbursalAmount", "externalId", "note"}
    beyond = frozenset({"fixedEmiAmount", "adjustRepaymentDate", "postDatedChecks"})
    body.only(FORMAT_FIELDS | fields | {"paymentTypeId", *PAYMENT_REFERENCES}, elsewhere=beyond)
    checks = Checks("loan.disbursement")
    check_payment(checks, body)
    for name in ("transactionAmount", "netDisbursalAmount"):
        checks.positive(name, body.amount(name))
    checks.settle()
    on = _read_date(body, "loan.disbursement", "actualDisbursementDate")
    loan = loan_records.require_loan(store, target.loan_id)
    clients.require_active(store, loan.client_id)
    active = replace(
        loan, status=LoanStatus.ACTIVE, disbursed_on=on, principal=_sum_lent(store, loan, body, on)
    )
    loan_records.save_loan(store, active)
    _lay_out(store, active)
    transaction_id = book(store, active, TransactionType.DISBURSEMENT, body, on=on, amount=active.principal)
    external_id = body.text("externalId")
    answer = command_result(active, _changes(active, body, ("actualDisbursementDate",)))
    return {**answer, **result(subResourceId=transaction_id, subResourceExternalId=external_id)}


def _sum_lent(store: Store, loan: Loan, body: Body, on: date) -> int:
    message = "Loan Disbursal is not allowed. Loan Account is not in approved and not disbursed state."
    _require_status(
        loan, LoanStatus.APPROVED, "disbursal.account.is.not.approve.not.disbursed.state", message
    )
    _refuse(
        loan.approved_on is not None and on < loan.approved_on, "disbursal", "cannot.be.before.approval.date"
    )
    _refuse(on > settings.today(store), "disbursal", "cannot.be.a.future.date")
    first_due = loan.terms.first_due
    late = first_due is not None and on > first_due
    _refuse(late, "disbursal", "cannot.be.after.expected.first.repayment.date")
    asked = body.amount("transactionAmount")
    amount = loan.principal if asked is None else wire.paise(asked)
    if amount > loan.principal:
        code = "error.msg.loan.disburse.amount.must.be.less.than.approved.amount"
        raise errors.domain_rule(
            code, "Loan can't be disbursed, disburse amount is exceeding approved amount."
        )
    return amount


def undo_disbursal(store: Store, target: Target, body: Body) -> Answer:
    """Take a disbursal back: every transaction is reversed and the loan is approved again."""
    body.only(frozenset({"note"}))
    loan = loan_records.require_loan(store, target.loan_id)
    message = "Undo disbursal is not allowed. Loan Account is not active."
    _require_status(loan, LoanStatus.ACTIVE, "undo.disbursal.account.is.not.active", message)
    today = settings.today(store)
    for transaction in loan_records.transactions_of(store, loan.id):
        if not transaction.manually_reversed:
            loan_records.reverse_by_hand(store, transaction.id, today, None)
    principal = loan.approved_principal or loan.proposed_principal
    undone = replace(loan, status=LoanStatus.APPROVED, disbursed_on=None, principal=principal)
    return _reschedule(store, undone, body, ())


def check_payment(checks: Checks, body: Body) -> None:
    """The rules of the fields that say how money moved."""
    checks.positive("paymentTypeId", body.integer("paymentTypeId"))
    for name in PAYMENT_REFERENCES:
        checks.at_most(name, body.text(name), _REFERENCE_LENGTH)
    checks.at_most("externalId", body.text("externalId"), EXTERNAL_ID_LENGTH)
    checks.at_most("note", body.text("note"), NOTE_LENGTH)


def book(store: Store, loan: Loan, kind: TransactionType, body: Body, *, on: date, amount: int) -> int:
    """Book a transaction with its payment details; 400 for a duplicate external id, 404 for a strange payment type."""
    external_id = body.text("externalId")
    draft = Transaction(
        id=0,
        loan_id=loan.id,
        kind=kind,
        on=on,
        submitted_on=settings.today(store),
        amount=amount,
        balance=loan.principal,
        external_id=external_id,
        payment=_payment(store, body),
    )
    try:
        return loan_records.add_transaction(store, draft)
    except DuplicateError as error:
        code = "validation.msg.loan.transaction.externalId.value.must.be.unique"
        message = f"Duplicate entry {external_id} for parameter externalId."
        raise errors.invalid([errors.item(code, message, "externalId", external_id)]) from error


def _payment(store: Store, body: Body) -> Payment | None:
    type_id = body.integer("paymentTypeId")
    if type_id is not None:
        settings.require_payment_type(store, type_id)
    references = tuple(body.echo(PAYMENT_REFERENCES).items())
    return Payment(type_id, references) if type_id is not None or references else None


def command_result(loan: Loan, changes: Answer | None = None) -> Answer:
    """The answer of a command on a loan."""
    return result(
        officeId=clients.HEAD_OFFICE,
        clientId=loan.client_id,
        loanId=loan.id,
        resourceId=loan.id,
        resourceExternalId=loan.external_id,
        changes=changes,
    )


def _changes(loan: Loan, body: Body, echoed: tuple[str, ...]) -> Answer:
    return {"status": enums.loan_status(loan.status), **body.echo((*echoed, "note", "locale", "dateFormat"))}


def _save(store: Store, loan: Loan, body: Body, echoed: tuple[str, ...]) -> Answer:
    loan_records.save_loan(store, loan)
    return command_result(loan, _changes(loan, body, echoed))


def _reschedule(store: Store, loan: Loan, body: Body, echoed: tuple[str, ...]) -> Answer:
    _lay_out(store, loan)
    return _save(store, loan, body, echoed)
