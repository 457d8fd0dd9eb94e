"""The UMRN master: history, conflicts, and every row that cannot be taken kept with its reason."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingestion.files import BUCKET, RUN, UMRN, Loads, csv_text
from turno_lms.domain.states import FileError
from turno_lms.ingestion.load import FileRefusedError, FileReport
from turno_lms.ingestion.mandates import Mandate, MandateError, MandateHistory, by_start
from turno_lms.ingestion.umrn import find_new_umrn_files, load_umrn_file, load_umrn_rows

KEY = "umrn/master.csv"
HEADINGS = ("umrn", "loan_id", "lender", "valid_from", "valid_to")
MASTER = (
    "select umrn, loan_id, lender, valid_from::text, valid_to::text from raw.raw_umrn_master order by 1, 4"
)
CHANGED = "select subject from core.core_change_log where kind = 'umrn' order by change_id"
OTHER = "UTIB7000100235000001"


def load(
    loads: Loads, *rows: tuple[str, ...], headings: tuple[str, ...] = HEADINGS, key: str = KEY
) -> FileReport:
    loads.s3.put_object(Bucket=BUCKET, Key=key, Body=csv_text([headings, *rows]).encode())
    return load_umrn_file(loads.conn, loads.s3, BUCKET, key, RUN)


def test_a_new_mapping_closes_the_earlier_one(loads: Loads) -> None:
    load(loads, (UMRN, "gb100234", "GB", "2025-12-01", ""))
    report = load(
        loads,
        (UMRN, "GB100777", "gb", "2026-01-13", ""),
        (OTHER, "GB100235", "gb", "2026-01-01", "2026-06-30"),
    )
    assert loads.rows(MASTER) == [
        (UMRN, "GB100234", "gb", "2025-12-01", "2026-01-12"),
        (UMRN, "GB100777", "gb", "2026-01-13", None),
        (OTHER, "GB100235", "gb", "2026-01-01", "2026-06-30"),
    ]
    assert loads.counts(report) == (2, 2, 0, 0, 0)
    assert loads.rows(CHANGED) == [(UMRN,), (UMRN,), (OTHER,)]


def test_a_file_that_is_uploaded_again_changes_nothing(loads: Loads) -> None:
    rows = ((UMRN, "GB100234", "gb", "2025-12-01", ""), (UMRN, "GB100777", "gb", "2026-01-13", ""))
    load(loads, *rows)
    before = loads.rows(MASTER)
    assert load(loads, *rows).state == "loaded"  # the very version: its report
    assert load(loads, *rows, key="umrn/copy.csv").state == "same_content"
    assert loads.counts(load(loads, *reversed(rows), key="umrn/sorted.csv")) == (2, 2, 0, 0, 0)
    assert loads.rows(MASTER) == before
    assert loads.rows(CHANGED) == [(UMRN,)]


def test_a_period_that_has_ended_is_closed_by_saying_so(loads: Loads) -> None:
    load(loads, (UMRN, "GB100234", "gb", "2025-12-01", ""))
    load(loads, (UMRN, "GB100234", "gb", "2025-12-01", "2026-01-31"))
    assert loads.rows(MASTER) == [(UMRN, "GB100234", "gb", "2025-12-01", "2026-01-31")]


def test_rows_that_cannot_be_taken_are_kept_with_their_reason(loads: Loads) -> None:
    report = load(
        loads,
        (UMRN, "GB100234", "gb", "2025-12-01", ""),
        ("5.02E+13", "GB100235", "gb", "2025-12-01", ""),
        (OTHER, "", "gb", "2025-12-01", ""),
        (OTHER, "GB100236", "nobody", "2025-12-01", ""),
        (OTHER, "GB100237", "gb", "1st December", ""),
        (OTHER, "GB100238", "gb", "2025-12-01", "2025-11-30"),
        (UMRN, "GB100777", "gb", "2025-12-01", ""),
        (OTHER,),
    )
    assert loads.counts(report) == (8, 1, 0, 0, 7)
    kept = loads.rows(
        "select row_number, reason_code, field, message, raw_text from raw.raw_rejected_records order by 1"
    )
    assert [row[:3] for row in kept] == [
        (3, "bad_umrn", "umrn"), (4, "missing_value", "loan_id"), (5, "bad_value", "lender"), (6, "bad_date", "valid_from"),
        (7, "bad_date", "valid_to"), (8, "bad_value", "valid_from"), (9, "missing_value", "loan_id"),
    ]  # fmt: skip
    assert "there are axle, gb, ugro" in kept[2][3]
    assert kept[5][3] == (
        f"{UMRN} stands for loan GB100234 of gb from 2025-12-01 to today and after; end that period first"
    )
    assert kept[5][4] == f"{UMRN},GB100777,gb,2025-12-01,"


@pytest.mark.parametrize(
    "headings",
    [
        ("UMRN No.", "Loan Account No", "Lender", "VALID FROM", "Valid To"),
        ("umrn", "loan_no", "lender", "Start Date", "END_DATE"),
    ],
)
def test_headings_may_be_written_in_several_ways(loads: Loads, headings: tuple[str, ...]) -> None:
    load(loads, (UMRN, "GB100234", "gb", "01/12/2025", "31-Jan-2026"), headings=headings)
    assert loads.rows(MASTER) == [(UMRN, "GB100234", "gb", "2025-12-01", "2026-01-31")]


def test_a_file_without_its_headings_is_refused(loads: Loads) -> None:
    with pytest.raises(FileRefusedError, match="none of the first 50 rows holds the headings UMRN") as caught:
        load(loads, (UMRN, "GB100234"), headings=("umrn", "loan_id"))
    assert caught.value.code is FileError.HEADING_NOT_FOUND
    assert loads.rows("select kind, state from raw.raw_s3_file_processing_log") == [
        ("umrn_master", "refused")
    ]


def test_new_files_are_found_until_they_are_loaded(loads: Loads) -> None:
    loads.s3.put_object(Bucket=BUCKET, Key="umrn/notes.txt", Body=b"not a master")
    loads.s3.put_object(Bucket=BUCKET, Key=KEY, Body=csv_text([HEADINGS]).encode())
    assert [file.key for file in find_new_umrn_files(loads.conn, loads.s3, BUCKET)] == [KEY]
    assert load(loads).state == "loaded_empty"
    assert find_new_umrn_files(loads.conn, loads.s3, BUCKET) == []


def test_rows_given_by_hand_are_taken_or_reported(loads: Loads) -> None:
    good: dict[str, Any] = {"umrn": UMRN, "loan_id": "GB100234", "lender": "gb", "valid_from": "2025-12-01"}
    report = load_umrn_rows(loads.conn, [good, good | {"umrn": ""}], RUN)
    assert report.changed == (UMRN,)
    assert [(refused.row_number, refused.reason, refused.field) for refused in report.rejected] == [
        (2, "missing_value", "umrn")
    ]
    assert loads.rows("select loaded_by_run, file_id from raw.raw_umrn_master") == [(RUN.label, None)]


days = st.integers(1, 20).map(lambda day: date(2026, 1, day))
periods = st.builds(
    lambda loan, start, length: Mandate(UMRN, loan, "gb", start, None if length is None else date.fromordinal(start.toordinal() + length)),
    st.sampled_from(["GB100001", "GB100002", "GB100003"]), days, st.one_of(st.none(), st.integers(0, 8)),
)  # fmt: skip


@given(rows=st.lists(periods, max_size=8))
def test_a_history_never_overlaps_and_a_second_pass_changes_nothing(rows: list[Mandate]) -> None:
    history, taken = MandateHistory(), []
    for _, mandate in by_start(enumerate(rows)):
        try:
            history.add(mandate)
            taken.append(mandate)
        except MandateError:
            continue
    kept = sorted(
        {mandate.valid_from: mandate for mandate in history.changed}.values(),
        key=lambda mandate: mandate.valid_from,
    )
    for first, second in zip(kept, kept[1:], strict=False):
        assert first.valid_to is not None
        assert first.valid_to < second.valid_from
    again = MandateHistory(kept)
    for mandate in kept:
        again.add(mandate)
        assert again.loan_on(UMRN, "gb", mandate.valid_from) == mandate.loan_id
    assert again.changed == []
