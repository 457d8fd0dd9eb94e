"""What a lender's policy posts only after a match is posted once: through the member that the posting channel reported."""

from datetime import UTC, date, datetime
from decimal import Decimal

from tests.dbt.landing import FileRow, RazorpayPayment, put_file, put_lender, put_loan, put_webhook
from tests.dbt.project import RUN, DbtProject
from tests.reconciliation.month import LENDER
from turno_lms.domain.keys import source_key
from turno_lms.posting.claim import claim
from turno_lms.warehouse.connection import Role

LOAN, AMOUNT = "GB100001", "5499.00"
FIFTH, SEVENTH = date(2026, 1, 5), date(2026, 1, 7)
EARLY, LATE = (source_key("gb", LOAN, day, AMOUNT) for day in (FIFTH, SEVENTH))


def put_row(project: DbtProject, day: date, reference: str) -> None:
    row = FileRow(LOAN, AMOUNT, day.isoformat(), payment_id=reference)
    put_file(project.conn, "gb", "nach", [row])


def blocks(project: DbtProject) -> dict[str, str | None]:
    return {key: row["posting_block"] for key, row in project.payments().items()}


def intents(project: DbtProject) -> list[tuple[str, Decimal]]:
    rows = project.conn.execute(
        "select posting_key, amount from core.core_fineract_pending_transactions order by posting_key"
    )
    return [(row["posting_key"], row["amount"]) for row in rows]


def test_a_match_posts_once_also_when_its_evidence_is_reported_again(project: DbtProject) -> None:
    """The debit of the 5th stands in the file of the 7th. Then a file brings a row of the 5th as well: the same key as the
    gateway's record, which is evidence of what is posted by then. It is held and asked about, not posted."""
    put_lender(project.conn, LENDER)
    put_loan(project.conn, LOAN, 1)
    put_row(project, SEVENTH, "N1")
    paid = RazorpayPayment("pay_1", AMOUNT, datetime(2026, 1, 5, 6, tzinfo=UTC), notes={"loan_id": LOAN})
    put_webhook(project.conn, "gb", paid.event())
    project.derive_warehouse()
    assert blocks(project) == {LATE: "awaiting_recon", EARLY: "evidence_only"}
    claim(project.session(Role.POSTER), RUN)
    assert intents(project) == []

    assert project.reconcile().pairs_matched == 1
    claim(project.session(Role.POSTER), RUN)
    assert intents(project) == []  # recorded, and not yet derived: nothing is released by half
    project.derive_warehouse()
    assert blocks(project) == {LATE: None, EARLY: "evidence_only"}
    claim(project.session(Role.POSTER), RUN)
    assert intents(project) == [(LATE, Decimal(AMOUNT))]

    put_row(project, FIFTH, "N2")
    project.derive_warehouse()
    assert blocks(project)[EARLY] == "matched_elsewhere"
    claim(project.session(Role.POSTER), RUN)
    assert intents(project) == [(LATE, Decimal(AMOUNT))]
    project.reconcile()
    (question,) = project.conn.execute(
        "select subject, detail ->> 'posts_through' as through from core.core_recon_exception"
        " where kind = 'contested_match' and state = 'open'"
    ).fetchall()
    assert question == {"subject": EARLY, "through": LATE}


def test_a_late_row_that_comes_before_the_match_is_recorded_keeps_it_from_being_made(
    project: DbtProject,
) -> None:
    """The models saw row and webhook; then the webhook's own row was built, and may be posted. Its pair is the better one."""
    put_lender(project.conn, LENDER)
    put_loan(project.conn, LOAN, 1)
    put_row(project, SEVENTH, "N1")
    paid = RazorpayPayment("pay_1", AMOUNT, datetime(2026, 1, 5, 6, tzinfo=UTC), notes={"loan_id": LOAN})
    put_webhook(project.conn, "gb", paid.event())
    project.derive_warehouse()
    project.dbt("run", "--select", "tag:reconciliation_exact", "tag:reconciliation_rest")
    put_row(project, FIFTH, "N2")
    project.derive_warehouse()

    from turno_lms.reconciliation.matches import record_matches

    assert record_matches(project.session(Role.RECONCILER), RUN).pairs_matched == 0
    assert project.reconcile().pairs_matched == 1
    rows = project.rows("core.core_recon_match")
    assert {(row["native_reference"], row["rule"]) for row in rows} == {
        ("file:gb:nach:N2", "recon_match_key"),
        ("razorpay:pay_1", "recon_match_key"),
    }


def test_money_that_nothing_holds_and_nobody_posted_for_a_day_is_asked_about_until_it_is_posted(
    project: DbtProject,
) -> None:
    put_lender(project.conn, LENDER)
    put_loan(project.conn, LOAN, 1)
    put_row(project, FIFTH, "N1")
    paid = RazorpayPayment("pay_1", AMOUNT, datetime(2026, 1, 5, 6, tzinfo=UTC), notes={"loan_id": LOAN})
    put_webhook(project.conn, "gb", paid.event())
    project.derive_warehouse()
    assert project.reconcile().pairs_matched == 1
    project.derive_warehouse()
    questions = "select subject, state, close_reason from core.core_recon_exception where kind = 'missing_in_fineract'"
    project.reconcile()
    assert project.conn.execute(questions).fetchall() == []  # seen just now: posting has its time

    project.conn.execute("update core.core_transaction_data set first_seen_at = now() - interval '25 hours'")
    project.reconcile()
    assert project.conn.execute(questions).fetchall() == [
        {"subject": EARLY, "state": "open", "close_reason": None}
    ]
    project.derive_warehouse()
    assert project.payments()[EARLY]["reconciliation_status"] == "missing_in_fineract"

    project.conn.execute(
        "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date, amount,"
        " attempts, processed_by_run) values (%s, 'posted', 'gb', %s, %s, %s, 1, 'r')",
        (EARLY, LOAN, FIFTH, AMOUNT),
    )
    project.reconcile()
    assert project.conn.execute(questions).fetchall() == [
        {"subject": EARLY, "state": "cleared", "close_reason": "it is posted, or held again"}
    ]
    project.derive_warehouse()
    assert project.payments()[EARLY]["reconciliation_status"] == "matched"
