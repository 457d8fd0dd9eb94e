"""Loan products: created over the API with the fields a real server asks for."""

import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from local_stack.fineract import enums, errors, wire
from local_stack.fineract.allocation import STRATEGIES
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.enums import Amortization, Frequency, InterestMethod, InterestPeriod
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import DuplicateError, Store

CURRENCY_DIGITS: Final = 2
DAYS_IN_YEAR: Final = (1, 360, 364, 365)
DAYS_IN_MONTH: Final = (1, 30)
_RATE_UNITS: Final = {Frequency.MONTHS: 12, Frequency.YEARS: 1}
_NO_ACCOUNTING: Final = 1
_LENGTHS: Final = {"name": 100, "shortName": 4, "description": 500, "currencyCode": 3, "externalId": 100}
_ENUMERATIONS: Final = {
    "repaymentFrequencyType": (0, 3),
    "amortizationType": (0, 1),
    "interestType": (0, 1),
    "interestCalculationPeriodType": (0, 1),
    "interestRateFrequencyType": (0, 4),
    "digitsAfterDecimal": (0, 6),
    "accountingRule": (1, 4),
}
_DAY_COUNTS: Final = {"daysInYearType": DAYS_IN_YEAR, "daysInMonthType": DAYS_IN_MONTH}
_COUNTS: Final = ("numberOfRepayments", "repaymentEvery")
_OPTIONAL_COUNTS: Final = ("minNumberOfRepayments", "maxNumberOfRepayments", "installmentAmountInMultiplesOf")
_GRACES: Final = ("graceOnPrincipalPayment", "graceOnArrearsAgeing", "overdueDaysForNPA")
_AMOUNTS: Final = ("principal", "minPrincipal", "maxPrincipal")
_RATES: Final = ("interestRatePerPeriod", "minInterestRatePerPeriod", "maxInterestRatePerPeriod")
_RECALCULATION: Final = {
    "interestRecalculationCompoundingMethod": 0,
    "rescheduleStrategyMethod": 3,
    "recalculationRestFrequencyType": 2,
}
"""What a product that recalculates interest must say, and what of it is computed here: no compounding, smaller
installments, day by day."""
_TILL_THE_DAY: Final = 1
_FIELDS: Final = FORMAT_FIELDS | {
    *_LENGTHS,
    *_ENUMERATIONS,
    *_DAY_COUNTS,
    *_COUNTS,
    *_OPTIONAL_COUNTS,
    *_GRACES,
    *_AMOUNTS,
    *_RATES,
    "transactionProcessingStrategyCode",
    "isInterestRecalculationEnabled",
    *_RECALCULATION,
    "preClosureInterestCalculationStrategy",
    "inArrearsTolerance",
    "loanScheduleType",
}
_ELSEWHERE: Final = frozenset(
    {
        "accountMovesOutOfNPAOnlyOnArrearsCompletion",
        "advancedPaymentAllocation",
        "allowApprovedDisbursedAmountsOverApplied",
        "allowAttributeOverrides",
        "allowCompoundingOnEod",
        "allowPartialPeriodInterestCalcualtion",
        "allowVariableInstallments",
        "canDefineInstallmentAmount",
        "canUseForTopup",
        "charges",
        "closeDate",
        "creditAllocation",
        "delinquencyBucketId",
        "disallowExpectedDisbursements",
        "disallowInterestCalculationOnPastDue",
        "disbursedAmountPercentageForDownPayment",
        "dueDaysForRepaymentEvent",
        "enableAccrualActivityPosting",
        "enableAutoRepaymentForDownPayment",
        "enableDownPayment",
        "enableInstallmentLevelDelinquency",
        "fixedLength",
        "fixedPrincipalPercentagePerInstallment",
        "fundId",
        "graceOnInterestCharged",
        "graceOnInterestPayment",
        "holdGuaranteeFunds",
        "inMultiplesOf",
        "includeInBorrowerCycle",
        "interestRateVariationsForBorrowerCycle",
        "isArrearsBasedOnOriginalSchedule",
        "isCompoundingToBePostedAsTransaction",
        "isEqualAmortization",
        "isLinkedToFloatingInterestRates",
        "loanScheduleProcessingType",
        "maxTrancheCount",
        "minimumDaysBetweenDisbursalAndFirstRepayment",
        "multiDisburseLoan",
        "numberOfRepaymentVariationsForBorrowerCycle",
        "outstandingLoanBalance",
        "overAppliedCalculationType",
        "overAppliedNumber",
        "overDueDaysForRepaymentEvent",
        "paymentAllocation",
        "principalThresholdForLastInstallment",
        "principalVariationsForBorrowerCycle",
        "rates",
        "recurringMoratoriumOnPrincipalPeriods",
        "repaymentStartDateType",
        "startDate",
        "supportedInterestRefundTypes",
        "syncExpectedWithDisbursementDate",
        "useBorrowerCycle",
    }
)
_DUPLICATES: Final = {
    "loan_product.name": ("error.msg.product.loan.duplicate.name", "name"),
    "loan_product.short_name": ("error.msg.product.loan.duplicate.short.name", "shortName"),
    "loan_product.external_id": ("error.msg.product.loan.duplicate.externalId", "externalId"),
}


