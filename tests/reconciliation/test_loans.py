"""Loans three ways: what is fetched and when, what a lender's statement says, and each way in which they can differ."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.dbt.landing import GB, put_lender
from tests.dbt.project import RUN, DbtProject
from tests.fineract.loan_book import make_loans, standin_client
from turno_lms.fineract.repayments import Repayment
from turno_lms.fineract.snapshots import DetailReport, snapshot_details, snapshot_loans
from turno_lms.lenders.reconciliation import LoanStatement, StatementColumns
from turno_lms.reconciliation.findings import FindingsReport, record_loans
from turno_lms.reconciliation.loan_statements import LandedStatement, StatementError, land_statement
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

LAYOUT = LoanStatement(
    columns=StatementColumns(
        loan_id="Loan No", as_of="Date", total_outstanding="Balance", days_past_due="DPD", status="Status"
    ),
    statuses={"active": ("Live",), "closed": ("Closed",)},
)
STATEMENT = """Loan No,Date,Balance,DPD,Status
gb100001,05/01/2026,"1,00,000.00",0,Live
GB100002,05/01/2026,0.00,,closed
"""


def test_changed_loans_are_fetched_first_and_the_others_in_their_turn(
    warehouse_url: str, fineract_url: str
) -> None:
    """Three loans: all once; then one of them a day, a third of the book; a repayment brings its loan forward."""
    client = standin_client(fineract_url)
    make_loans(client, ["GB100001", "GB100002", "GB100003"])

    def look() -> DetailReport:
        with connect(warehouse_url, autocommit=True) as conn:
            snapshot_loans(conn, client, RUN)
            return snapshot_details(conn, client, RUN, sweep_days=3)

    def latest_look() -> str:
        with connect(warehouse_url) as conn:
            row = conn.execute(
                "select detail.external_id from core.core_loan_look as looked"
                " inner join raw.raw_fineract_loan_detail as detail using (fineract_loan_id)"
                " order by looked.looked_at desc, detail.detail_id desc limit 1"
            ).fetchone()
            return str((row or {})["external_id"])

    assert look() == DetailReport(changed=3, in_turn=0, stored=3)
    turns = []
    for _ in range(3):
        assert look() == DetailReport(changed=0, in_turn=1, stored=0)
        turns.append(latest_look())
    assert sorted(turns) == ["GB100001", "GB100002", "GB100003"]
    repayment = Repayment(
        loan_external_id="GB100002", external_id="a" * 32, amount=Decimal("100.00"), transaction_date=date(2026, 1, 5),
        payment_type_id=1,
    )  # fmt: skip
    assert client.post_repayment(repayment, "key-a1").ok
    assert look() == DetailReport(changed=1, in_turn=1, stored=1)
    with connect(warehouse_url) as conn:
        row = conn.execute(
            "select transactions from raw.raw_fineract_loan_detail order by detail_id desc limit 1"
        ).fetchone()
    told = [each for each in (row or {})["transactions"] if each["external_id"] == "a" * 32]
    assert [(each["type_id"], each["date"], each["amount"]) for each in told] == [(2, "2026-01-05", 100)]


def test_a_statement_lands_once_and_says_what_it_says(warehouse: WarehouseConnection) -> None:
    first = land_statement(
        warehouse, "gb", LAYOUT, "statements/gb/a.csv", content=STATEMENT.encode(), run=RUN
    )
    assert first == LandedStatement("statements/gb/a.csv", 2, 2)
    assert (
        land_statement(warehouse, "gb", LAYOUT, "b.csv", content=STATEMENT.encode(), run=RUN).lines_new == 0
    )
    rows = warehouse.execute(
        "select loan_id, as_of, total_outstanding, days_past_due, status, line_number"
        " from raw.raw_lender_loan_statement order by loan_id"
    ).fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("GB100001", date(2026, 1, 5), Decimal("100000.00"), 0, "active", 2),
        ("GB100002", date(2026, 1, 5), Decimal("0.00"), None, "closed", 3),
    ]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Balance", "Amount", "lacks the column 'Balance'"),
        ("1,00,000.00", "a lakh", "line 2: .* is not an amount"),
        ("closed", "asleep", "line 3: status 'asleep' is not among"),
        ("gb100001", "", "line 2: the loan is missing"),
        ("05/01/2026", "5 January", "line 2: .*5 January"),
    ],
)
def test_a_statement_that_cannot_be_read_is_refused_whole(
    warehouse: WarehouseConnection, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(StatementError, match=complaint):
        land_statement(
            warehouse, "gb", LAYOUT, "a.csv", content=STATEMENT.replace(old, new).encode(), run=RUN
        )
    assert not warehouse.execute("select 1 from raw.raw_lender_loan_statement").fetchall()


def put_loan(
    conn: WarehouseConnection,
    number: int,
    *,
    status: int = 300,
    total: str = "1000.00",
    overdue_since: list[int] | None = None,
    repaid: str = "0.00",
    transactions: tuple[dict[str, Any], ...] = (),
) -> None:
    """A loan GB10000<number> as Fineract listed it on the 5th, and fetched in full on the 6th."""
    summary = {
        "totalOutstanding": total,
        "principalOutstanding": total,
        "totalRepayment": repaid,
        "overdueSinceDate": overdue_since,
    }
    values = {
        "number": number,
        "name": f"GB10000{number}",
        "status": status,
        "summary": json.dumps(summary),
        "payload": json.dumps({"summary": summary}),
        "transactions": json.dumps(
            [{"type_id": 2, "overpaid": 0, "is_reversed": False, **each} for each in transactions]
        ),
    }
    conn.execute(
        "insert into raw.raw_fineract_loan_snapshot (fineract_loan_id, external_id, product_id, status_id, payload,"
        " payload_md5, taken_at, taken_by_run) values (%(number)s, %(name)s, 1, %(status)s, %(payload)s, '',"
        " '2026-01-05 06:00+05:30', 'test')",
        values,
    )
    conn.execute(
        "insert into raw.raw_fineract_loan_detail (fineract_loan_id, external_id, status_id, summary, transactions,"
        " payload_md5, taken_by_run) values (%(number)s, %(name)s, %(status)s, %(summary)s, %(transactions)s, '', 'test')",
        values,
    )
    conn.execute(
        "insert into core.core_loan_look values (%(number)s, 1, '2026-01-06 06:00+05:30', 'test')"
        " on conflict do nothing",
        values,
    )


def post(
    conn: WarehouseConnection, number: int, key: str, amount: str, at: str = "2026-01-05 12:00+05:30"
) -> None:
    conn.execute(
        "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date, amount,"
        " attempts, processed_at, processed_by_run) values (%s, 'posted', 'gb', %s, '2026-01-05', %s, 1, %s, 'r')",
        (key, f"GB10000{number}", amount, at),
    )


def state_loan(conn: WarehouseConnection, number: int, total: str, dpd: int, status: str) -> None:
    conn.execute(
        "insert into raw.raw_lender_loan_statement (lender, source_file, sha256, line_number, loan_id, as_of,"
        " principal_outstanding, total_outstanding, days_past_due, status, landed_by_run)"
        " values ('gb', 'a.csv', 'x', 2, %s, '2026-01-05', %s, %s, %s, %s, 'r')",
        (f"GB10000{number}", total, total, dpd, status),
    )


def differences(conn: WarehouseConnection) -> set[tuple[str, str, Decimal]]:
    rows = conn.execute("select kind, subject, amount from core.core_recon_exception where state = 'open'")
    return {(row["kind"], row["subject"], row["amount"]) for row in rows}


def test_a_loan_that_was_settled_or_written_off_and_recovered_differs_in_nothing(project: DbtProject) -> None:
    """1 owed 1000: 900 paid, 50 of interest waived, a charge of 10 adjusted, 40 forgiven as goodwill, which the summary
    counts as repaid. 2 paid 300, 700 were written off, 100 of them recovered: the summary's repayments leave those out."""
    conn, ours = project.conn, {number: str(number) * 32 for number in range(1, 4)}
    put_lender(conn, GB)
    put_loan(
        conn, 1, status=600, total="0.00", repaid="950.00",
        transactions=(
            {"external_id": ours[1], "amount": 900}, {"external_id": "s1-waive", "amount": 50, "type_id": 4},
            {"external_id": "s1-adjust", "amount": 10, "type_id": 26}, {"external_id": "s1-rest", "amount": 40, "type_id": 23},
        ),
    )  # fmt: skip
    post(conn, 1, ours[1], "900.00")
    put_loan(
        conn, 2, status=601, total="0.00", repaid="300.00",
        transactions=(
            {"external_id": ours[2], "amount": 300}, {"external_id": "w1", "amount": 700, "type_id": 6},
            {"external_id": ours[3], "amount": 100, "type_id": 8},
        ),
    )  # fmt: skip
    post(conn, 2, ours[2], "300.00")
    post(conn, 2, ours[3], "100.00")
    project.build("reconciliation_loans")
    assert record_loans(project.session(Role.RECONCILER), RUN) == FindingsReport(opened=0, cleared=0)
    rows = conn.execute(
        "select in_fineract, posted_by_us from core.core_recon_loan order by loan_id"
    ).fetchall()
    assert [(row["in_fineract"], row["posted_by_us"]) for row in rows] == [(900, 900), (400, 400)]


