"""Settlement reports as workbooks: read like the CSV, tied to the bank's UTR and to the rate card, and refused where
the lines are not what the report's own totals say.

Fees by AXLE's card: cards 2 %, net banking 1.65 %, UPI nothing; GST 18 % of the fee. Worked out by hand:
pay_1 5499.00 card: 109.98 and 19.80, 5369.22 arrive. pay_2 1200.00 net banking: 19.80 and 3.56, 1176.64 arrive.
pay_3 800.00 UPI: 8.00 and 1.44 kept where nothing may be, 790.56 arrive. pay_9 55.00 card: 1.10 and 0.20, 53.70 arrive.
setl_1 is pay_1, pay_2 and a refund of 300.00: 6245.86. setl_2 is pay_3 and pay_9: 844.26.
"""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.dbt.landing import AXLE, RazorpayPayment, put_lender, put_loan, put_webhook
from tests.dbt.project import RUN, DbtProject
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.orchestration.settlements import land_report, read_report
from turno_lms.reconciliation.settlement_lines import SettlementError
from turno_lms.warehouse.connection import Role, WarehouseConnection

Sheets = Mapping[str, Sequence[Sequence[Any]]]
ACCOUNT = ("razorpay", "axle")
SETTLED = datetime(2026, 1, 7, 11, 30)  # noqa: DTZ001  # a workbook knows no zones
SERIAL = 46029.479166667  # the same as a bare number
HEADINGS = (
    "transaction_entity", "entity_id", "amount", "currency", "fee (exclusive tax)", "tax", "debit", "credit",
    "payment_method", "settlement_id", "settled_at", "settlement_utr",
)  # fmt: skip
LINES = (
    ("payment", "pay_1", 5499.00, "INR", 109.98, 19.80, 0, 5369.22, "card", "setl_1", SETTLED, "HDFCN1"),
    ("payment", "pay_2", 1200, "INR", 19.80, 3.56, 0, 1176.64, "netbanking", "setl_1", SERIAL, "HDFCN1"),
    ("refund", "rfnd_1", 300, "INR", 0, 0, 300, 0, None, "setl_1", SETTLED, "HDFCN1"),
    ("payment", "pay_3", 800, "INR", 8, 1.44, 0, 790.56, "upi", "setl_2", SETTLED, None),
    ("payment", "pay_9", 55, "INR", 1.10, 0.20, 0, 53.70, "card", "setl_2", SETTLED, "HDFCN2"),
)  # fmt: skip
TOTAL = ("Total", None, 7854.00, None, 138.88, 25.00, 300, 7390.12)
SETTLEMENTS = (
    ("id", "amount", "status", "fees", "tax", "utr", "created_at"),
    ("setl_1", 6245.86, "processed", 153.14, 23.36, "HDFCN1", SETTLED),
    ("setl_2", 844.26, "processed", 10.74, 1.64, "HDFCN2", SETTLED),
)
REPORT: Sheets = {
    "Settlements": SETTLEMENTS,
    "Recon": (("Settlement recon, January 2026",), (), HEADINGS, *LINES, TOTAL, ("made by the dashboard",)),
}
CASHFREE: Sheets = {
    "Settlements": (
        ("ID", "Total Transaction Amount", "Settlement Amount", "Adjustment", "Net Settlement Amount", "UTR"),
        (208386848, 1250, 1225.66, -50, 1175.66, "CFUTR42"),
    ),
    # 1000.00 at 1.65 % is 16.50, GST 2.97: 980.53 arrive. 250.00: 4.13 (from 4.125), GST 0.74: 245.13 arrive
    "Transaction details": (
        ("Event ID", "Event Type", "Sale Type", "Event Amount", "Event Settlement Amount", "Settlement Date", "UTR"),
        (77, "PAYMENT", "CREDIT", 1000, 980.53, "2026-01-07 10:00:00", "CFUTR42"),
        (78, "PAYMENT", "CREDIT", 250, 245.13, "2026-01-07 10:00:00", "CFUTR42"),
        (79, "REFUND", "DEBIT", 50, 50, "2026-01-07 10:00:00", "CFUTR42"),
    ),
}  # fmt: skip


def workbook(sheets: Sheets) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def land(
    conn: WarehouseConnection,
    content: bytes,
    folder: Path,
    account: tuple[str, str] = ACCOUNT,
    name: str = "a.xlsx",
) -> list[dict[str, Any]]:
    path = folder / "report"
    path.write_bytes(content)
    return land_report(conn, account, f"settlements/{'/'.join(account)}/{name}", path, RUN)


def landed(conn: WarehouseConnection) -> list[tuple[Any, ...]]:
    rows = conn.execute(
        "select entity_id, amount, fee, net, settlement_utr, settled_on::text from raw.raw_gateway_settlement_line"
        " order by line_id"
    )
    return [tuple(row.values()) for row in rows]


def changed(line: int, **cells: Any) -> Sheets:
    """The report with other cells in one of its lines, by heading."""
    row = [cells.get(heading, cell) for heading, cell in zip(HEADINGS, LINES[line], strict=True)]
    return {**REPORT, "Recon": (HEADINGS, *LINES[:line], row, *LINES[line + 1 :], TOTAL)}