@dataclass(frozen=True, slots=True)
class Product:
    """What a product fixes or proposes for its loans. Sums in rupees as sent, the rate in percent per `rate_unit`."""

    currency: str
    principal: Decimal | None
    min_principal: Decimal | None
    max_principal: Decimal | None
    repayments: int
    min_repayments: int | None
    max_repayments: int | None
    every: int
    frequency: Frequency
    rate: Decimal
    min_rate: Decimal | None
    max_rate: Decimal | None
    rate_unit: Frequency
    amortization: Amortization
    interest_method: InterestMethod
    interest_period: InterestPeriod
    strategy: str
    days_in_year: int
    days_in_month: int
    principal_grace: int
    arrears_tolerance: Decimal
    multiples_of: int | None
    description: str | None
    recalculates: bool = False

    def annual_rate(self, rate: Decimal) -> Decimal:
        """A rate of this product as percent a year."""
        return rate * _RATE_UNITS[self.rate_unit]


def create(store: Store, _: Target, body: Body) -> Answer:
    """Create a loan product; 403 for a duplicate name, short name or external id."""
    body.only(_FIELDS, _ELSEWHERE)
    _check(body)
    product = _read(body)
    try:
        product_id = store.run(
            "insert into loan_product (name, short_name, external_id, details) values (?, ?, ?, ?)",
            body.text("name"),
            body.text("shortName"),
            body.text("externalId"),
            msgspec.json.encode(product).decode(),
        )
    except DuplicateError as error:
        code, field = _DUPLICATES[error.column]
        value = body.text(field)
        raise errors.integrity(
            code, f"Loan product with {field} `{value}` already exists", field, value
        ) from error
    return result(resourceId=product_id, resourceExternalId=body.text("externalId"))


def _check(body: Body) -> None:
    checks = Checks("loanproduct")
    for name in ("name", "shortName", "currencyCode", "transactionProcessingStrategyCode"):
        checks.required(name, body.text(name))
    for name, length in _LENGTHS.items():
        checks.at_most(name, body.text(name), length)
    for name, (low, high) in _ENUMERATIONS.items():
        checks.required(name, body.plain_integer(name))
        checks.between(name, body.plain_integer(name), low, high)
    for name, allowed in _DAY_COUNTS.items():
        checks.required(name, body.plain_integer(name))
        checks.one_of(name, body.plain_integer(name), allowed)
    checks.required("isInterestRecalculationEnabled", body.flag("isInterestRecalculationEnabled"))
    if body.flag("isInterestRecalculationEnabled"):
        for name in _RECALCULATION:
            checks.required(name, body.plain_integer(name))
    _check_numbers(checks, body)
    checks.settle()
    _refuse_beyond(body)


def _check_numbers(checks: Checks, body: Body) -> None:
    for name in _COUNTS:
        checks.required(name, body.integer(name))
    for name in (*_COUNTS, *_OPTIONAL_COUNTS):
        checks.positive(name, body.integer(name))
    for name in _GRACES:
        checks.not_negative(name, body.integer(name))
    for name in _AMOUNTS:
        checks.positive(name, body.amount(name))
    checks.required("interestRatePerPeriod", body.amount("interestRatePerPeriod"))
    for name in (*_RATES, "inArrearsTolerance"):
        checks.not_negative(name, body.amount(name))


def _refuse_beyond(body: Body) -> None:
    """What a real server goes on to accept, and this one can't compute."""
    strategy = body.text("transactionProcessingStrategyCode")
    beyond = {
        f"transactionProcessingStrategyCode {strategy}": strategy not in STRATEGIES,
        "this recalculation of interest": body.flag("isInterestRecalculationEnabled")
        and not _can_recalculate(body),
        "a currency without two decimals": body.plain_integer("digitsAfterDecimal") != CURRENCY_DIGITS,
        "accounting": body.plain_integer("accountingRule") != _NO_ACCOUNTING,
        "rates other than per month or per year": body.plain_integer("interestRateFrequencyType")
        not in _RATE_UNITS,
        "schedules other than CUMULATIVE": body.text("loanScheduleType") not in {None, "CUMULATIVE"},
    }
    for what, asked in beyond.items():
        if asked:
            raise errors.NotProvidedError(f"the stand-in does not compute {what}")


