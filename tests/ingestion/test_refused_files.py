"""A file that cannot be taken as a whole: what is recorded, and what the operator is told."""

import io
import zipfile
from pathlib import Path

import pytest

from tests.ingestion.files import (
    GB_HEADINGS,
    GB_PREFIX,
    GB_TITLES,
    UGRO_HEADINGS,
    Loads,
    credit,
    csv_text,
    debit,
    gb_csv,
    ugro_xlsx,
    write,
)
from turno_lms.domain.states import FileError
from turno_lms.ingestion import readers
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.readers import open_table
from turno_lms.lenders.formats import CsvFormat
from turno_lms.lenders.registry import LenderRegistry
from turno_lms.lenders.schema import FileKind

UGRO_PREFIX = "lenders/ugro/repayment_statement/"
WITHOUT_AMOUNTS = tuple(heading for heading in GB_HEADINGS if not heading.startswith("Amount"))
WITHOUT_DATES = tuple("Paid On" if heading == "Payment Date" else heading for heading in UGRO_HEADINGS)
TWO_AMOUNTS = (*GB_HEADINGS[:7], "AMOUNT (Rs.)", GB_HEADINGS[7])


def empty_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/nothing.xml", "<nothing/>")
    return buffer.getvalue()


REFUSED = {
    "no bytes": (f"{GB_PREFIX}a.csv", b"", "empty_file", "is empty (0 bytes)"),
    "nothing but blank lines": (f"{GB_PREFIX}a.csv", b"\r\n , ,\r\n\r\n", "empty_file", "holds no text at all"),
    "a missing column": (
        f"{GB_PREFIX}a.csv", csv_text([*GB_TITLES, WITHOUT_AMOUNTS]).encode(), "missing_column",
        "row 4 holds the headings, but lacks Amount (Rs.). Headings found: Sr. No., UMRN, Settlement Date, Status",
    ),
    "a column that was renamed": (
        f"{UGRO_PREFIX}a.xlsx", ugro_xlsx(credit(), headings=WITHOUT_DATES), "missing_column",
        "sheet Repayments: row 3 holds the headings, but lacks Payment Date. Headings found: UMRN, Paid On",
    ),
    "another file altogether": (
        f"{GB_PREFIX}a.csv", csv_text([("Date", "UMRN", "Balance"), ("05/01/2026", "x", "1")]).encode(), "heading_not_found",
        "row 1 comes nearest with Date, UMRN, Balance. Is it a file of this kind?",
    ),
    "a heading that stands twice": (
        f"{GB_PREFIX}a.csv", csv_text([TWO_AMOUNTS]).encode(), "missing_column",
        "the heading of amount stands in columns 3 and 8 of row 1",
    ),
    "headings too far down": (
        f"{GB_PREFIX}a.csv", csv_text([("title",)] * 50 + [GB_HEADINGS]).encode(), "heading_not_found", "none of the first 50 rows",
    ),
    "the wrong delimiter": (
        f"{GB_PREFIX}a.csv", csv_text([GB_HEADINGS, debit()], delimiter=";").encode(), "heading_not_found", "none of the first 50 rows",
    ),
    "bytes that are no text": (f"{GB_PREFIX}a.csv", b"\xff\xfe\x00\xd8" * 40, "unreadable_file", "is not utf-8 text"),
    "a broken byte far down": (
        f"{GB_PREFIX}a.csv", gb_csv(debit()) + b"x" * 100_000 + b"\x80", "unreadable_file", "Was it sent in another encoding?",
    ),
    "a quote that is never closed": (
        f"{GB_PREFIX}a.csv", gb_csv(debit()) + b'1,"HDFC\r\n2,3\r\n', "unreadable_file", "Look for a quote that is never closed",
    ),
    "a cell that never ends": (
        f"{GB_PREFIX}a.csv", gb_csv(debit()) + b"x" * 200_000, "unreadable_file", "field larger than field limit",
    ),
    "a workbook that is text": (f"{UGRO_PREFIX}a.xlsx", gb_csv(debit()), "unreadable_file", "is no XLSX workbook"),
    "a workbook cut in half": (
        f"{UGRO_PREFIX}a.xlsx", ugro_xlsx(credit())[:3000], "unreadable_file", "is no XLSX workbook",
    ),
    "a zip that is no workbook": (f"{UGRO_PREFIX}a.xlsx", empty_zip(), "unreadable_file", "cannot be read as an XLSX workbook"),
    "a workbook without the sheet": (
        f"{UGRO_PREFIX}a.xlsx", ugro_xlsx(credit(), sheet="January"), "heading_not_found",
        "has no sheet Repayments; its sheets are Summary, January",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_file_is_recorded_with_a_readable_message_and_loads_nothing(
    loads: Loads, name: str
) -> None:
    key, content, code, words = REFUSED[name]
    with pytest.raises(FileRefusedError) as caught:
        loads.ingest(loads.put(key, content))
    assert (caught.value.code, words in caught.value.message) == (code, True), caught.value.message
    assert caught.value.message.startswith(key)
    ((state, error_code, message, finished),) = loads.rows(
        "select state, error_code, error_message, finished_at is not null from raw.raw_s3_file_processing_log"
    )
    assert (state, error_code, message, finished) == ("refused", code, caught.value.message, True)
    assert loads.rows("select count(*) from raw.raw_payment_file union all select count(*) from raw.raw_rejected_records") == [
        (0,), (0,),
    ]  # fmt: skip


def test_a_workbook_beyond_the_cap_is_refused_before_it_is_unpacked(
    lenders: LenderRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = lenders["ugro"].files["repayment_statement"]
    path = write(tmp_path, "a.xlsx", ugro_xlsx(credit()))
    monkeypatch.setattr(readers, "MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(FileRefusedError, match="the cap for workbooks; ask for CSV") as caught:
        open_table(path, kind, "a.xlsx")
    assert caught.value.code is FileError.UNREADABLE_FILE
    monkeypatch.setattr(readers, "MAX_WORKBOOK_BYTES", 100)
    with pytest.raises(FileRefusedError, match="is larger than"):
        open_table(path, kind, "a.xlsx")


def in_format(kind: FileKind, text_format: CsvFormat) -> FileKind:
    return kind.model_copy(update={"format": text_format})


@pytest.mark.parametrize(
    ("text_format", "content"),
    [
        (CsvFormat(type="csv"), b"\xef\xbb\xbf" + gb_csv(debit())),
        (CsvFormat(type="csv", encoding="utf-16"), gb_csv(debit()).decode().encode("utf-16")),
        (CsvFormat(type="csv", encoding="cp1252"), gb_csv(debit(amount="\u00a05,499.00\u00a0", reason="caf\u00e9")).decode().encode("cp1252")),
        (CsvFormat(type="csv", delimiter="|"), gb_csv(debit()).decode().replace(",", "|").replace('"5|499.00"', "5,499.00").encode()),
        (CsvFormat(type="csv"), gb_csv(debit()).replace(b"\r\n", b"\n")),
        (CsvFormat(type="csv"), gb_csv(debit()).rstrip(b"\r\n")),
        (CsvFormat(type="csv"), gb_csv(debit()).replace(b"Settlement Date", b"  SETTLEMENT \xc2\xa0 date ")),
    ],
    ids=["byte order mark", "utf-16", "cp1252 with no-break blanks", "bar", "unix lines", "no last line end", "odd headings"],
)  # fmt: skip
def test_what_a_text_file_may_look_like(
    lenders: LenderRegistry, tmp_path: Path, text_format: CsvFormat, content: bytes
) -> None:
    kind = in_format(lenders["gb"].files["nach_response"], text_format)
    table = open_table(write(tmp_path, "a.csv", content), kind, "a.csv")
    (chunk,) = table.chunks
    amount = chunk.rows[0][table.headings.positions["amount"]]
    assert (chunk.first_row, amount.strip("\u00a0")) == (5, "5,499.00")


def test_utf16_without_its_mark_or_text_in_another_encoding_is_refused(
    lenders: LenderRegistry, tmp_path: Path
) -> None:
    kind = lenders["gb"].files["nach_response"]
    path = write(tmp_path, "a.csv", gb_csv(debit(reason="caf\u00e9")).decode().encode("cp1252"))
    with pytest.raises(FileRefusedError, match="is not utf-8 text after record"):
        list(open_table(path, kind, "a.csv").chunks)


def test_without_a_named_sheet_the_first_with_the_headings_is_read(
    lenders: LenderRegistry, tmp_path: Path
) -> None:
    kind = lenders["ugro"].files["repayment_statement"]
    any_sheet = kind.model_copy(update={"format": kind.format.model_copy(update={"sheet": None})})
    (chunk,) = open_table(
        write(tmp_path, "a.xlsx", ugro_xlsx(credit(), sheet="January")), any_sheet, "a.xlsx"
    ).chunks
    assert (chunk.first_row, chunk.rows[0][0]) == (4, credit()[0])
