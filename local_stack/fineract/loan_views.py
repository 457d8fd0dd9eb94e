"""Loans as answers show them: the account, its summary, schedule and transactions, the list, the templates."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from local_stack.fineract import (
    charges,
    clients,
    enums,
    errors,
    foreclosure,
    loan_records,
    products,
    repayments,
    settings,
    wire,
)
from local_stack.fineract.allocation import Installment, Portions, unpaid
from local_stack.fineract.body import Body, Checks
from local_stack.fineract.enums import LoanStatus, TransactionType
from local_stack.fineract.loan_records import Loan, Transaction
from local_stack.fineract.operations import Answer
from local_stack.fineract.store import Store

_COMPONENTS: Final = (
    ("principal", "principal"),
    ("interest", "interest"),
    ("fee", "feeCharges"),
    ("penalty", "penaltyCharges"),
)
FILTERS: Final = {
    "externalId": "external_id = ?",
    "accountNo": "account_no = ?",
    "status": "status = ?",
    "clientId": "client_id = ?",
}
_ORDERS: Final = {"id": "id", "accountNo": "account_no", "externalId": "external_id"}
_INDIVIDUAL: Final = enums.option(1, "accountType.individual", "Individual")


def loan_view(store: Store, loan_id: int, associations: frozenset[str]) -> Answer:
    """A loan with the asked associations (`all` for every one); by default none."""
    loan = loan_records.require_loan(store, loan_id)
    installments = loan_records.installments_of(store, loan.id)
    answer = _account(store, loan, installments)
    if associations & {"all", "repaymentSchedule"}:
        answer["repaymentSchedule"] = _schedule(loan, installments, settings.today(store))
    if associations & {"all", "transactions"}:
        answer["transactions"] = [
            _transaction(store, loan, t) for t in loan_records.transactions_of(store, loan.id)
        ]
    if associations & {"all", "charges"}:
        answer["charges"] = charges.views(store, loan.id)
    return answer


def transaction_view(store: Store, loan_id: int, transaction_id: int) -> Answer:
    """One transaction of a loan, reversed or not."""
    loan = loan_records.require_loan(store, loan_id)
    return _transaction(store, loan, loan_records.require_transaction(store, loan_id, transaction_id))


def page(
    store: Store,
    *,
    filters: dict[str, str | None],
    order_by: str | None,
    descending: bool,
    offset: int,
    limit: int,
) -> Answer:
    """The answer of GET /loans; `limit` -1 for all. Without one, the order is anybody's guess."""
    conditions, values = _conditions(filters)
    total = store.rows(f"select count(*) as n from loan where {conditions}", *values)[0]["n"]  # noqa: S608 - own text
    order = _order(order_by, descending)
    found = store.rows(
        f"select * from loan where {conditions} order by {order} limit ? offset ?",  # noqa: S608 - own text
        *values,
        limit,
        offset,
    )
    loans = [loan_records.loan_of(row) for row in found]
    items = [_account(store, loan, loan_records.installments_of(store, loan.id)) for loan in loans]
    return {"totalFilteredRecords": total, "pageItems": items}


def _conditions(filters: dict[str, str | None]) -> tuple[str, list[str]]:
    asked = {name: value for name, value in filters.items() if value}
    return " and ".join(FILTERS[name] for name in asked) or "true", list(asked.values())


def _order(order_by: str | None, descending: bool) -> str:
    if order_by is None:
        return "id * 7919 % 1009, id"
    if order_by not in _ORDERS:
        raise errors.unsupported_query_value("orderBy", order_by)
    return _ORDERS[order_by] + (" desc" if descending else "")


def schedule_preview(loan: Loan, installments: list[Installment], today: date) -> Answer:
    """The answer of calculateLoanSchedule."""
    return _schedule(loan, installments, today)


