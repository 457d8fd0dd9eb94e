"""Loans of a product that recalculates interest: the prepayment figure is what they owe, on the day asked about.

The loan: 120,000 in twelve parts of 10,000 from 5 December 2025, 18 % a year on what is left, day by day. Its first six
installments are paid on their days; a penalty of 590 fell due on 10 June. 60,000 are left, 10,800 a year of interest:
29.59 a day, which since 5 June makes 295.89 on 15 June and 503.01 on the 22nd.
"""

from datetime import date
from decimal import Decimal

import pytest

from tests.fineract.loan_book import PRODUCT, application
from tests.posting.payments import add_payment, processed
from tests.resolutions.conftest import ASHA, MEERA, ROBOT, standing, told
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.client import FORMATS, FineractClient
from turno_lms.resolutions import foreclosures, settlements, undoing
from turno_lms.resolutions.forms import read_settlement
from turno_lms.resolutions.quotes import ResolutionError, quote_loan
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import Row, WarehouseConnection

LOAN = "GB100777"
LENT = date(2025, 12, 5)
TODAY = date(2026, 6, 15)
PAID = ("11834.52", "11681.64", "11380.82", "11375.89", "11183.56", "11070.14")
"""10,000 each, and of interest: 21600 x 31/365, 19800 x 31/365, 18000 x 28/365, 16200 x 31/365, 14400 x 30/365,
12600 x 31/365."""
TERMS = {
    "numberOfRepayments": 12, "amortizationType": 0, "interestType": 0, "interestCalculationPeriodType": 0,
}  # fmt: skip


def send(client: FineractClient, path: str, body: dict[str, object]) -> dict[str, object]:
    answer = client.send("POST", path, body | FORMATS, purpose="t", subject="t", idempotency_key=None)
    assert answer.ok, answer
    return dict(answer.body)


@pytest.fixture
def loan(fineract: FineractClient, ledger: WarehouseConnection) -> str:
    """The loan of this file, on its 15 June; gb's product is the one that recalculates."""
    product = {
        **PRODUCT, **TERMS, "name": "EV recalculating", "shortName": "EVR", "daysInMonthType": 1,
        "isInterestRecalculationEnabled": True, "interestRecalculationCompoundingMethod": 0,
        "rescheduleStrategyMethod": 3, "recalculationRestFrequencyType": 2, "preClosureInterestCalculationStrategy": 1,
    }  # fmt: skip
    product_id = fineract.create_loan_product(product)
    client_id = fineract.create_client(
        {
            "officeId": 1, "legalFormId": 1, "firstname": "Ravi", "lastname": "Das", "active": True,
            "activationDate": LENT,
        }
    )  # fmt: skip
    asked = application(client_id, product_id, LOAN, Decimal(120000)) | TERMS | {"loanTermFrequency": 12}
    send(fineract, "/loans", asked)
    path = f"/loans/external-id/{LOAN}"
    send(fineract, f"{path}?command=approve", {"approvedOnDate": LENT})
    send(fineract, f"{path}?command=disburse", {"actualDisbursementDate": LENT})
    for month, amount in enumerate(PAID, start=1):
        paid = {"transactionDate": date(2026, month, 5), "transactionAmount": Decimal(amount)}
        send(fineract, f"{path}/transactions?command=repayment", paid)
    send(fineract, f"{path}/charges", {"chargeId": 2, "amount": 590, "dueDate": date(2026, 6, 10)})
    fineract.set_business_date(TODAY)
    ledger.execute("update core.core_lender set product_id = %s where lender = 'gb'", (product_id,))
    return LOAN


@pytest.fixture
def walked(walk: Walk, loan: str) -> Walk:
    assert told(walk.client, loan).status == 300
    return walk


def requested(walk: Walk, amount: str = "55000.00") -> Row:
    form = {
        "lender": "gb", "loan_id": LOAN, "amount": amount, "waive": ["penalties", "fees", "interest"],
        "reason": "sold", "evidence": "mail",
    }  # fmt: skip
    return settlements.request(walk.conn, walk.client, read_settlement(form), ASHA, TODAY)


def accepted(walk: Walk) -> str:
    ref = str(requested(walk)["settlement_ref"])
    settlements.decide(walk.conn, ref, MEERA, approved=True)
    settlements.accept(walk.conn, ref, ROBOT)
    return ref


def settled(walk: Walk, ledger: WarehouseConnection) -> Row:
    ref = accepted(walk)
    add_payment(ledger, LOAN, "55000.00", TODAY)
    row = settlements.advance(walk, ref, TODAY)
    assert row["state"] == "done", row["last_error"]
    return row


