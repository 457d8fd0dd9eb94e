"""Loans in full, as the stand-in tells them: what a repayment leaves of the schedule that is stored."""

from datetime import date
from decimal import Decimal

from tests.fineract.loan_book import make_loans, standin_client
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.repayments import Repayment
from turno_lms.fineract.snapshots import snapshot_details, snapshot_loans
from turno_lms.warehouse.connection import connect

RUN = RunContext("reconcile_loans", "manual__test")
_NEWEST = "select schedule from raw.raw_fineract_loan_detail order by detail_id desc limit 1"


def test_instalments_are_stored_with_what_was_paid_on_them(warehouse_url: str, fineract_url: str) -> None:
    """60,000 at 18 % flat over 24 months: 2,500 principal and 900 interest a month, the first on 5 January 2026.

    4,400 paid on that day are the first instalment and 1,000 of the second.
    """
    client = standin_client(fineract_url)
    make_loans(client, ["GB100001"], Decimal(60000))
    paid = Repayment(
        loan_external_id="GB100001", external_id="a" * 32, amount=Decimal("4400.00"), transaction_date=date(2026, 1, 5),
        payment_type_id=1,
    )  # fmt: skip
    assert client.post_repayment(paid, "key-a1").ok
    with connect(warehouse_url, autocommit=True) as conn:
        snapshot_loans(conn, client, RUN)
        assert snapshot_details(conn, client, RUN).stored == 1
        schedule = (conn.execute(_NEWEST).fetchone() or {})["schedule"]
    instalment = {"principal": 2500, "interest": 900, "fees": 0, "forgiven": 0}
    assert len(schedule) == 24
    assert schedule[:3] == [
        {
            **instalment,
            "number": 1,
            "due_on": "2026-01-05",
            "paid": 3400,
            "outstanding": 0,
            "met_on": "2026-01-05",
        },
        {
            **instalment,
            "number": 2,
            "due_on": "2026-02-05",
            "paid": 1000,
            "outstanding": 2400,
            "met_on": None,
        },
        {**instalment, "number": 3, "due_on": "2026-03-05", "paid": 0, "outstanding": 3400, "met_on": None},
    ]