def _can_recalculate(body: Body) -> bool:
    till = body.plain_integer("preClosureInterestCalculationStrategy")
    return (
        all(body.plain_integer(name) == value for name, value in _RECALCULATION.items())
        and till in {None, _TILL_THE_DAY}
        and body.plain_integer("interestType") != InterestMethod.FLAT
    )


def _read(body: Body) -> Product:
    return Product(
        currency=settled(body.text("currencyCode")),
        principal=body.amount("principal"),
        min_principal=body.amount("minPrincipal"),
        max_principal=body.amount("maxPrincipal"),
        repayments=settled(body.integer("numberOfRepayments")),
        min_repayments=body.integer("minNumberOfRepayments"),
        max_repayments=body.integer("maxNumberOfRepayments"),
        every=settled(body.integer("repaymentEvery")),
        frequency=Frequency(settled(body.plain_integer("repaymentFrequencyType"))),
        rate=settled(body.amount("interestRatePerPeriod")),
        min_rate=body.amount("minInterestRatePerPeriod"),
        max_rate=body.amount("maxInterestRatePerPeriod"),
        rate_unit=Frequency(settled(body.plain_integer("interestRateFrequencyType"))),
        amortization=Amortization(settled(body.plain_integer("amortizationType"))),
        interest_method=InterestMethod(settled(body.plain_integer("interestType"))),
        interest_period=InterestPeriod(settled(body.plain_integer("interestCalculationPeriodType"))),
        strategy=settled(body.text("transactionProcessingStrategyCode")),
        days_in_year=settled(body.plain_integer("daysInYearType")),
        days_in_month=settled(body.plain_integer("daysInMonthType")),
        principal_grace=body.integer("graceOnPrincipalPayment") or 0,
        arrears_tolerance=body.amount("inArrearsTolerance") or Decimal(0),
        multiples_of=body.integer("installmentAmountInMultiplesOf"),
        description=body.text("description"),
        recalculates=settled(body.flag("isInterestRecalculationEnabled")),
    )


def require(store: Store, product_id: int) -> sqlite3.Row:
    """The product's row; 404 when there is none."""
    found = store.row("select * from loan_product where id = ?", product_id)
    if found is None:
        message = f"Loan product with identifier {product_id} does not exist"
        raise errors.not_found("error.msg.loanproduct.id.invalid", message, product_id)
    return found


def details(row: sqlite3.Row) -> Product:
    """The terms a product's row holds."""
    return msgspec.json.decode(row["details"], type=Product)


def listed(store: Store) -> list[Answer]:
    """The answer of GET /loanproducts."""
    return [view(row) for row in store.rows("select * from loan_product order by name")]


def currency(code: str) -> Answer:
    """The `currency` object."""
    return {
        "code": code,
        "name": code,
        "decimalPlaces": CURRENCY_DIGITS,
        "inMultiplesOf": 0,
        "displaySymbol": code,
    }


def view(row: sqlite3.Row) -> Answer:
    """A product as answers show it."""
    product = details(row)
    return {
        "id": row["id"],
        "name": row["name"],
        "shortName": row["short_name"],
        "externalId": row["external_id"],
        "description": product.description,
        "status": "loanProduct.active",
        "currency": currency(product.currency),
        "principal": _money(product.principal),
        "minPrincipal": _money(product.min_principal),
        "maxPrincipal": _money(product.max_principal),
        "minNumberOfRepayments": product.min_repayments,
        "maxNumberOfRepayments": product.max_repayments,
        "minInterestRatePerPeriod": product.min_rate,
        "maxInterestRatePerPeriod": product.max_rate,
        **defaults(product),
        "accountingRule": enums.option(_NO_ACCOUNTING, "accountingRuleType.none", "NONE"),
    }


def defaults(product: Product) -> Answer:
    """The terms a product proposes, under the names that products, loans and templates share."""
    return {
        "numberOfRepayments": product.repayments,
        "repaymentEvery": product.every,
        "repaymentFrequencyType": enums.repayment_frequency(product.frequency),
        "interestRatePerPeriod": product.rate,
        "interestRateFrequencyType": enums.rate_frequency(product.rate_unit),
        "annualInterestRate": product.annual_rate(product.rate),
        "amortizationType": enums.amortization(product.amortization),
        "interestType": enums.interest_method(product.interest_method),
        "interestCalculationPeriodType": enums.interest_period(product.interest_period),
        "transactionProcessingStrategyCode": product.strategy,
        "daysInYearType": enums.days_in_year(product.days_in_year),
        "daysInMonthType": enums.days_in_month(product.days_in_month),
        "graceOnPrincipalPayment": product.principal_grace,
        "inArrearsTolerance": _money(product.arrears_tolerance),
        "installmentAmountInMultiplesOf": product.multiples_of,
        "isInterestRecalculationEnabled": product.recalculates,
        "loanScheduleType": enums.option(1, "CUMULATIVE", "Cumulative"),
    }


def _money(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else wire.rupees(wire.paise(amount))