def test_the_figure_is_principal_interest_to_the_day_and_what_fell_due(walked: Walk) -> None:
    quote = quote_loan(walked.conn, walked.client, "gb", LOAN, TODAY)
    assert (quote.payoff, quote.payoff_by) == (Decimal("60885.89"), "prepayLoan")
    assert (quote.to_settle.principal, quote.to_settle.interest) == (60000, Decimal("295.89"))
    assert (quote.to_settle.fees, quote.to_settle.penalties) == (0, 590)
    # the schedule still has the interest of six months: what would be written off
    assert quote.dues.interest > Decimal("2600")
    later = quote_loan(walked.conn, walked.client, "gb", LOAN, TODAY, paid_by=date(2026, 6, 22))
    assert later.to_settle.interest == Decimal("503.01")


def test_it_is_not_foreclosed_but_paid_off_by_a_repayment_of_the_figure(
    walked: Walk, ledger: WarehouseConnection
) -> None:
    with pytest.raises(ResolutionError, match="collect the prepayment figure as an ordinary repayment"):
        foreclosures.request(walked.conn, walked.client, "gb", LOAN, "letter", ASHA, TODAY)
    add_payment(ledger, LOAN, "60885.89", TODAY)
    walked.desk.post(LOAN)
    shown = told(walked.client, LOAN)
    assert (shown.status, shown.outstanding) == (600, 0)


def test_a_settlement_is_quoted_for_its_last_day_and_forgives_what_is_owed_on_the_day_it_is_paid(
    walked: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    """61,093.01 on 22 June, of which 6093.01 are approved to be forgiven; paid on the 15th it is 5885.89."""
    row = requested(walked)
    assert (row["dues_total"], row["waived"], row["remainder"]) == (
        Decimal("61093.01"), Decimal("1093.01"), 5000,
    )  # fmt: skip
    settlements.decide(walked.conn, row["settlement_ref"], MEERA, approved=True)
    settlements.accept(walked.conn, row["settlement_ref"], ROBOT)
    key = add_payment(ledger, LOAN, "55000.00", TODAY)
    row = settlements.advance(walked, row["settlement_ref"], TODAY)
    assert row["state"] == "done", row["last_error"]
    assert (row["executed_dues"], row["executed_waived"]) == (Decimal("60885.89"), Decimal("885.89"))
    assert row["executed_remainder"] == 5000
    shown = told(fineract, LOAN)
    assert (shown.status, shown.outstanding, shown.waived) == (600, 0, Decimal("885.89"))
    assert sorted(standing(fineract, LOAN)[-4:]) == [
        (2, Decimal(55000)), (4, Decimal("295.89")), (9, Decimal(590)), (23, Decimal(5000)),
    ]  # fmt: skip
    repayment = fineract.find_transaction(LOAN, key)
    assert repayment is not None
    assert Decimal(repayment["principalPortion"]) == 55000


def test_it_is_taken_back_to_what_it_owed(
    walked: Walk, ledger: WarehouseConnection, fineract: FineractClient
) -> None:
    before = told(fineract, LOAN)
    ref = settled(walked, ledger)["settlement_ref"]
    run = RunContext("undo_resolution", "run 7", "ask", actor="asha")
    asked = undoing.request(walked.conn, fineract, ref, "forged", run)
    undoing.decide(walked.conn, ref, asked["undo_approval_id"], MEERA, approved=True)
    assert undoing.undo(walked, ref)["state"] == "undone"
    assert told(fineract, LOAN) == before
    assert quote_loan(walked.conn, fineract, "gb", LOAN, TODAY).payoff == Decimal("60885.89")
    questions = walked.conn.execute("select count(*) as n from core.core_recon_exception").fetchone()
    assert questions == {"n": 0}


def test_later_money_stands_in_the_way_of_taking_it_back(walked: Walk, ledger: WarehouseConnection) -> None:
    """Fineract takes nothing back before the last transaction of such a loan."""
    ref = settled(walked, ledger)["settlement_ref"]
    walked.client.set_business_date(date(2026, 6, 16))
    late = add_payment(ledger, LOAN, "100.00", date(2026, 6, 16))
    walked.desk.post(LOAN)
    assert processed(ledger, late) is not None
    with pytest.raises(ResolutionError, match="recalculates interest, and 1 later transactions stand"):
        undoing.request(walked.conn, walked.client, ref, "forged", ASHA)


def test_a_penalty_beyond_the_tolerance_stops_it(walked: Walk, ledger: WarehouseConnection) -> None:
    """60,885.89 and 307.13 are 61,193.02: 100.01 more than were quoted for the last day."""
    ref = accepted(walked)
    charge = {"chargeId": 2, "amount": Decimal("307.13"), "dueDate": TODAY}
    send(walked.client, f"/loans/external-id/{LOAN}/charges", charge)
    add_payment(ledger, LOAN, "55000.00", TODAY)
    row = settlements.advance(walked, ref, TODAY)
    assert row["state"] == "stopped"
    assert "100.01 is beyond the tolerance" in row["last_error"]


@pytest.mark.usefixtures("write_off_at_the_end")
def test_its_remainder_is_not_written_off(walked: Walk) -> None:
    with pytest.raises(ResolutionError, match="would include interest that is not owed yet"):
        requested(walked)
    assert requested(walked, "60000.00")["remainder"] == 0
