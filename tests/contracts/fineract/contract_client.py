"""A bare client of the v1 API for the contract tests: plain HTTP, no rule of ours, exact numbers.

Everything it makes carries random ids, so it can run against a server that holds other people's data.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from string import ascii_letters, digits
from typing import Any
from uuid import uuid4

import requests

FORMAT = {"dateFormat": "yyyy-MM-dd", "locale": "en"}
STRATEGY = "mifos-standard-strategy"
DECLINING, FLAT = 0, 1
EQUAL_PRINCIPAL, EQUAL_INSTALLMENTS = 0, 1
DAILY, SAME_AS_PERIOD = 0, 1
MONTHS, YEARS = 2, 3
Json = dict[str, Any]


def unique(prefix: str = "") -> str:
    """An id nobody has used."""
    return prefix + uuid4().hex


def read(response: requests.Response) -> Any:
    """The JSON of an answer, fractions as Decimal."""
    return json.loads(response.text, parse_float=Decimal)


def code_of(response: requests.Response) -> str:
    """The code that says what went wrong: the first error's, else the top one."""
    body = read(response)
    return str((body.get("errors") or [body])[0]["userMessageGlobalisationCode"])


@dataclass
class Fineract:
    """One server, reached with the demo login."""

    base: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.auth = ("mifos", "password")
        self.session.headers.update(
            {"Fineract-Platform-TenantId": "default", "Content-Type": "application/json"}
        )
        self.session.verify = not self.base.startswith("https")

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | str | None = None, key: str | None = None
    ) -> requests.Response:
        """Send a request; a body that is text is sent as it is."""
        text = body if isinstance(body, str | None) else json.dumps(body)
        headers = {"Idempotency-Key": key} if key else {}
        return self.session.request(method, self.base + path, data=text, headers=headers, timeout=60)

    def post(
        self, path: str, body: Mapping[str, Any] | str | None = None, key: str | None = None
    ) -> requests.Response:
        """POST, with a key when given."""
        return self.send("POST", path, body, key)

    def get(self, path: str, **query: Any) -> requests.Response:
        """GET with query parameters."""
        return self.session.get(self.base + path, params=query, timeout=60)

    def ok(self, response: requests.Response) -> Any:
        """The JSON of an answer that must be a success."""
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return read(response)

    def client(self, **changes: Any) -> int:
        """A new active client."""
        body = {
            **FORMAT,
            "officeId": 1,
            "legalFormId": 1,
            "firstname": "Asha",
            "lastname": "Rao",
            "active": True,
            "activationDate": "2024-01-01",
            **changes,
        }
        return int(self.ok(self.post("/clients", body))["clientId"])

    def product(self, **changes: Any) -> int:
        """A new loan product: rupees, monthly, declining balance, equal installments, no accounting."""
        body = {
            **FORMAT,
            "name": unique("Contract "),
            "shortName": "".join(secrets.choice(ascii_letters + digits) for _ in range(4)),
            "currencyCode": "INR",
            "digitsAfterDecimal": 2,
            "inMultiplesOf": 0,
            "principal": 10000,
            "numberOfRepayments": 12,
            "repaymentEvery": 1,
            "repaymentFrequencyType": MONTHS,
            "interestRatePerPeriod": 12,
            "interestRateFrequencyType": YEARS,
            "amortizationType": EQUAL_INSTALLMENTS,
            "interestType": DECLINING,
            "interestCalculationPeriodType": SAME_AS_PERIOD,
            "transactionProcessingStrategyCode": STRATEGY,
            "daysInYearType": 365,
            "daysInMonthType": 1,
            "isInterestRecalculationEnabled": False,
            "accountingRule": 1,
            **changes,
        }
        return int(self.ok(self.post("/loanproducts", body))["resourceId"])


