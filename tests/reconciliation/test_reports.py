"""The daily summary, and channels that are not as usual."""

from datetime import date, timedelta
from decimal import Decimal

from tests.dbt.landing import GB, FileRow, put_file, put_lender, put_loan
from tests.dbt.project import RUN, DbtProject
from turno_lms.reconciliation import reports
from turno_lms.warehouse.connection import Role, WarehouseConnection

DAY = date(2026, 3, 20)


def see(conn: WarehouseConnection, day: date, payments: int, channel: str = "file:nach_response") -> None:
    """Payments of 100.00 each, first seen on a day at 00:30 IST, which is the day before in UTC."""
    conn.execute(
        "insert into core.core_payment_sighting (native_reference, channel, stream, lender, business_date, amount,"
        " payment_status, is_collection, is_historic, seen_at, _txid, _read_horizon)"
        " select %(channel)s || %(day)s || n, %(channel)s, 'nach_debits', 'gb', %(day)s, 100, 'captured', true, false,"
        " (%(day)s::date + time '00:30') at time zone 'Asia/Kolkata', 1, 1 from generate_series(1, %(payments)s) as n",
        {"channel": channel, "day": day, "payments": payments},
    )


def kinds(conn: WarehouseConnection, day: date) -> dict[str, str]:
    return {one.channel: one.kind for one in reports.find_unusual(conn, day, RUN)}


def test_a_silent_channel_and_an_unusual_day_are_told_once(project: DbtProject) -> None:
    """Usually 100 a day. On the 20th the file has 40, Razorpay said nothing and Cashfree is as ever; a channel that reports
    on some days only is never stale."""
    for back in range(1, 11):
        for channel in ("file:nach_response", "razorpay", "cashfree"):
            see(project.conn, DAY - timedelta(days=back), 100, channel)
    see(project.conn, DAY - timedelta(days=3), 100, "file:weekly")
    see(project.conn, DAY, 40)
    see(project.conn, DAY, 120, "cashfree")
    assert kinds(project.session(Role.RECONCILER), DAY) == {
        "file:nach_response": "volume_anomaly",
        "razorpay": "source_stale",
    }
    assert kinds(project.session(Role.RECONCILER), DAY) == {}
    see(project.conn, DAY + timedelta(days=400), 1, "razorpay")  # after the exception was opened
    assert kinds(project.session(Role.RECONCILER), DAY) == {}
    states = project.conn.execute(
        "select kind, state, amount from core.core_recon_exception order by kind"
    ).fetchall()
    assert [tuple(row.values()) for row in states] == [
        ("source_stale", "cleared", Decimal("0.00")),
        ("volume_anomaly", "open", Decimal("4000.00")),
    ]


def test_the_summary_counts_payments_and_exceptions_by_age(project: DbtProject) -> None:
    """One row of 5 January without its other side, looked at on the 10th: five days old; the question is of today."""
    put_lender(project.conn, GB)
    put_loan(project.conn, "GB100001", 1)
    put_file(project.conn, "gb", "nach_response", [FileRow("GB100001", "5499.00")])
    project.derive_warehouse()
    project.reconcile()
    project.derive_warehouse()
    day = date(2026, 1, 10)
    assert reports.take_daily(project.session(Role.RECONCILER), day, RUN) == 2
    assert reports.take_daily(project.session(Role.RECONCILER), day, RUN) == 2
    told = [
        (row["lender"], row["measure"], row["status"], row["age"], row["items"], row["rupees"])
        for row in reports.daily(project.session(Role.RECONCILER), day)
    ]
    assert told == [
        ("gb", "payment", "missing_in_gateway", "4-7", 1, Decimal("5499.00")),
        ("gb", "exception", "missing_in_gateway", "0-1", 1, Decimal("5499.00")),
    ]


def test_the_summaries_of_days_add_up_to_what_agrees_and_what_does_not(project: DbtProject) -> None:
    """5499.00 of 5 January without its other side: expected while it may still come, mismatched from then on."""
    put_lender(project.conn, GB)
    put_loan(project.conn, "GB100001", 1)
    put_file(project.conn, "gb", "nach_response", [FileRow("GB100001", "5499.00")])
    project.derive_warehouse()
    reconciler = project.session(Role.RECONCILER)
    reports.take_daily(reconciler, date(2026, 1, 6), RUN)  # no run has compared it
    project.reconcile()
    project.derive_warehouse()
    reports.take_daily(reconciler, date(2026, 1, 10), RUN)
    told = [tuple(row.values()) for row in reports.by_day(reconciler, date(2026, 1, 10), 5)]
    rupees, none = Decimal("5499.00"), Decimal("0.00")
    assert told == [
        (date(2026, 1, 6), none, rupees, none, none, 0),
        (date(2026, 1, 10), none, none, rupees, none, 1),
    ]
    assert len(reports.by_day(reconciler, date(2026, 1, 10), 4)) == 1
