"""A lender in whatever format a test wants, and files built for it."""

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from hashlib import md5
from pathlib import Path
from typing import Any

import msoffcrypto
import openpyxl
import pyzipper
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile
from msoffcrypto.method.rc4 import DocumentRC4
from xlwt.CompoundDoc import XlsDoc

from turno_lms.ingestion.preview import Preview, preview
from turno_lms.ingestion.readers import open_table
from turno_lms.ingestion.sandbox import LIMITS, Limits
from turno_lms.lenders.schema import FileKind, Lender

PASSWORD = "Turno@2026"
COLUMNS = {
    "loan_id": {"type": "loan_id", "heading": "Loan"},
    "amount": {"type": "amount", "heading": "Amount"},
    "date": {"type": "date", "heading": "Paid On", "formats": ["%d/%m/%Y", "%Y-%m-%d", "%d%m%Y"]},
    "payment_id": {"type": "text", "heading": "Reference", "required": False},
}
HEADINGS = ("Loan", "Amount", "Paid On", "Reference")
FIRST = ("SMP100234", "5499.00", "05/01/2026", "T1")
SECOND = ("SMP100235", "1200.50", "06/01/2026", "T2")
PAID = [("SMP100234", "5499.00", "2026-01-05", "T1"), ("SMP100235", "1200.50", "2026-01-06", "T2")]
"""FIRST and SECOND as they are accepted."""

NPCI_FIELDS = {
    "code": (1, 2), "control_9": (3, 9), "account_type": (12, 2), "ledger_folio": (14, 3), "control_15": (17, 15),
    "holder_name": (32, 40), "control_9b": (72, 9), "control_7": (81, 7), "narration": (88, 20), "control_13": (108, 13),
    "amount": (121, 13), "item_seq": (134, 10), "checksum": (144, 10), "flag": (154, 1), "reason": (155, 2),
    "destination": (157, 11), "account": (168, 35), "sponsor": (203, 11), "user_number": (214, 18),
    "transaction_reference": (232, 30), "product_type": (262, 3), "aadhaar": (265, 15), "umrn": (280, 20), "filler": (300, 7),
}  # fmt: skip
NPCI_HEADER_FIELDS = {"total_amount": (101, 13), "settlement_date": (114, 8), "item_count": (227, 9)}
NPCI = {
    "type": "fixed_width",
    "width": 306,
    "detail": {
        "starts_with": "67",
        "fields": {name: {"start": start, "width": width} for name, (start, width) in NPCI_FIELDS.items()},
    },
    "others": {
        "header": {
            "starts_with": "56",
            "fields": {
                name: {"start": start, "width": width} for name, (start, width) in NPCI_HEADER_FIELDS.items()
            },
        }
    },
}
NPCI_KIND = {
    "format": NPCI,
    "columns": {
        "umrn": {"type": "umrn", "heading": "umrn"},
        "amount": {"type": "amount", "heading": "amount", "unit": "paise"},
        "date": {"type": "date", "file_value": "settled", "formats": ["%d%m%Y"]},
        "payment_id": {"type": "text", "heading": "transaction_reference"},
    },
    "values": {
        "settled": {"record": "header", "field": "settlement_date"},
        "total": {"record": "header", "field": "total_amount"},
        "items": {"record": "header", "field": "item_count"},
    },
    "control_totals": {"rows": {"value": "items"}, "amount": {"value": "total", "unit": "paise"}},
}


def lender(format: Mapping[str, Any], **changes: Any) -> Lender:
    """A lender whose only kind of file is in this format."""
    kind = {
        "s3": {"prefix": "lenders/sample/statement/"},
        "schedule": "0 9 * * *",
        "format": dict(format),
        "columns": COLUMNS,
        "thresholds": {"reject_percent": 100},
        **changes,
    }
    return Lender.model_validate(
        {
            "lender": "sample", "name": "Sample", "fineract": {"product_id": 9, "payment_type_id": 1},
            "post_from": date(2026, 1, 1), "loan_id_pattern": r"SMP\d{6}",
            "streams": {"transfers": {"posts": "file:statement", "policy": "at_once"}}, "files": {"statement": kind},
        }
    )  # fmt: skip


def kind(format: Mapping[str, Any], **changes: Any) -> FileKind:
    """Its kind of file."""
    return lender(format, **changes).files["statement"]


def shown(folder: Path, content: bytes, file_format: Mapping[str, Any], **changes: Any) -> Preview:
    """What becomes of a file's rows."""
    path = folder / "statement.bin"
    path.write_bytes(content)
    return preview(lender(file_format, **changes), "statement", path)


def paid(result: Preview) -> list[tuple[Any, ...]]:
    """The accepted payments."""
    assert result.summary["error_code"] is None, result.summary
    return [
        (row["loan_id"], row["amount"], row["date"], row["payment_id"])
        for row in result.rows
        if row["fate"] == "accepted"
    ]


def read(
    folder: Path, content: bytes, file_format: Mapping[str, Any], limits: Limits = LIMITS, **changes: Any
) -> list[list[str]]:
    """All rows below the headings."""
    path = folder / "statement.bin"
    path.write_bytes(content)
    table = open_table(
        path, kind(file_format, **changes), "a.bin", password_of=lambda _: PASSWORD, limits=limits
    )
    return [row for chunk in table.chunks for row in chunk.rows]


