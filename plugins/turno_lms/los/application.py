"""A loan application for Fineract: what was submitted, over the lender's terms, over what the product proposes. Pure.

Fineract fills in nothing by itself: all terms of its template must come back with the application.
"""

from decimal import Decimal
from typing import Any

from turno_lms.fineract.client import FORMATS, Json
from turno_lms.lenders.los import LoanOperations

_ENUMERATIONS = {
    "repaymentFrequencyType": "repayment_frequency_type",
    "amortizationType": "amortization_type",
    "interestType": "interest_type",
    "interestCalculationPeriodType": "interest_calculation_period_type",
}
"""Fineract's field, an object with its number under `id`, to the lender's override."""
_PLAIN = {
    "repaymentEvery": "repayment_every",
    "transactionProcessingStrategyCode": "transaction_processing_strategy_code",
    "graceOnPrincipalPayment": "grace_on_principal_payment",
}


class TemplateError(ValueError):
    """A product whose template lacks a term that every application needs."""


def application(
    payload: Json, *, client_id: int, template: Json, product_id: int, los: LoanOperations
) -> Json:
    """The body of POST /loans, and of calculateLoanSchedule alike. Raises TemplateError naming what is missing."""
    terms = _terms(payload, template, los)
    repayments = payload["number_of_repayments"]
    body: Json = {
        **FORMATS,
        "clientId": client_id,
        "productId": product_id,
        "externalId": payload["loan_id"],
        "loanType": "individual",
        "principal": Decimal(payload["principal"]),
        "numberOfRepayments": repayments,
        "loanTermFrequency": repayments * int(terms["repaymentEvery"]),
        "loanTermFrequencyType": terms["repaymentFrequencyType"],
        "submittedOnDate": payload["submitted_on"],
        "expectedDisbursementDate": payload["expected_disbursement_on"],
        **terms,
    }
    if "first_repayment_on" in payload:
        body["repaymentsStartingFromDate"] = payload["first_repayment_on"]
    if "account_no" in payload:
        body["accountNo"] = payload["account_no"]
    charges = _charges(payload, template, los)
    return {**body, "charges": charges} if charges else body


def _terms(payload: Json, template: Json, los: LoanOperations) -> Json:
    overrides = los.terms.model_dump()
    terms: dict[str, Any] = {}
    for field, override in _ENUMERATIONS.items():
        terms[field] = _first(overrides[override], (template.get(field) or {}).get("id"))
    for field, override in _PLAIN.items():
        terms[field] = _first(overrides[override], template.get(field))
    rate = _first(payload.get("interest_rate_per_period"), overrides["interest_rate_per_period"])
    terms["interestRatePerPeriod"] = Decimal(rate) if rate else template.get("interestRatePerPeriod")
    if terms["graceOnPrincipalPayment"] is None:
        del terms["graceOnPrincipalPayment"]
    missing = sorted(field for field, value in terms.items() if value is None)
    if missing:
        raise TemplateError(
            f"the product's template lacks {', '.join(missing)}: set it in the lender's mapping under los.terms"
        )
    return terms


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _charges(payload: Json, template: Json, los: LoanOperations) -> list[Json]:
    """The product's charges, the lender's and the loan's own; of one charge the last word stands."""
    charges = {
        int(charge["chargeId"]): {"chargeId": charge["chargeId"], "amount": charge["amount"]}
        for charge in template.get("charges") or ()
        if "chargeId" in charge
    }
    for default in los.charges:
        charges[default.charge_id] = {"chargeId": default.charge_id, "amount": Decimal(default.amount)}
    for own in payload.get("charges", ()):
        charges[own["charge_id"]] = charge_body(own)
    return list(charges.values())


def charge_body(charge: Json) -> Json:
    """A charge as submitted, under Fineract's names."""
    body: Json = {"chargeId": charge["charge_id"], "amount": Decimal(charge["amount"])}
    return {**body, "dueDate": charge["due_date"]} if "due_date" in charge else body
