"""Files as the shipped lenders send them, built row by row, and a helper that loads them."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from turno_lms.domain.runs import RunContext
from turno_lms.ingestion.files import LenderFile, describe_file
from turno_lms.ingestion.load import FileReport, ingest_file
from turno_lms.lenders.registry import LenderRegistry
from turno_lms.lenders.schema import Lender
from turno_lms.warehouse.connection import WarehouseConnection

BUCKET = "turnofile"
RUN = RunContext("ingest__gb", "test_run")

GB_PREFIX = "lenders/gb/nach_response/"
GB_TITLES = (("GB FINANCE LIMITED",), ("NACH DEBIT RESPONSE",), ("Currency: INR",))
GB_HEADINGS = (
    "Sr. No.", "UMRN", "Amount (Rs.)", "Settlement Date", "Status", "Return Reason Code", "Return Reason",
    "Transaction Reference",
)  # fmt: skip
GB_FIRST_ROW = 5
"""Three titles and the headings stand above it."""

UGRO_HEADINGS = (
    "UMRN", "Payment Date", "Amount Received (INR)", "Payment Status", "Remarks", "Receipt No.", "UTR / RRN", "", "",
)  # fmt: skip
AXLE_HEADINGS = (
    "transaction_entity", "entity_id", "amount", "currency", "fee (exclusive tax)", "tax", "debit", "credit",
    "entity_created_at", "entity_description", "order_receipt", "settlement_utr",
)  # fmt: skip

UMRN = "HDFC7000100234000001"
Cells = Sequence[Any]


def debit(
    umrn: str = UMRN,
    amount: str = "5,499.00",
    day: str = "05/01/2026",
    status: str = "Success",
    reference: str = "T1",
    reason: str = "",
) -> tuple[str, ...]:
    """One row of GB's NACH response."""
    return ("1", umrn, amount, day, status, "04" if reason else "", reason, reference)


def credit(
    umrn: str = UMRN,
    day: Any = "05-Jan-2026",
    amount: Any = "1,23,456.00",
    status: str = "Realised",
    receipt: str = "R1",
    utr: Any = "U1",
) -> tuple[Any, ...]:
    """One row of UGRO's repayment statement, with its two trailing blank columns."""
    return (umrn, day, amount, status, "", receipt, utr, None, None)


def settled(
    entity: str = "payment", payment: str = "pay_1", amount: str = "1000.00", receipt: str = "AXL300001_1",
    fee: str = "20.00", tax: str = "3.60", currency: str = "INR", moment: str = "05/01/2026 10:00:00",
) -> tuple[str, ...]:  # fmt: skip
    """One row of the Razorpay settlement report."""
    return (entity, payment, amount, currency, fee, tax, "0.00", "976.40", moment, "EMI", receipt, "UTR1")


def csv_text(rows: Sequence[Cells], delimiter: str = ",") -> str:
    """Rows as delimited text with Windows line ends."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    return buffer.getvalue()


def gb_csv(*rows: Cells, below: Sequence[Cells] = ()) -> bytes:
    """GB's file: titles, headings, the rows, and what stands below them."""
    return csv_text([*GB_TITLES, GB_HEADINGS, *rows, *below]).encode()


def axle_csv(*rows: Cells) -> bytes:
    """Axle's settlement report."""
    return csv_text([AXLE_HEADINGS, *rows]).encode()


def ugro_xlsx(*rows: Cells, sheet: str = "Repayments", headings: Cells = UGRO_HEADINGS) -> bytes:
    """UGRO's workbook: a summary sheet, then the repayments below two merged title rows."""
    workbook = openpyxl.Workbook()
    workbook.active.title = "Summary"
    workbook.active.append(["Total", 1])
    page = workbook.create_sheet(sheet)
    for row in (["UGRO CAPITAL: REPAYMENT STATEMENT"], ["January 2026"], headings, *rows):
        page.append(list(row))
    page.merge_cells("A1:G1")
    page.merge_cells("A2:G2")
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def write(folder: Path, name: str, content: bytes) -> Path:
    """A file for a reader or a preview."""
    path = folder / name
    path.write_bytes(content)
    return path


@dataclass(frozen=True)
class Loads:
    """Puts files in S3 and loads the version that stands there."""

    conn: WarehouseConnection
    s3: Any
    lenders: LenderRegistry
    bucket: str

    def put(self, key: str, content: bytes) -> LenderFile:
        """Upload, and describe the version."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return describe_file(self.s3, self.bucket, self.lender_of(key), key)

    def ingest(self, file: LenderFile) -> FileReport:
        """Load a version."""
        return ingest_file(self.conn, self.s3, self.lenders[file.lender], file, RUN)

    def gb(self, content: bytes, name: str = "a.csv") -> FileReport:
        """Upload and load a file of GB's."""
        return self.ingest(self.put(GB_PREFIX + name, content))

    def lender_of(self, key: str) -> Lender:
        """The lender whose folder a key is in."""
        return self.lenders[key.split("/")[1]]

    def rows(self, query: Any, *parameters: Any) -> list[tuple[Any, ...]]:
        """What a query gives, leaving no transaction open."""
        with self.conn.transaction():
            return [tuple(row.values()) for row in self.conn.execute(query, parameters)]

    def counts(self, report: FileReport) -> tuple[int | None, ...]:
        """Rows read, accepted, filtered, duplicate, rejected."""
        return (
            report.rows_read, report.rows_accepted, report.rows_filtered, report.rows_duplicate, report.rows_rejected,
        )  # fmt: skip