def test_every_difference_is_named_with_its_rupees_and_closes_when_it_is_gone(project: DbtProject) -> None:
    """1 agrees, with a payment posted after Fineract was asked and foreign money. 2: 70.00 posted are not there. 3: 30.00
    under a key of ours that the ledger has not. 4: the summary has 5.00 more than the transactions. 5: the lender owes
    250.00 less, and says 0 days past due where Fineract has been waiting since 1 January. 6 is closed for the lender. 7
    is not in Fineract, 8 not in the statement."""
    conn, ours = project.conn, {number: str(number) * 32 for number in range(1, 10)}
    put_lender(conn, GB)
    put_loan(
        conn, 1, repaid="190.00",
        transactions=(
            {"external_id": ours[1], "amount": 100}, {"external_id": "a" * 32, "amount": 50},
            {"external_id": None, "amount": 40}, {"external_id": "b" * 32, "amount": 7, "is_reversed": True},
        ),
    )  # fmt: skip
    post(conn, 1, ours[1], "100.00")
    post(conn, 1, "a" * 32, "50.00", at="2026-01-06 06:00:01+05:30")
    put_loan(conn, 2)
    post(conn, 2, ours[2], "70.00")
    put_loan(conn, 3, repaid="30.00", transactions=({"external_id": ours[3], "amount": 30},))
    put_loan(conn, 4, repaid="5.00")
    put_loan(conn, 5, total="1000.00", overdue_since=[2026, 1, 1])
    put_loan(conn, 6)
    put_loan(conn, 8, total="800.00")
    for number in (1, 2, 3, 4, 6, 7):
        state_loan(conn, number, "1000.00", 0, "closed" if number == 6 else "active")
    state_loan(conn, 5, "750.00", 0, "active")
    project.build("reconciliation_loans")
    assert record_loans(project.session(Role.RECONCILER), RUN) == FindingsReport(opened=8, cleared=0)
    assert differences(conn) == {
        ("loan_posting_differs", "GB100002", Decimal("-70.00")),
        ("loan_posting_differs", "GB100003", Decimal("30.00")),
        ("loan_totals_differ", "GB100004", Decimal("5.00")),
        ("loan_outstanding_differs", "GB100005", Decimal("250.00")),
        ("loan_dpd_differs", "GB100005", Decimal("1000.00")),
        ("loan_status_differs", "GB100006", Decimal("1000.00")),
        ("loan_missing_in_fineract", "GB100007", Decimal("1000.00")),
        ("loan_missing_in_statement", "GB100008", Decimal("800.00")),
    }
    assert record_loans(project.session(Role.RECONCILER), RUN) == FindingsReport(0, 0)

    put_loan(conn, 2, repaid="70.00", transactions=({"external_id": ours[2], "amount": 70},))
    project.build("reconciliation_loans")
    assert record_loans(project.session(Role.RECONCILER), RUN) == FindingsReport(opened=0, cleared=1)
    assert ("loan_posting_differs", "GB100002", Decimal("-70.00")) not in differences(conn)