def _account(store: Store, loan: Loan, installments: list[Installment]) -> Answer:
    client = clients.require(store, loan.client_id)
    product = products.require(store, loan.product_id)
    details = products.details(product)
    terms = loan.terms
    charged_off = loan_records.charged_off_on(store, loan.id)
    answer: Answer = {
        "id": loan.id,
        "accountNo": loan.account_no,
        "externalId": loan.external_id,
        "status": enums.loan_status(loan.status),
        "clientId": loan.client_id,
        "clientAccountNo": client["account_no"],
        "clientExternalId": client["external_id"],
        "clientName": clients.name_of(client),
        "clientOfficeId": clients.HEAD_OFFICE,
        "loanProductId": loan.product_id,
        "loanProductName": product["name"],
        "loanType": _INDIVIDUAL,
        "currency": products.currency(details.currency),
        "principal": wire.rupees(loan.principal),
        "approvedPrincipal": wire.rupees(loan.approved_principal or 0),
        "proposedPrincipal": wire.rupees(loan.proposed_principal),
        "netDisbursalAmount": wire.rupees(loan.principal),
        "termFrequency": terms.repayments * terms.every,
        "termPeriodFrequencyType": enums.term_frequency(terms.frequency),
        **products.defaults(details),
        "numberOfRepayments": terms.repayments,
        "repaymentEvery": terms.every,
        "repaymentFrequencyType": enums.repayment_frequency(terms.frequency),
        "interestRatePerPeriod": terms.rate,
        "interestRateFrequencyType": enums.rate_frequency(terms.rate_unit),
        "annualInterestRate": terms.annual_rate,
        "amortizationType": enums.amortization(terms.amortization),
        "interestType": enums.interest_method(terms.interest_method),
        "interestCalculationPeriodType": enums.interest_period(terms.interest_period),
        "transactionProcessingStrategyCode": terms.strategy,
        "daysInYearType": enums.days_in_year(terms.days_in_year),
        "graceOnPrincipalPayment": terms.principal_grace,
        "timeline": _timeline(loan, installments, charged_off),
        "isNPA": False,
        "chargedOff": charged_off is not None,
        "fraud": False,
    }
    if charges.is_foreclosed(store, loan.id):
        answer["subStatus"] = foreclosure.SUB_STATUS
    if loan.disbursed_on is not None:
        recovered = loan_records.recovered_on(store, loan.id)
        answer.update(_balances(loan, details.currency, installments, settings.today(store), recovered))
    return answer


def _timeline(loan: Loan, installments: list[Installment], charged_off: date | None) -> Answer:
    dates = {
        "submittedOnDate": loan.submitted_on,
        "approvedOnDate": loan.approved_on,
        "expectedDisbursementDate": loan.expected_disbursement_on,
        "actualDisbursementDate": loan.disbursed_on,
        "expectedMaturityDate": installments[-1].due_date,
        "rejectedOnDate": loan.rejected_on,
        "withdrawnOnDate": loan.withdrawn_on,
        "closedOnDate": loan.closed_on,
        "writeOffOnDate": loan.closed_on if _is_written_off(loan) else None,
        "chargedOffOnDate": charged_off,
    }
    return {name: wire.day(on) for name, on in dates.items() if on is not None}


def _is_written_off(loan: Loan) -> bool:
    return loan.status is LoanStatus.WRITTEN_OFF


def _left(loan: Loan, installments: Iterable[Installment]) -> tuple[Portions, Portions]:
    """What of the unpaid dues is outstanding, and what is written off: one of the two is nothing."""
    left = unpaid(installments)
    return (Portions(), left) if _is_written_off(loan) else (left, Portions())


def _balances(
    loan: Loan, currency: str, installments: list[Installment], today: date, recovered: int
) -> Answer:
    late = [i for i in installments if i.due_date < today and i.outstanding]
    overdue = [] if _is_written_off(loan) else late
    answer: Answer = {
        "inArrears": bool(overdue),
        "summary": _summary(loan, currency, installments, overdue, recovered),
    }
    if loan.status is LoanStatus.OVERPAID:
        answer.update(totalOverpaid=wire.rupees(loan.overpaid), overpaidOnDate=wire.day(loan.overpaid_on))
    return answer


def _summary(
    loan: Loan, currency: str, installments: list[Installment], overdue: list[Installment], recovered: int
) -> Answer:
    due, paid = _sum(i.due for i in installments), _sum(i.paid for i in installments)
    outstanding, written_off = _left(loan, installments)
    late, waived = unpaid(overdue), _sum(i.waived for i in installments)
    cost = due.repaid - due.principal
    answer: Answer = {
        "currency": products.currency(currency),
        "principalDisbursed": wire.rupees(loan.principal),
        "interestCharged": wire.rupees(due.interest),
        "feeChargesCharged": wire.rupees(due.fee),
        "penaltyChargesCharged": wire.rupees(due.penalty),
        "totalExpectedRepayment": wire.rupees(due.repaid),
        "totalRepayment": wire.rupees(paid.repaid),
        "totalExpectedCostOfLoan": wire.rupees(cost),
        "totalCostOfLoan": wire.rupees(cost - waived.repaid),
        "interestWaived": wire.rupees(waived.interest),
        "feeChargesWaived": wire.rupees(waived.fee),
        "penaltyChargesWaived": wire.rupees(waived.penalty),
        "totalWaived": wire.rupees(waived.repaid),
        "totalWrittenOff": wire.rupees(written_off.repaid),
        "totalOutstanding": wire.rupees(outstanding.repaid),
        "totalOverdue": wire.rupees(late.repaid),
        "totalRecovered": wire.rupees(recovered),
    }
    for part, name in _COMPONENTS:
        answer[f"{name}Paid"] = wire.rupees(getattr(paid, part))
        answer[f"{name}WrittenOff"] = wire.rupees(getattr(written_off, part))
        answer[f"{name}Outstanding"] = wire.rupees(getattr(outstanding, part))
        answer[f"{name}Overdue"] = wire.rupees(getattr(late, part))
    if overdue:
        answer["overdueSinceDate"] = wire.day(overdue[0].due_date)
    return answer


