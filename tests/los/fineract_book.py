"""A stand-in with the product of one lender, its mapping, and runs of operations against it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tests.fineract.loan_book import standin_client
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.audit import AuditSink
from turno_lms.fineract.client import FineractClient, Json, Timeouts
from turno_lms.lenders.los import LoanOperations
from turno_lms.lenders.registry import LenderRegistry, load_lenders
from turno_lms.los import ledger
from turno_lms.los.runner import LosReport, LosRunner
from turno_lms.los.settings import LosSettings
from turno_lms.warehouse.connection import Row, WarehouseConnection, connect

RUN = RunContext("run_los_operations", "test", actor="asha")
QUICK = LosSettings(
    threads=3, lease_calls=8.0, first_wait=0.01, longest_wait=0.05, shortest_wait=0.02, patience=4.0
)
TIMEOUTS = Timeouts(connect=1.0, read=2.0)
PRODUCT = {
    "name": "Axle EV loan", "shortName": "AXEV", "currencyCode": "INR", "digitsAfterDecimal": 2, "principal": 100000,
    "numberOfRepayments": 12, "repaymentEvery": 1, "repaymentFrequencyType": 2, "interestRatePerPeriod": 18,
    "interestRateFrequencyType": 3, "amortizationType": 1, "interestType": 1, "interestCalculationPeriodType": 1,
    "transactionProcessingStrategyCode": "mifos-standard-strategy", "daysInYearType": 365, "daysInMonthType": 30,
    "isInterestRecalculationEnabled": False, "accountingRule": 1,
}  # fmt: skip
"""Flat 18 % a year, twelve months."""


def lenders_with(product_id: int, **los: Any) -> LenderRegistry:
    """The mapping of axle alone, for this product and with these rules for operations."""
    axle = load_lenders()["axle"]
    fineract = axle.fineract.model_copy(update={"product_id": product_id})
    rules = LoanOperations.model_validate(los)
    return {"axle": axle.model_copy(update={"fineract": fineract, "los": rules})}


@dataclass
class LosBook:
    """Submissions into the warehouse, runs over them, and what came of it."""

    url: str
    app_url: str
    conn: WarehouseConnection
    lenders: LenderRegistry
    caller: str = "origination"
    client: FineractClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = standin_client(self.url)

    def submit(self, operation: str, *payloads: Json) -> None:
        """As the receiver stores them."""
        for payload in payloads:
            self.conn.execute(
                "insert into raw.raw_los_submission (operation, caller, reference, payload) values (%s, %s, %s, %s)",
                (operation, self.caller, payload["reference"], json.dumps(payload)),
            )

    def new_client(self, audit: AuditSink) -> FineractClient:
        return standin_client(self.url, audit, TIMEOUTS)

    def runner(self, settings: LosSettings = QUICK) -> LosRunner:
        return LosRunner(
            lambda: connect(self.app_url, autocommit=True), self.new_client, self.lenders, RUN, settings
        )

    def run(self, settings: LosSettings = QUICK) -> list[LosReport]:
        """What the DAG does: claim, then clients, then loans."""
        with connect(self.app_url, autocommit=True) as conn:
            ledger.claim(conn, RUN)
            reports = []
            for kind in ("client", "loan"):
                subjects = ledger.due_subjects(conn, kind)
                reports.append(self.runner(settings).work(subjects) if subjects else LosReport())
        return reports

    def row(self, operation: str, reference: str) -> Row:
        found = self.conn.execute(
            "select * from core.core_los_processed where operation = %s and reference = %s",
            (operation, reference),
        ).fetchone()
        assert found, f"{operation} {reference} was never claimed"
        return found

    def states(self) -> dict[str, str]:
        rows = self.conn.execute("select operation, reference, state from core.core_los_processed").fetchall()
        return {f"{row['operation']} {row['reference']}": row["state"] for row in rows}

    def loan(self, loan_id: str, *associations: str) -> Json:
        loan = self.client.find_loan(loan_id, associations)
        assert loan, f"no loan {loan_id}"
        return loan

    def wait_over(self) -> None:
        """As if the time had come to look at every row again."""
        self.conn.execute("update core.core_los_processed set next_try_at = now() where ended_at is null")


def client_of(number: int, **changes: Any) -> Json:
    return {
        "reference": f"C-{number}", "client_id": f"CL{number}", "fullname": f"Borrower {number}",
        "mobile_no": f"98{number:08d}", "activated_on": "2025-01-01", **changes,
    }  # fmt: skip


def loan_of(number: int, **changes: Any) -> Json:
    """12,000 rupees flat at 18 % for twelve months: 180 of interest a month, 1180.00 an instalment."""
    return {
        "reference": f"L-{number}", "loan_id": f"AXL{number}", "lender": "axle", "client_id": f"CL{number}",
        "principal": "12000", "number_of_repayments": 12, "submitted_on": "2025-01-02",
        "expected_disbursement_on": "2025-01-05", "emi": "1180.00", **changes,
    }  # fmt: skip


def approval_of(number: int, **changes: Any) -> Json:
    return {"reference": f"A-{number}", "loan_id": f"AXL{number}", "approved_on": "2025-01-03", **changes}


def disbursal_of(number: int, **changes: Any) -> Json:
    return {
        "reference": f"D-{number}", "loan_id": f"AXL{number}", "disbursed_on": "2025-01-05", "amount": "12000",
        "bank_reference": f"UTR{number:08d}", **changes,
    }  # fmt: skip


def new_loan(book: LosBook, number: int, **changes: Any) -> None:
    """All four steps of a new loan; `changes` go to its application."""
    book.submit("create_client", client_of(number))
    book.submit("create_loan", loan_of(number, **changes))
    book.submit("approve_loan", approval_of(number))
    book.submit("disburse_loan", disbursal_of(number))


Make = Callable[..., LosBook]
TWELVE_THOUSAND = Decimal("12000.00")
FIRST_DUE = date(2025, 2, 5)