def test_payments_of_a_workbook_get_their_utr_and_are_held_against_the_rate_card(
    project: DbtProject, tmp_path: Path
) -> None:
    put_lender(project.conn, AXLE)
    project.conn.execute(
        "insert into core.core_lender_rate_card values ('axle', 'razorpay', 'upi', 0, 0, 18),"
        " ('axle', 'razorpay', 'netbanking', 1.65, 0, 18), ('axle', 'razorpay', 'other', 2, 0, 18)"
    )
    put_loan(project.conn, "AXL300001", 3)
    for payment_id, amount in (("pay_1", "5499.00"), ("pay_2", "1200.00"), ("pay_3", "800.00")):
        payment = RazorpayPayment(payment_id, amount, notes={"loan_id": "AXL300001"})
        put_webhook(project.conn, "axle", payment.event(), key=payment_id)
    told = land(project.session(Role.INGESTION), workbook(REPORT), tmp_path)
    assert told == [
        {"name": "settlements/razorpay/axle/a.xlsx", "lines": 5, "lines_new": 5, "rupees_net": "7090.12"}
    ]
    project.derive_warehouse()
    project.dbt(
        "run",
        "--select",
        "tag:reconciliation_exact",
        "tag:reconciliation_rest",
        "--vars",
        '{"recon_today": "2026-01-12"}',
    )

    settled = project.conn.execute(
        "select gateway_payment_reference, loan_id, settlement_utr, fee, expected_fee, tax, expected_tax"
        " from core.core_gateway_settlement_payment order by 1"
    )
    assert [tuple(row.values()) for row in settled] == [
        ("razorpay:pay_1", "AXL300001", "HDFCN1", *map(Decimal, ("129.78", "129.78", "19.80", "19.80"))),
        ("razorpay:pay_2", "AXL300001", "HDFCN1", *map(Decimal, ("23.36", "23.36", "3.56", "3.56"))),
        ("razorpay:pay_3", "AXL300001", "HDFCN2", *map(Decimal, ("9.44", "0.00", "1.44", "0.00"))),
        ("razorpay:pay_9", None, "HDFCN2", *map(Decimal, ("1.30", "1.30", "0.20", "0.20"))),
    ]  # fmt: skip
    findings = project.conn.execute(
        "select kind, subject, rupees from core.core_gateway_settlement_finding order by kind"
    )
    assert [tuple(row.values()) for row in findings] == [
        ("fee_differs", "razorpay:pay_3", Decimal("9.44")),
        ("settled_unknown_payment", "razorpay:pay_9", Decimal("55.00")),
    ]
    sums = project.conn.execute(
        "select settlement_utr, payments, gross, fee, tax, refunded, net from core.core_gateway_settlement order by 1"
    )
    assert [tuple(row.values()) for row in sums] == [
        ("HDFCN1", 2, *map(Decimal, ("6699.00", "153.14", "23.36", "300.00", "6245.86"))),
        ("HDFCN2", 2, *map(Decimal, ("855.00", "10.74", "1.64", "0.00", "844.26"))),
    ]


def test_cells_are_read_by_what_they_hold(warehouse: WarehouseConnection, tmp_path: Path) -> None:
    """Numbers as rupees, days as cells or bare serials; a UTR that a line lacks comes from its settlement."""
    land(warehouse, workbook(REPORT), tmp_path)
    day = "2026-01-07"
    assert landed(warehouse) == [
        ("pay_1", Decimal("5499.00"), Decimal("129.78"), Decimal("5369.22"), "HDFCN1", day),
        ("pay_2", Decimal("1200.00"), Decimal("23.36"), Decimal("1176.64"), "HDFCN1", day),
        ("rfnd_1", Decimal("300.00"), Decimal("0.00"), Decimal("-300.00"), "HDFCN1", day),
        ("pay_3", Decimal("800.00"), Decimal("9.44"), Decimal("790.56"), "HDFCN2", day),
        ("pay_9", Decimal("55.00"), Decimal("1.30"), Decimal("53.70"), "HDFCN2", day),
    ]


def test_a_workbook_again_is_not_even_read_and_its_csv_brings_nothing_new(
    warehouse: WarehouseConnection, tmp_path: Path
) -> None:
    content = workbook(REPORT)
    land(warehouse, content, tmp_path)
    assert land(warehouse, content, tmp_path) == []
    text = "\n".join(
        ",".join("" if cell is None else str(cell) for cell in row) for row in (HEADINGS, *LINES)
    )
    (again,) = land(warehouse, text.encode(), tmp_path, name="a.csv")
    assert (again["lines"], again["lines_new"]) == (5, 0)


