"""Fineract's enumerations: the numbers on the wire, and the objects they become in answers."""

from enum import IntEnum
from typing import Final

EnumObject = dict[str, object]


class Frequency(IntEnum):
    """Unit of a term, of the gap between repayments, or (MONTHS and YEARS) of an interest rate."""

    DAYS = 0
    WEEKS = 1
    MONTHS = 2
    YEARS = 3


class Amortization(IntEnum):
    """What stays equal over the installments."""

    EQUAL_PRINCIPAL = 0
    EQUAL_INSTALLMENTS = 1


class InterestMethod(IntEnum):
    """What interest is charged on: the balance left, or the sum first lent."""

    DECLINING_BALANCE = 0
    FLAT = 1


class InterestPeriod(IntEnum):
    """Whether interest counts days or whole repayment periods."""

    DAILY = 0
    SAME_AS_REPAYMENT_PERIOD = 1


class LoanStatus(IntEnum):
    """The states of a loan that this server reaches."""

    SUBMITTED = 100
    APPROVED = 200
    ACTIVE = 300
    WITHDRAWN = 400
    REJECTED = 500
    CLOSED = 600
    WRITTEN_OFF = 601
    OVERPAID = 700


class TransactionType(IntEnum):
    """The transactions that this server books."""

    DISBURSEMENT = 1
    REPAYMENT = 2
    INTEREST_WAIVER = 4
    WRITE_OFF = 6
    RECOVERY = 8
    CHARGE_WAIVER = 9
    GOODWILL_CREDIT = 23
    CHARGE_ADJUSTMENT = 26
    CHARGE_OFF = 27


class ClientStatus(IntEnum):
    """The states of a client that this server reaches."""

    PENDING = 100
    ACTIVE = 300


LOWERING: Final = frozenset(
    {
        TransactionType.REPAYMENT,
        TransactionType.INTEREST_WAIVER,
        TransactionType.CHARGE_WAIVER,
        TransactionType.GOODWILL_CREDIT,
        TransactionType.CHARGE_ADJUSTMENT,
    }
)
"""What lowers a loan's dues, and is applied anew when something before it changes."""

REPAYABLE: Final = frozenset({LoanStatus.ACTIVE, LoanStatus.CLOSED, LoanStatus.OVERPAID})

_LOAN_STATUSES: Final = {
    LoanStatus.SUBMITTED: ("loanStatusType.submitted.and.pending.approval", "Submitted and pending approval"),
    LoanStatus.APPROVED: ("loanStatusType.approved", "Approved"),
    LoanStatus.ACTIVE: ("loanStatusType.active", "Active"),
    LoanStatus.WITHDRAWN: ("loanStatusType.withdrawn.by.client", "Withdrawn by applicant"),
    LoanStatus.REJECTED: ("loanStatusType.rejected", "Rejected"),
    LoanStatus.CLOSED: ("loanStatusType.closed.obligations.met", "Closed (obligations met)"),
    LoanStatus.WRITTEN_OFF: ("loanStatusType.closed.written.off", "Closed (written off)"),
    LoanStatus.OVERPAID: ("loanStatusType.overpaid", "Overpaid"),
}
_CLIENT_STATUSES: Final = {
    ClientStatus.PENDING: ("clientStatusType.pending", "Pending"),
    ClientStatus.ACTIVE: ("clientStatusType.active", "Active"),
}
_TRANSACTION_TYPES: Final = {
    TransactionType.DISBURSEMENT: ("loanTransactionType.disbursement", "Disbursement"),
    TransactionType.REPAYMENT: ("loanTransactionType.repayment", "Repayment"),
    TransactionType.WRITE_OFF: ("loanTransactionType.writeOff", "Close (as written-off)"),
    TransactionType.INTEREST_WAIVER: ("loanTransactionType.waiver", "Waive interest"),
    TransactionType.CHARGE_WAIVER: ("loanTransactionType.waiveCharges", "Waive loan charges"),
    TransactionType.GOODWILL_CREDIT: ("loanTransactionType.goodwillCredit", "Goodwill Credit"),
    TransactionType.CHARGE_ADJUSTMENT: ("loanTransactionType.chargeAdjustment", "Charge Adjustment"),
    TransactionType.CHARGE_OFF: ("loanTransactionType.chargeOff", "Charge-off"),
    TransactionType.RECOVERY: ("loanTransactionType.recoveryRepayment", "Repayment (after write-off)"),
}
_FREQUENCIES: Final = {
    Frequency.DAYS: ("days", "Days"),
    Frequency.WEEKS: ("weeks", "Weeks"),
    Frequency.MONTHS: ("months", "Months"),
    Frequency.YEARS: ("years", "Years"),
}
_RATES: Final = {Frequency.MONTHS: "Per month", Frequency.YEARS: "Per year"}
_AMORTIZATIONS: Final = {
    Amortization.EQUAL_PRINCIPAL: ("amortizationType.equal.principal", "Equal principal payments"),
    Amortization.EQUAL_INSTALLMENTS: ("amortizationType.equal.installments", "Equal installments"),
}
_INTEREST_METHODS: Final = {
    InterestMethod.DECLINING_BALANCE: ("interestType.declining.balance", "Declining Balance"),
    InterestMethod.FLAT: ("interestType.flat", "Flat"),
}
_INTEREST_PERIODS: Final = {
    InterestPeriod.DAILY: ("interestCalculationPeriodType.daily", "Daily"),
    InterestPeriod.SAME_AS_REPAYMENT_PERIOD: (
        "interestCalculationPeriodType.same.as.repayment.period",
        "Same as repayment period",
    ),
}
_TRANSACTION_FLAGS: Final = (
    "disbursement",
    "repaymentAtDisbursement",
    "repayment",
    "merchantIssuedRefund",
    "payoutRefund",
    "goodwillCredit",
    "contra",
    "waiveInterest",
    "waiveCharges",
    "accrual",
    "writeOff",
    "recoveryRepayment",
    "creditBalanceRefund",
    "chargeback",
    "chargeAdjustment",
    "chargeoff",
    "downPayment",
)