def _schedule(loan: Loan, installments: list[Installment], today: date) -> Answer:
    due, paid = _sum(i.due for i in installments), _sum(i.paid for i in installments)
    outstanding, written_off = _left(loan, installments)
    start: Answer = {
        "dueDate": wire.day(loan.lent_on),
        "principalDisbursed": wire.rupees(loan.principal),
        "principalLoanBalanceOutstanding": wire.rupees(loan.principal),
        "feeChargesDue": wire.rupees(0),
        "downPaymentPeriod": False,
    }
    return {
        "loanTermInDays": (installments[-1].due_date - loan.lent_on).days,
        "totalPrincipalDisbursed": wire.rupees(loan.principal),
        "totalPrincipalExpected": wire.rupees(due.principal),
        "totalPrincipalPaid": wire.rupees(paid.principal),
        "totalInterestCharged": wire.rupees(due.interest),
        "totalFeeChargesCharged": wire.rupees(due.fee),
        "totalPenaltyChargesCharged": wire.rupees(due.penalty),
        "totalWaived": wire.rupees(sum(i.waived.repaid for i in installments)),
        "totalWrittenOff": wire.rupees(written_off.repaid),
        "totalRepaymentExpected": wire.rupees(due.repaid),
        "totalRepayment": wire.rupees(paid.repaid),
        "totalPaidInAdvance": wire.rupees(sum(i.paid_in_advance for i in installments)),
        "totalPaidLate": wire.rupees(sum(i.paid_late for i in installments)),
        "totalOutstanding": wire.rupees(outstanding.repaid),
        "periods": [start, *_periods(loan, installments, today)],
    }


def _periods(loan: Loan, installments: list[Installment], today: date) -> Iterable[Answer]:
    balance = loan.principal
    for installment in installments:
        balance -= installment.due.principal
        yield _period(installment, balance, today, *_left(loan, [installment]))


def _period(
    installment: Installment, balance: int, today: date, outstanding: Portions, written_off: Portions
) -> Answer:
    left = outstanding.repaid
    answer: Answer = {
        "period": installment.number,
        "fromDate": wire.day(installment.from_date),
        "dueDate": wire.day(installment.due_date),
        "complete": not left,
        "daysInPeriod": (installment.due_date - installment.from_date).days,
        "downPaymentPeriod": False,
        "principalLoanBalanceOutstanding": wire.rupees(balance),
        "totalDueForPeriod": wire.rupees(installment.due.repaid),
        "totalPaidForPeriod": wire.rupees(installment.paid.repaid),
        "totalPaidInAdvanceForPeriod": wire.rupees(installment.paid_in_advance),
        "totalPaidLateForPeriod": wire.rupees(installment.paid_late),
        "totalWaivedForPeriod": wire.rupees(installment.waived.repaid),
        "totalWrittenOffForPeriod": wire.rupees(written_off.repaid),
        "totalOutstandingForPeriod": wire.rupees(left),
        "totalOverdue": wire.rupees(left if installment.due_date < today else 0),
        "totalInstallmentAmountForPeriod": wire.rupees(installment.due.principal + installment.due.interest),
    }
    if installment.met_on is not None:
        answer["obligationsMetOnDate"] = wire.day(installment.met_on)
    for part, name in _COMPONENTS:
        answer[f"{name}Due"] = wire.rupees(getattr(installment.due, part))
        answer[f"{name}Paid"] = wire.rupees(getattr(installment.paid, part))
        answer[f"{name}Waived"] = wire.rupees(getattr(installment.waived, part))
        answer[f"{name}WrittenOff"] = wire.rupees(getattr(written_off, part))
        answer[f"{name}Outstanding"] = wire.rupees(getattr(outstanding, part))
    return answer


