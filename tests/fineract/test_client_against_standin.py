"""The typed calls against a server that speaks the contract."""

from datetime import date
from decimal import Decimal

import pytest

from tests.fineract.loan_book import DISBURSED, NoAudit, application, make_loans, standin_client
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.errors import FineractUnknownOutcomeError
from turno_lms.fineract.outcomes import Verdict, judge
from turno_lms.fineract.repayments import Finding, Repayment, agreement, finding
from turno_lms.fineract.snapshots import LoanAddress, loan_addresses, snapshot_loans
from turno_lms.warehouse.connection import WarehouseConnection

KEY = "cd" * 16
REPAYMENT = Repayment(KEY, "GB100234", date(2026, 1, 5), Decimal("5499.50"), 1, receipt_number="UTR0001")


@pytest.fixture
def client(fineract_url: str) -> FineractClient:
    return standin_client(fineract_url)


def test_a_loan_from_application_to_repayment_and_back(client: FineractClient) -> None:
    assert client.health()
    make_loans(client, ["GB100234"])
    loan = client.find_loan("GB100234", ("transactions",))
    assert loan is not None
    assert (loan["status"]["id"], loan["principal"]) == (300, 100000)
    answer = client.post_repayment(REPAYMENT, f"{KEY}-a1")
    assert judge(answer, agreement(answer, REPAYMENT)).verdict is Verdict.POSTED
    assert finding(client.look_up_transaction("GB100234", KEY), REPAYMENT) is Finding.SAME
    again = client.post_repayment(REPAYMENT, f"{KEY}-a1")
    assert (again.from_cache, judge(again, agreement(again, REPAYMENT)).verdict) == (True, Verdict.POSTED)
    other = client.post_repayment(REPAYMENT, f"{KEY}-a2")
    assert judge(other).name == "external id taken"
    client.undo_transaction("GB100234", KEY, date(2026, 1, 6))
    assert finding(client.look_up_transaction("GB100234", KEY), REPAYMENT) is Finding.REVERSED
    kinds = [(each["type"]["id"], each["manuallyReversed"]) for each in client.loan_transactions("GB100234")]
    assert kinds == [(1, False), (2, True)]


def test_what_is_absent_is_none(client: FineractClient) -> None:
    assert client.find_client("C-1") is None
    assert client.find_loan("L-1") is None
    make_loans(client, ["L-1"])
    assert client.find_transaction("L-1", KEY) is None
    assert finding(client.look_up_transaction("L-1", KEY), REPAYMENT) is Finding.ABSENT
    found = client.find_client("C-L-1")
    assert found is not None
    assert found["externalId"] == "C-L-1"


def test_a_client_is_created_pending_and_activated(client: FineractClient) -> None:
    fields = {
        "officeId": 1,
        "legalFormId": 1,
        "fullname": "Verma Traders",
        "externalId": "C-9",
        "active": False,
    }
    client.activate_client(client.create_client(fields), DISBURSED)
    found = client.find_client("C-9")
    assert found is not None
    assert found["status"]["value"] == "Active"
    with pytest.raises(
        FineractUnknownOutcomeError, match="duplicate"
    ):  # perhaps ours: to be read, not sent again
        client.create_client(fields)


def test_a_schedule_is_calculated_without_a_loan(client: FineractClient) -> None:
    make_loans(client, ["L-1"])
    borrower = client.find_client("C-L-1")
    assert borrower is not None
    product_id = client.list_loan_products()[0]["id"]
    schedule = client.calculate_schedule(application(borrower["id"], product_id, "L-2", Decimal(24000)))
    # flat, 18 % a year: 24000 x 1.5 % = 360.00 a month, 1000.00 principal: 1360.00
    periods = [period for period in schedule["periods"] if period.get("period")]
    assert len(periods) == 24
    assert periods[0]["totalDueForPeriod"] == Decimal("1360.00")
    assert client.find_loan("L-2") is None


def test_the_business_date_decides_what_is_a_future_payment(client: FineractClient) -> None:
    make_loans(client, ["GB100234"])
    client.set_business_date(date(2026, 1, 4))
    early = client.post_repayment(REPAYMENT, f"{KEY}-a1")
    assert judge(early).verdict is Verdict.NOT_YET
    client.set_business_date(date(2026, 1, 5))
    answer = client.post_repayment(REPAYMENT, f"{KEY}-a2")
    assert judge(answer, agreement(answer, REPAYMENT)).verdict is Verdict.POSTED


def test_payment_types_are_listed_and_created(client: FineractClient) -> None:
    created = client.create_payment_type("NACH", 2)
    assert {"NACH": created}.items() <= {
        each["name"]: each["id"] for each in client.list_payment_types()
    }.items()


def test_all_loans_come_page_by_page_in_order_of_id(client: FineractClient) -> None:
    make_loans(client, [f"L-{number}" for number in range(5)])
    assert [len(page) for page in client.loan_pages(page_size=2)] == [2, 2, 1]
    assert [loan["externalId"] for loan in client.list_loans(page_size=5)] == [
        f"L-{number}" for number in range(5)
    ]


def test_a_snapshot_holds_changed_loans_only(
    client: FineractClient, warehouse: WarehouseConnection, run: RunContext
) -> None:
    make_loans(client, ["L-1", "l-2 "])
    assert snapshot_loans(warehouse, client, run).to_dict() == {"loans": 2, "changed": 2}
    assert snapshot_loans(warehouse, client, run).to_dict() == {"loans": 2, "changed": 0}
    client.post_repayment(Repayment(KEY, "L-1", date(2026, 1, 5), Decimal("5499.50"), 1), f"{KEY}-a1")
    assert snapshot_loans(warehouse, client, run).to_dict() == {"loans": 2, "changed": 1}
    rows = warehouse.execute(
        "select external_id, product_id, status_id, payload -> 'summary' ->> 'totalRepayment' as repaid"
        " from raw.raw_fineract_loan_snapshot order by snapshot_id"
    ).fetchall()
    assert [row["external_id"] for row in rows] == ["L-1", "l-2 ", "L-1"]
    assert {(row["product_id"], row["status_id"]) for row in rows} == {(1, 300)}
    assert Decimal(rows[-1]["repaid"]) == Decimal("5499.50")
    changes = warehouse.execute(
        "select kind, subject from core.core_change_log order by change_id"
    ).fetchall()
    assert [tuple(change.values()) for change in changes] == [
        ("loan", "L-1"),
        ("loan", "L-2"),
        ("loan", "L-1"),
    ]
    assert loan_addresses(warehouse, ["L-2", "L-3"]) == {
        "L-2": LoanAddress("l-2 ", 2),
        "L-3": LoanAddress("L-3"),
    }


def test_no_attempt_is_kept_from_the_audit_sink(fineract_url: str) -> None:
    calls = []

    class Sink(NoAudit):
        def record(self, call: object) -> None:
            calls.append(call)

    make_loans(standin_client(fineract_url, Sink()), ["L-1"])
    assert [call.purpose for call in calls] == [
        "list_loan_products", "create_loan_product", "create_client", "create_loan", "approve_loan", "disburse_loan",
    ]  # fmt: skip
