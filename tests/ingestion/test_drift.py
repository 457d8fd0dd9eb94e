"""Headings are held against those of the file loaded last: a change is refused, told, and taken by a change of the YAML."""

from typing import Any

import pytest

from tests.ingestion.files import GB_HEADINGS, GB_PREFIX, GB_TITLES, RUN, Loads, csv_text, debit, gb_csv
from turno_lms.domain.states import FileError
from turno_lms.ingestion.drift import LastFile, check_drift
from turno_lms.ingestion.files import describe_file
from turno_lms.ingestion.load import FileReport, ingest_file
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import Headings
from turno_lms.lenders.schema import FileKind, Lender

WITH_BRANCH = (*GB_HEADINGS, "Branch")
LAST = "select key, headings from raw.raw_s3_file_processing_log where headings is not null order by file_id"


def file_of(headings: tuple[str, ...], reference: str) -> bytes:
    """A file of GB's with these headings; a column more holds `x`."""
    cells = (*debit(reference=reference), *["x"] * (len(headings) - len(GB_HEADINGS)))
    return csv_text([*GB_TITLES, headings, cells]).encode()


def refused(loads: Loads, content: bytes, name: str) -> FileRefusedError:
    with pytest.raises(FileRefusedError) as caught:
        loads.gb(content, name)
    return caught.value


def ignoring(lender: Lender, *headings: str) -> Lender:
    """GB's mapping after the suggested change."""
    kind = lender.files["nach_response"].model_copy(update={"ignored_headings": headings})
    return lender.model_copy(update={"files": {**lender.files, "nach_response": kind}})


def ingest_as(loads: Loads, lender: Lender, name: str) -> FileReport:
    file = describe_file(loads.s3, loads.bucket, lender, GB_PREFIX + name)
    return ingest_file(loads.conn, loads.s3, lender, file, RUN)


def test_a_new_column_is_refused_until_the_mapping_says_it_is_of_no_account(loads: Loads) -> None:
    loads.gb(gb_csv(debit()), "1.csv")
    refusal = refused(loads, file_of(WITH_BRANCH, "T2"), "2.csv")
    assert refusal.code is FileError.HEADINGS_CHANGED
    assert f"those of the last file, {GB_PREFIX}1.csv: 'Branch' is new. " in refusal.message
    assert 'files: { nach_response: { ignored_headings: ["Branch"] } }' in refusal.message
    assert loads.rows("select count(*) from raw.raw_payment_file") == [(1,)]
    # nothing was changed by itself: it is refused again, and loaded once a person has changed the mapping
    assert refused(loads, file_of(WITH_BRANCH, "T2"), "2.csv").code is FileError.HEADINGS_CHANGED
    told = ignoring(loads.lenders["gb"], "Branch")
    assert ingest_as(loads, told, "2.csv").state == "loaded"
    # what is ignored may go again
    loads.put(f"{GB_PREFIX}3.csv", gb_csv(debit(reference="T3")))
    assert ingest_as(loads, told, "3.csv").state == "loaded"
    assert [(key[-5:], len(headings)) for key, headings in loads.rows(LAST)] == [
        ("1.csv", 8), ("2.csv", 9), ("3.csv", 8),
    ]  # fmt: skip


def test_a_renamed_column_that_is_mapped_is_told_with_what_changed_since_the_last_file(loads: Loads) -> None:
    loads.gb(gb_csv(debit()), "1.csv")
    headings = tuple(
        {"Settlement Date": "Settled On", "Sr. No.": "S.No."}.get(text, text) for text in GB_HEADINGS
    )
    refusal = refused(loads, file_of(headings, "T2"), "2.csv")
    assert refusal.code is FileError.MISSING_COLUMN
    assert f"Since the last file, {GB_PREFIX}1.csv: 'Sr. No.' is now 'S.No.'; " in refusal.message
    assert "'Settlement Date' is " in refusal.message


def test_the_order_of_columns_and_the_way_headings_are_written_are_no_change(loads: Loads) -> None:
    loads.gb(gb_csv(debit()), "1.csv")
    turned = csv_text([tuple(text.upper() for text in GB_HEADINGS[::-1]), debit(reference="T2")[::-1]])
    assert loads.gb(turned.encode(), "2.csv").state == "loaded"


def test_only_a_loaded_file_is_one_to_be_held_against(loads: Loads) -> None:
    loads.gb(gb_csv(debit()), "1.csv")
    refused(loads, file_of(WITH_BRANCH, "T2"), "2.csv")
    assert loads.gb(gb_csv(debit(reference="T3")), "3.csv").state == "loaded"


def kind_with(**columns: Any) -> FileKind:
    return FileKind.model_validate(
        {
            "s3": {"prefix": "lenders/sample/x/", "pattern": "*.csv"},
            "schedule": "0 9 * * *",
            "format": {"type": "csv"},
            "columns": {
                "loan_id": {"type": "loan_id", "heading": "Loan"},
                "amount": {"type": "amount", "heading": ["Amount", "Paid"]},
                "date": {"type": "date", "heading": "Date", "formats": ["%Y-%m-%d"]},
                **columns,
            },
            "thresholds": {"reject_percent": 10},
        }
    )


@pytest.mark.parametrize(
    ("last", "now", "told"),
    [
        (("Loan", "Amount", "Date"), ("Loan", "Paid", "Date"), None),  # another alias of a mapped column
        (("Loan", "Amount", "Date", "Zone"), ("Loan", "Amount", "Date"), "'Zone' is gone"),
        (("Loan", "Amount", "Date", "Zone"), ("Loan", "Amount", "Date", "Zones"), "'Zone' is now 'Zones'"),
        (("Loan", "Amount", "Date", "X", "X"), ("Loan", "Amount", "Date", "X"), "'X' is gone"),
        (("Loan", "Amount", "Date", ""), ("Loan", "Amount", "Date", "", "", ""), None),
    ],
)
def test_what_counts_as_a_change(last: tuple[str, ...], now: tuple[str, ...], told: str | None) -> None:
    check(kind_with(), last, now, told)


def test_a_column_taken_by_position_may_not_stand_under_another_heading() -> None:
    kind = kind_with(note={"type": "text", "position": 4, "required": False})
    last, now = ("Loan", "Amount", "Date", "Mode", "Zone"), ("Loan", "Amount", "Date", "Zone", "Mode")
    check(kind, last, last, None)
    check(kind, last, now, "column 4, taken for note, stood under 'Mode' and stands under 'Zone'")


def check(kind: FileKind, last: tuple[str, ...], now: tuple[str, ...], told: str | None) -> None:
    headings = Headings(1, now, {}, {}, len(now))
    if told is None:
        check_drift(headings, LastFile("last.csv", last), kind, "x", "now.csv")
        return
    with pytest.raises(FileRefusedError) as caught:
        check_drift(headings, LastFile("last.csv", last), kind, "x", "now.csv")
    assert told in caught.value.message