def test_cashfree_says_on_another_sheet_what_each_settlement_came_to(
    warehouse: WarehouseConnection, tmp_path: Path
) -> None:
    land(warehouse, workbook(CASHFREE), tmp_path, ("cashfree", "axle"))
    day = "2026-01-07"
    assert landed(warehouse) == [
        ("77", Decimal("1000.00"), Decimal("19.47"), Decimal("980.53"), "CFUTR42", day),
        ("78", Decimal("250.00"), Decimal("4.87"), Decimal("245.13"), "CFUTR42", day),
        ("79", Decimal("50.00"), Decimal("0.00"), Decimal("-50.00"), "CFUTR42", day),
    ]


def test_both_tables_may_stand_in_one_csv(warehouse: WarehouseConnection, tmp_path: Path) -> None:
    rows = [row for sheet in CASHFREE.values() for row in (*sheet, ())]
    text = "\n".join(",".join(map(str, row)) for row in rows)
    (told,) = land(warehouse, text.encode(), tmp_path, ("cashfree", "axle"), "a.csv")
    assert (told["lines"], told["rupees_net"]) == (3, "1175.66")
    with pytest.raises(SettlementError, match="settlement 208386848: 1250.00 paid by customers"):
        land(
            warehouse,
            text.replace("\n78,PAYMENT", "\n78,ADJUSTMENT").encode(),
            tmp_path,
            ("cashfree", "axle"),
            "b.csv",
        )


WITHOUT_PAY_2 = {"Recon": (HEADINGS, LINES[0], *LINES[2:], TOTAL)}
REFUSED: dict[str, tuple[bytes, str]] = {
    "cut off": (workbook(WITHOUT_PAY_2), "line 6: the total of amount is 7854.00, but the lines add up to 6654.00"),
    "settlement cut off": (
        workbook({"Settlements": SETTLEMENTS, "Recon": (HEADINGS, LINES[0], *LINES[2:])}),
        "settlement setl_1: 6245.86 transferred .* its lines add up to 5069.22",
    ),
    "settlement without lines": (
        workbook({"Settlements": SETTLEMENTS, "Recon": (HEADINGS, *LINES[:3])}),
        "settlement setl_2: 844.26 transferred .* its lines add up to 0",
    ),
    "lines of no settlement": (
        workbook({"Settlements": SETTLEMENTS[:2], "Recon": (HEADINGS, *LINES)}),
        "line 5: settlement setl_2 is not among the report's settlements",
    ),
    "another transfer": (workbook(changed(0, settlement_utr="HDFCN7")), "line 2: UTR HDFCN7, but settlement setl_1 went under HDFCN1"),
    "fee": (workbook(changed(0, tax=18.80)), "line 2, pay_1: 5499.00 less 5369.22 is 129.78, but its fee is 128.78"),
    "digits lost": (workbook(changed(0, settlement_utr=50212345678901234567)), "line 2: 5.02.*E.19 was a longer number"),
    "no reference": (workbook(changed(0, entity_id=None)), "line 2 has no entity_id"),
    "no amount": (workbook(changed(0, amount="a lot")), "line 2: 'a lot' is not an amount in rupees"),
    "no day": (workbook(changed(0, settled_at="8 January")), "line 2: .*8 January"),
    "a column lacks": (
        workbook({"Recon": ([heading for heading in HEADINGS if heading != "settlement_utr"],)}),
        "a.xlsx lacks the column 'settlement_utr'",
    ),
    "another workbook": (workbook({"Notes": (("see", "you", "tomorrow"),)}), "a.xlsx: no row holds the headings amount, "),
    "the other gateway's": (workbook(CASHFREE), "a.xlsx: no row holds the headings amount, "),
    "half a workbook": (workbook(REPORT)[:3000], "a.xlsx is no XLSX workbook"),
    "no workbook": (b"%PDF-1.7 report", "a.xlsx looks like a PDF document; it must be CSV or XLSX"),
    "nothing": (b"", r"a.xlsx is empty \(0 bytes\)"),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_a_bad_workbook_is_refused_with_the_reason(tmp_path: Path, fault: str) -> None:
    content, complaint = REFUSED[fault]
    path = tmp_path / "report"
    path.write_bytes(content)
    with pytest.raises((SettlementError, FileRefusedError), match=complaint):
        read_report("razorpay", path, "a.xlsx")


def test_a_total_may_be_of_all_rows_or_of_those_since_the_last(
    warehouse: WarehouseConnection, tmp_path: Path
) -> None:
    """6245.86 and the refund: 6545.86 credited under setl_1, 844.26 under setl_2, and 7390.12 in all."""
    credit = [None] * 6
    rows = (
        HEADINGS, *LINES[:3], ("Sub total", *credit, 6545.86), *LINES[3:], ("Sub total", *credit, 844.26),
        ("Grand total", *credit, 7390.12),
    )  # fmt: skip
    (told,) = land(warehouse, workbook({"Recon": rows}), tmp_path)
    assert told["lines"] == 5
    with pytest.raises(
        SettlementError, match="line 8: the total of credit is 844.27, but the lines add up to 7390.12"
    ):
        off = (*rows[:7], ("Sub total", *credit, 844.27))
        land(warehouse, workbook({"Recon": off}), tmp_path, name="off.xlsx")