def _transaction(store: Store, loan: Loan, transaction: Transaction) -> Answer:
    portions = transaction.portions
    answer: Answer = {
        "id": transaction.id,
        "loanId": loan.id,
        "externalLoanId": loan.external_id,
        "officeId": clients.HEAD_OFFICE,
        "officeName": clients.HEAD_OFFICE_NAME,
        "type": enums.transaction_type(transaction.kind),
        "date": wire.day(transaction.on),
        "submittedOnDate": wire.day(transaction.submitted_on),
        "amount": wire.rupees(transaction.amount),
        "netDisbursalAmount": wire.rupees(loan.principal),
        "principalPortion": wire.rupees(portions.principal),
        "interestPortion": wire.rupees(portions.interest),
        "feeChargesPortion": wire.rupees(portions.fee),
        "penaltyChargesPortion": wire.rupees(portions.penalty),
        "overpaymentPortion": wire.rupees(portions.overpayment),
        "unrecognizedIncomePortion": wire.rupees(0),
        "outstandingLoanBalance": wire.rupees(transaction.balance),
        "externalId": transaction.external_id,
        "reversalExternalId": transaction.reversal_external_id,
        "manuallyReversed": transaction.manually_reversed,
        "loanChargePaidByList": [],
        "transactionRelations": _relations(transaction),
        **_payment(store, transaction),
    }
    if transaction.reversed_on is not None:
        answer["reversedOnDate"] = wire.day(transaction.reversed_on)
    return answer


def _relations(transaction: Transaction) -> list[Answer]:
    if transaction.replays is None:
        return []
    relation = {"fromLoanTransaction": transaction.id, "toLoanTransaction": transaction.replays}
    return [{**relation, "relationType": "REPLAYED", "amount": wire.rupees(transaction.amount)}]


def _payment(store: Store, transaction: Transaction) -> Answer:
    if transaction.payment is None:
        return {}
    detail: Answer = {"id": transaction.id, **dict(transaction.payment.references)}
    found = store.row("select id, name from payment_type where id = ?", transaction.payment.type_id)
    if found is not None:
        detail["paymentType"] = {"id": found["id"], "name": found["name"]}
    return {"paymentDetailData": detail}


def loan_template(store: Store, client_id: int, product_id: int) -> Answer:
    """What a loan application for this client and product would start from."""
    client = clients.require(store, client_id)
    row = products.require(store, product_id)
    product = products.details(row)
    return {
        "clientId": client_id,
        "clientAccountNo": client["account_no"],
        "clientName": clients.name_of(client),
        "clientOfficeId": clients.HEAD_OFFICE,
        "loanProductId": product_id,
        "loanProductName": row["name"],
        "currency": products.currency(product.currency),
        "principal": None if product.principal is None else wire.rupees(wire.paise(product.principal)),
        "termFrequency": product.repayments * product.every,
        "termPeriodFrequencyType": enums.term_frequency(product.frequency),
        **products.defaults(product),
        "charges": [],
        "product": products.view(row),
    }


def transaction_template(store: Store, loan_id: int, command: str | None, query: Body) -> Answer:
    """What a repayment or a pre-payment of the loan would be."""
    if command not in {"repayment", "prepayLoan", "foreclosure"}:
        raise errors.unsupported_query_value("command", command)
    loan = loan_records.require_loan(store, loan_id)
    if command == "foreclosure":
        return foreclosure.quote(store, loan, query)
    owing = [i for i in loan_records.installments_of(store, loan.id) if i.outstanding]
    if command == "repayment":
        on = owing[0].due_date if owing else settings.today(store)
        return _proposed(store, loan, owing[:1], on)
    checks = Checks("loan.transaction")
    asked = query.date("transactionDate")
    checks.required("transactionDate", asked)
    checks.settle()
    on = asked or settings.today(store)
    # without interest recalculation nothing is forgiven for paying early: future interest is included
    return _proposed(
        store, loan, repayments.ended_on(store, loan, on) if loan.terms.recalculates else owing, on
    )


def _proposed(store: Store, loan: Loan, owing: list[Installment], on: date) -> Answer:
    left = unpaid(owing)
    details = products.details(products.require(store, loan.product_id))
    return {
        "loanId": loan.id,
        "externalLoanId": loan.external_id,
        "type": enums.transaction_type(TransactionType.REPAYMENT),
        "date": wire.day(on),
        "currency": products.currency(details.currency),
        "amount": wire.rupees(left.repaid),
        "netDisbursalAmount": wire.rupees(loan.principal),
        "principalPortion": wire.rupees(left.principal),
        "interestPortion": wire.rupees(left.interest),
        "feeChargesPortion": wire.rupees(left.fee),
        "penaltyChargesPortion": wire.rupees(left.penalty),
        "paymentTypeOptions": settings.payment_types(store),
    }


def _sum(portions: Iterable[Portions]) -> Portions:
    total = Portions()
    for each in portions:
        total = total.plus(each)
    return total