@dataclass
class Borrower:
    """A client and a product, and loans between them."""

    fineract: Fineract
    client_id: int
    product_id: int

    def application(self, **changes: Any) -> Json:
        """A loan application: 12,000 rupees flat at 12 % a year, 12 months, from 5 January 2025."""
        months = changes.get("numberOfRepayments", 12)
        return {
            **FORMAT,
            "clientId": self.client_id,
            "productId": self.product_id,
            "loanType": "individual",
            "principal": 12000,
            "loanTermFrequency": months,
            "loanTermFrequencyType": MONTHS,
            "numberOfRepayments": months,
            "repaymentEvery": 1,
            "repaymentFrequencyType": MONTHS,
            "interestRatePerPeriod": 12,
            "amortizationType": EQUAL_INSTALLMENTS,
            "interestType": FLAT,
            "interestCalculationPeriodType": SAME_AS_PERIOD,
            "transactionProcessingStrategyCode": STRATEGY,
            "expectedDisbursementDate": "2025-01-05",
            "submittedOnDate": "2025-01-01",
            "externalId": unique("LN"),
            **changes,
        }

    def submitted(self, **changes: Any) -> "LoanAccount":
        """A loan that waits for approval."""
        body = self.application(**changes)
        self.fineract.ok(self.fineract.post("/loans", body))
        return LoanAccount(self.fineract, body["externalId"], body["expectedDisbursementDate"])

    def approved(self, **changes: Any) -> "LoanAccount":
        """A loan that waits for its money."""
        loan = self.submitted(**changes)
        self.fineract.ok(loan.command("approve", {**FORMAT, "approvedOnDate": "2025-01-02"}))
        return loan

    def active(self, **changes: Any) -> "LoanAccount":
        """A loan that was paid out on the day it was expected to."""
        loan = self.approved(**changes)
        self.fineract.ok(loan.command("disburse", {**FORMAT, "actualDisbursementDate": loan.disbursed_on}))
        return loan

    def schedule(self, **changes: Any) -> list[Json]:
        """The repayment periods that an application with these terms would get."""
        answer = self.fineract.ok(
            self.fineract.post("/loans?command=calculateLoanSchedule", self.application(**changes))
        )
        return [period for period in answer["periods"] if "period" in period]


@dataclass
class LoanAccount:
    """A loan, addressed by its external id."""

    fineract: Fineract
    external_id: str
    disbursed_on: str

    @property
    def path(self) -> str:
        """Its address."""
        return f"/loans/external-id/{self.external_id}"

    def command(
        self, name: str, body: Mapping[str, Any] | str | None, key: str | None = None
    ) -> requests.Response:
        """A command on the loan."""
        return self.fineract.post(f"{self.path}?command={name}", body, key)

    def repay(self, on: str, amount: Any, key: str | None = None, **changes: Any) -> requests.Response:
        """Post a repayment, under a fresh external id unless another is given."""
        body = {
            **FORMAT,
            "transactionDate": on,
            "transactionAmount": amount,
            "externalId": unique(),
            **changes,
        }
        return self.fineract.post(f"{self.path}/transactions?command=repayment", body, key)

    def paid(self, on: str, amount: Any, **changes: Any) -> Json:
        """A repayment that must succeed, as the transaction reads afterwards."""
        answer = self.fineract.ok(self.repay(on, amount, **changes))
        return self.transaction(answer["resourceExternalId"])

    def adjust(self, transaction: str, on: str, amount: Any, **changes: Any) -> requests.Response:
        """Undo a repayment (amount 0) or put another in its place."""
        body = {**FORMAT, "transactionDate": on, "transactionAmount": amount, **changes}
        return self.fineract.post(f"{self.path}/transactions/external-id/{transaction}", body)

    def transaction(self, external_id: str) -> Json:
        """One transaction."""
        found: Json = self.fineract.ok(
            self.fineract.get(f"{self.path}/transactions/external-id/{external_id}")
        )
        return found

    def look(self, *associations: str) -> Json:
        """The loan, with associations."""
        found: Json = self.fineract.ok(self.fineract.get(self.path, associations=",".join(associations)))
        return found

    def repayments(self) -> list[Json]:
        """The repayments that a reader sees, in the order the server gives."""
        return [t for t in self.look("transactions")["transactions"] if t["type"]["id"] == 2]


def portions(transaction: Json) -> dict[str, Decimal]:
    """What a transaction paid, without the zeros."""
    names = ("principal", "interest", "feeCharges", "penaltyCharges", "overpayment")
    found = {name: Decimal(transaction[f"{name}Portion"]) for name in names}
    return {name: amount for name, amount in found.items() if amount}


def dues(periods: list[Json]) -> list[tuple[Decimal, Decimal]]:
    """Principal and interest due, period by period."""
    return [(Decimal(p["principalDue"]), Decimal(p["interestDue"])) for p in periods]


def money(*amounts: str) -> list[Decimal]:
    """Rupees as exact numbers."""
    return [Decimal(amount) for amount in amounts]