def option(number: int, code: str, value: str) -> EnumObject:
    """An enumeration value as answers show it."""
    return {"id": number, "code": code, "value": value}


def loan_status(status: LoanStatus) -> EnumObject:
    """The `status` object of a loan, with its flags."""
    code, value = _LOAN_STATUSES[status]
    return {
        **option(status, code, value),
        "pendingApproval": status is LoanStatus.SUBMITTED,
        "waitingForDisbursal": status is LoanStatus.APPROVED,
        "active": status is LoanStatus.ACTIVE,
        "closedObligationsMet": status is LoanStatus.CLOSED,
        "closedWrittenOff": status is LoanStatus.WRITTEN_OFF,
        "closedRescheduled": False,
        "closed": status in {LoanStatus.CLOSED, LoanStatus.WRITTEN_OFF},
        "overpaid": status is LoanStatus.OVERPAID,
    }


def client_status(status: ClientStatus) -> EnumObject:
    """The `status` object of a client."""
    code, value = _CLIENT_STATUSES[status]
    return option(status, code, value)


def transaction_type(kind: TransactionType) -> EnumObject:
    """The `type` object of a transaction, with its flags."""
    code, value = _TRANSACTION_TYPES[kind]
    name = code.removeprefix("loanTransactionType.")
    return {**option(kind, code, value), **{flag: flag == name for flag in _TRANSACTION_FLAGS}}


def term_frequency(unit: Frequency) -> EnumObject:
    """The unit of a loan's term."""
    code, value = _FREQUENCIES[unit]
    return option(unit, f"termFrequency.periodFrequencyType.{code}", value)


def repayment_frequency(unit: Frequency) -> EnumObject:
    """The unit of the gap between repayments."""
    code, value = _FREQUENCIES[unit]
    return option(unit, f"repaymentFrequency.periodFrequencyType.{code}", value)


def rate_frequency(unit: Frequency) -> EnumObject:
    """The unit of an interest rate: per month or per year."""
    code, _ = _FREQUENCIES[unit]
    return option(unit, f"interestRateFrequency.periodFrequencyType.{code}", _RATES[unit])


def amortization(kind: Amortization) -> EnumObject:
    """The `amortizationType` object."""
    return option(kind, *_AMORTIZATIONS[kind])


def interest_method(kind: InterestMethod) -> EnumObject:
    """The `interestType` object."""
    return option(kind, *_INTEREST_METHODS[kind])


def interest_period(kind: InterestPeriod) -> EnumObject:
    """The `interestCalculationPeriodType` object."""
    return option(kind, *_INTEREST_PERIODS[kind])


def days_in_year(days: int) -> EnumObject:
    """The `daysInYearType` object: 1 is actual."""
    return option(days, "DaysInYearType.actual" if days == 1 else f"DaysInYearType.days{days}", _days(days))


def days_in_month(days: int) -> EnumObject:
    """The `daysInMonthType` object: 1 is actual."""
    return option(days, "DaysInMonthType.actual" if days == 1 else f"DaysInMonthType.days{days}", _days(days))


def _days(days: int) -> str:
    return "Actual" if days == 1 else f"{days} Days"