def lines(*rows: Sequence[str], delimiter: str = ",", end: str = "\r\n") -> bytes:
    """Delimited text without quotes."""
    return "".join(delimiter.join(row) + end for row in rows).encode()


def xlsx(*rows: Sequence[Any]) -> bytes:
    """A workbook of one sheet."""
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(list(row))
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def xls(*rows: Sequence[Any]) -> bytes:
    """A workbook of Excel 97 with a summary sheet in front; dates are real dates."""
    buffer = io.BytesIO()
    _xls_workbook(rows).save(buffer)
    return buffer.getvalue()


def _xls_workbook(rows: Sequence[Sequence[Any]]) -> xlwt.Workbook:
    workbook = xlwt.Workbook()
    workbook.add_sheet("Summary").write(0, 0, "Total")
    sheet = workbook.add_sheet("Data")
    day = xlwt.easyxf(num_format_str="DD-MM-YYYY")
    for number, row in enumerate(rows):
        for place, cell in enumerate(row):
            sheet.write(number, place, cell, *([day] if isinstance(cell, date) else []))
    return workbook


_BOF, _FILE_PASS, _BOUND_SHEET, _INTERFACE_HDR = 0x809, 0x2F, 0x85, 0xE1


def protected_xls(*rows: Sequence[Any], password: str = PASSWORD) -> bytes:
    """The same behind a password, encrypted as Excel 97 does it (MS-XLS 2.2.10: RC4, in blocks of 1024 bytes).

    Made here since nothing writes such files any more; RC4 is its own inverse, so the reader's library does the cipher.
    """
    salt, verifier = bytes(range(16)), b"sixteen bytes ok"
    proof = DocumentRC4.decrypt(password, salt, io.BytesIO(verifier + md5(verifier).digest())).read()  # noqa: S324  # Excel 97 does
    file_pass = struct.pack("<HHHHH", _FILE_PASS, 54, 1, 1, 1) + salt + proof
    stream, kept = b"", []  # kept: the bytes that stay readable
    for number, written in _biff_records(_xls_workbook(rows).get_biff_data()):
        body = written
        if number == _BOUND_SHEET:  # where the sheet begins, which is further down now
            (place,) = struct.unpack_from("<I", written)
            body = struct.pack("<I", place + len(file_pass)) + written[4:]
        readable = {_BOF: len(body), _INTERFACE_HDR: len(body), _BOUND_SHEET: 4}.get(number, 0)
        kept.append((len(stream), 4 + readable))
        stream += struct.pack("<HH", number, len(body)) + body
        if len(kept) == 1:
            kept.append((len(stream), len(file_pass)))
            stream += file_pass
    hidden = bytearray(DocumentRC4.decrypt(password, salt, io.BytesIO(stream), blocksize=1024).read())
    for start, size in kept:
        hidden[start : start + size] = stream[start : start + size]
    buffer = io.BytesIO()
    odd = -len(hidden) % 4  # the container is filled up with zeros, which read as records of four bytes
    XlsDoc().save(buffer, bytes(hidden) + struct.pack("<HH", 0, odd) + bytes(odd))
    return buffer.getvalue()


def _biff_records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(stream):
        number, size = struct.unpack_from("<HH", stream, place)
        yield number, stream[place + 4 : place + 4 + size]
        place += 4 + size


def protected(workbook: bytes) -> bytes:
    """An XLSX workbook behind PASSWORD."""
    buffer = io.BytesIO()
    OOXMLFile(io.BytesIO(workbook)).encrypt(PASSWORD, buffer)
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes], password: str | None = None) -> bytes:
    """A zip archive; with a password its members are encrypted with AES."""
    buffer = io.BytesIO()
    if password is None:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return buffer.getvalue()
    with pyzipper.AESZipFile(
        buffer, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
    ) as archive:
        archive.setpassword(password.encode())
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def fixed(fields: Mapping[str, tuple[int, int]], **texts: str) -> str:
    """A line of 306 characters with these texts in their fields."""
    line = [" "] * 306
    for name, text in texts.items():
        start, width = fields[name]
        line[start - 1 : start - 1 + width] = text.ljust(width)[:width]
    return "".join(line)


def debit_line(umrn: str, paise: int, reference: str) -> str:
    """An item record of NPCI's debit file."""
    return fixed(
        NPCI_FIELDS, code="67", umrn=umrn, amount=f"{paise:013d}", flag="1", transaction_reference=reference
    )


def header_line(paise: int, items: int, settled: str = "05012026") -> str:
    """The header record."""
    header = fixed(
        NPCI_HEADER_FIELDS, total_amount=f"{paise:013d}", settlement_date=settled, item_count=f"{items:09d}"
    )
    return "56" + header[2:]


def is_protected(content: bytes) -> bool:
    """Whether a workbook asks for a password."""
    return bool(msoffcrypto.OfficeFile(io.BytesIO(content)).is_encrypted())
