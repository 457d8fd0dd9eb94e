"""What a loan owes is what Fineract says: against its stand-in, with a schedule worked out by hand.

A loan of 1,00,000 at 18 per cent flat for 24 months, disbursed on 5 December 2025: principal 4,166.67 and interest
1,500.00 a month, 5,666.67 due on the 5th of each month from January 2026 on.
"""

from datetime import date
from decimal import Decimal

import pytest

from tests.fineract.loan_book import make_loans, standin_client
from turno_lms.domain.states import LinkPurpose, LinkSkip
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.repayments import Repayment
from turno_lms.payment_links.dues import FineractDues, Quote
from turno_lms.payment_links.links import Customer
from turno_lms.warehouse.connection import WarehouseConnection

EMI = Decimal("5666.67")


@pytest.fixture
def client(fineract_url: str) -> FineractClient:
    client = standin_client(fineract_url)
    make_loans(client, ["AXL300001"])
    client.set_business_date(date(2026, 3, 20))
    return client


def pay(client: FineractClient, external_id: str, rupees: str) -> None:
    day = date(2026, 3, 20)
    answer = client.post_repayment(
        Repayment(external_id, "AXL300001", day, Decimal(rupees), 1), f"{external_id}-a1"
    )
    assert answer.ok, answer


def test_instalment_overdue_and_outstanding_are_fineracts_figures(
    client: FineractClient, warehouse: WarehouseConnection
) -> None:
    dues = FineractDues(client, warehouse, client.list_loan_products()[0]["id"])

    def owed(purpose: LinkPurpose) -> tuple[Decimal, date]:
        quote = dues.quote("AXL300001", purpose)
        assert isinstance(quote, Quote)
        return quote.amount, quote.due_on

    # on 20 March three instalments are overdue: January, February, March
    assert owed(LinkPurpose.EMI) == (EMI, date(2026, 1, 5))
    assert owed(LinkPurpose.OVERDUE) == (3 * EMI, date(2026, 3, 5))
    # 24 months of 1,500 on top of 1,00,000; the last instalment falls on 5 December 2027
    assert owed(LinkPurpose.OUTSTANDING) == (Decimal("136000.00"), date(2027, 12, 5))

    pay(client, "a" * 32, "6000.00")  # January, and 333.33 of February
    assert owed(LinkPurpose.EMI) == (EMI - Decimal("333.33"), date(2026, 2, 5))
    assert owed(LinkPurpose.OVERDUE) == (3 * EMI - 6000, date(2026, 3, 5))
    assert owed(LinkPurpose.OUTSTANDING) == (Decimal("130000.00"), date(2027, 12, 5))

    pay(client, "b" * 32, "11000.01")  # the rest of February and March
    assert dues.quote("AXL300001", LinkPurpose.OVERDUE) is LinkSkip.NOTHING_DUE
    assert owed(LinkPurpose.EMI) == (EMI, date(2026, 4, 5))

    pay(client, "c" * 32, "118999.99")
    assert dues.quote("AXL300001", LinkPurpose.OUTSTANDING) is LinkSkip.NOT_ACTIVE  # closed
    assert dues.quote("AXL300009", LinkPurpose.EMI) is LinkSkip.UNKNOWN_LOAN


def test_a_loan_of_another_lenders_product_is_not_known(
    client: FineractClient, warehouse: WarehouseConnection
) -> None:
    assert FineractDues(client, warehouse, 99).quote("AXL300001", LinkPurpose.EMI) is LinkSkip.UNKNOWN_LOAN


def test_contacts_come_from_fineracts_client(client: FineractClient, warehouse: WarehouseConnection) -> None:
    dues = FineractDues(client, warehouse, 1)
    borrower = {"officeId": 1, "legalFormId": 1, "firstname": "Asha", "lastname": "Verma", "active": False}
    reachable = client.create_client(
        {**borrower, "externalId": "C-1", "mobileNo": "9000000001", "emailAddress": "asha@example.in"}
    )
    silent = client.create_client({**borrower, "externalId": "C-2"})
    assert dues.customer(reachable) == Customer("Asha Verma", "9000000001", "asha@example.in")
    assert dues.customer(silent) is None
