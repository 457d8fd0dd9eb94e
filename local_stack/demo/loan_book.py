"""The sample loan book in Fineract, made through our own hook: products, payment types, borrowers, disbursed loans.

Every step asks first what is there, by name or external id: a second call changes nothing, and one that was cut short
goes on where it stopped.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from local_stack.processes import StackError
from local_stack.sample_data.book import ALL_LOANS, PRODUCTS, Loan, Product
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.audit import DatabaseAudit
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.hook import FineractHook
from turno_lms.lenders.registry import load_lenders
from turno_lms.warehouse.connection import Role, warehouse_url

RUN = RunContext(dag_id="demo", run_id="loan_book", actor="demo")
_THREADS = 4
_PAYMENT_TYPES = {1: "Money Transfer", 2: "Payment Gateway"}
"""In the order in which an empty Fineract numbers them; it brings the first one itself."""
_PENDING_APPROVAL, _APPROVED, _ACTIVE = 100, 200, 300
_TERMS = {
    "repaymentEvery": 1,
    "repaymentFrequencyType": 2,  # months
    "amortizationType": 1,  # equal instalments
    "interestType": 1,  # flat
    "interestCalculationPeriodType": 1,  # as the instalments
    "transactionProcessingStrategyCode": "mifos-standard-strategy",
}


def ensure_loan_book() -> int:
    """Make what is missing of the sample loan book; return how many loans were brought to active.

    Raises StackError when Fineract numbers products or payment types otherwise than the lender mappings expect.
    """
    with closing(DatabaseAudit(warehouse_url(Role.POSTER), RUN)) as audit:
        client = FineractHook().client(audit)
        _ensure_payment_types(client)
        _ensure_products(client)
        statuses = {loan.get("externalId"): loan["status"]["id"] for loan in client.list_loans()}
    unfinished = [loan for loan in ALL_LOANS if statuses.get(loan.loan_id, 0) < _ACTIVE]
    with ThreadPoolExecutor(_THREADS) as pool:
        shares = [(unfinished[start::_THREADS], statuses) for start in range(_THREADS)]
        list(pool.map(lambda share: _bring_to_active(*share), shares))
    return len(unfinished)


def _ensure_payment_types(client: FineractClient) -> None:
    known = {found["name"] for found in client.list_payment_types()}
    for position, name in _PAYMENT_TYPES.items():
        if name not in known:
            client.create_payment_type(name, position)
    there = {found["id"] for found in client.list_payment_types()}
    for lender in load_lenders().values():
        if lender.fineract.payment_type_id not in there:
            raise StackError(
                f"the mapping of {lender.slug} names payment type {lender.fineract.payment_type_id}, "
                f"but Fineract has {sorted(there)}"
            )


def _ensure_products(client: FineractClient) -> None:
    known = {found["name"] for found in client.list_loan_products()}
    for product in PRODUCTS:
        if product.name not in known:
            client.create_loan_product(_product_fields(product))
    ids = {found["name"]: found["id"] for found in client.list_loan_products()}
    lenders = load_lenders()
    for product in PRODUCTS:
        expected = lenders[product.lender].fineract.product_id
        if ids[product.name] != expected:
            raise StackError(
                f"Fineract numbers the product {product.name!r} {ids[product.name]}, the mapping of {product.lender} "
                f"says {expected}: the demo needs a Fineract without other products"
            )


def _bring_to_active(loans: Iterable[Loan], statuses: Mapping[str | None, int]) -> None:
    """Client, application, approval, disbursal: for each loan the steps that it still lacks."""
    with closing(DatabaseAudit(warehouse_url(Role.POSTER), RUN)) as audit:
        client = FineractHook().client(audit)
        for loan in loans:
            status = statuses.get(loan.loan_id, 0)
            if status < _PENDING_APPROVAL:
                client.create_loan(_application(loan, _ensure_borrower(client, loan)))
            if status < _APPROVED:
                client.approve_loan(loan.loan_id, loan.disbursed_on)
            client.disburse_loan(loan.loan_id, loan.disbursed_on)


def _ensure_borrower(client: FineractClient, loan: Loan) -> int:
    external_id = f"C-{loan.loan_id}"
    found = client.find_client(external_id)
    if found is not None:
        return int(found["id"])
    return client.create_client(
        {
            "officeId": 1,
            "legalFormId": 1,
            "firstname": loan.first_name,
            "lastname": loan.last_name,
            "mobileNo": loan.mobile,
            "externalId": external_id,
            "active": True,
            "activationDate": loan.disbursed_on,
        }
    )


def _product_fields(product: Product) -> Json:
    return {
        "name": product.name,
        "shortName": product.short_name,
        "currencyCode": "INR",
        "digitsAfterDecimal": 2,
        "principal": 1_00_000,
        "numberOfRepayments": 24,
        "interestRatePerPeriod": product.annual_rate_percent,
        "interestRateFrequencyType": 3,  # a year
        "daysInYearType": 365,
        "daysInMonthType": 30,
        "isInterestRecalculationEnabled": False,
        "accountingRule": 1,  # none
        **_TERMS,
    }


def _application(loan: Loan, client_id: int) -> Json:
    return {
        "clientId": client_id,
        "productId": loan.product.product_id,
        "externalId": loan.loan_id,
        "loanType": "individual",
        "principal": loan.principal,
        "loanTermFrequency": loan.months,
        "loanTermFrequencyType": 2,  # months
        "numberOfRepayments": loan.months,
        "interestRatePerPeriod": loan.product.annual_rate_percent,
        "submittedOnDate": loan.disbursed_on,
        "expectedDisbursementDate": loan.disbursed_on,
        **_TERMS,
    }
