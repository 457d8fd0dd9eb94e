"""Loans in a stand-in to post to: a product, a borrower each, disbursed on 5 December 2025, made by our own client."""

from datetime import date
from decimal import Decimal

import requests

from turno_lms.fineract.audit import AuditSink, Call
from turno_lms.fineract.client import FineractClient, Timeouts
from turno_lms.fineract.hook import TENANT_HEADER

DISBURSED = date(2025, 12, 5)
TERMS = {
    "numberOfRepayments": 24,
    "repaymentEvery": 1,
    "repaymentFrequencyType": 2,
    "interestRatePerPeriod": 18,
    "amortizationType": 1,
    "interestType": 1,
    "interestCalculationPeriodType": 1,
    "transactionProcessingStrategyCode": "mifos-standard-strategy",
}
PRODUCT = {
    "name": "EV loan",
    "shortName": "EVL",
    "currencyCode": "INR",
    "digitsAfterDecimal": 2,
    "principal": 100000,
    "interestRateFrequencyType": 3,
    "daysInYearType": 365,
    "daysInMonthType": 30,
    "isInterestRecalculationEnabled": False,
    "accountingRule": 1,
    **TERMS,
}


class NoAudit:
    """For calls that a test makes for itself."""

    def record(self, call: Call) -> None:
        """Forget it."""


def standin_client(
    url: str, audit: AuditSink | None = None, timeouts: Timeouts | None = None
) -> FineractClient:
    """A client of the stand-in with its credentials."""
    session = requests.Session()
    session.auth = ("mifos", "password")
    session.headers[TENANT_HEADER] = "default"
    return FineractClient(url, session, audit or NoAudit(), timeouts or Timeouts())


def application(client_id: int, product_id: int, external_id: str, principal: Decimal) -> dict[str, object]:
    return {
        "clientId": client_id,
        "productId": product_id,
        "externalId": external_id,
        "loanType": "individual",
        "principal": principal,
        "loanTermFrequency": 24,
        "loanTermFrequencyType": 2,
        "submittedOnDate": DISBURSED,
        "expectedDisbursementDate": DISBURSED,
        **TERMS,
    }


def make_loans(client: FineractClient, external_ids: list[str], principal: Decimal = Decimal(100000)) -> None:
    """Bring loans of 24 months to active."""
    products = client.list_loan_products()
    product_id = products[0]["id"] if products else client.create_loan_product(PRODUCT)
    for external_id in external_ids:
        client_id = client.create_client(
            {
                "officeId": 1,
                "legalFormId": 1,
                "firstname": "Asha",
                "lastname": "Verma",
                "externalId": f"C-{external_id}",
                "active": True,
                "activationDate": DISBURSED,
            }
        )
        client.create_loan(application(client_id, product_id, external_id, principal))
        client.approve_loan(external_id, DISBURSED)
        client.disburse_loan(external_id, DISBURSED)
