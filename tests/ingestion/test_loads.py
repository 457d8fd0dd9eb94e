"""A file version from S3 into RAW: all or nothing, once, and every step of it in the log."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ingestion.files import (
    BUCKET,
    GB_FIRST_ROW,
    GB_PREFIX,
    RUN,
    UMRN,
    Loads,
    axle_csv,
    debit,
    gb_csv,
    settled,
)
from turno_lms.domain.states import FileError
from turno_lms.ingestion import archive, load
from turno_lms.ingestion.files import LenderFile, find_new_files
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.tables import Chunk
from turno_lms.ingestion.transform import Judged, Transform
from turno_lms.ingestion.umrn import load_umrn_rows
from turno_lms.lenders.registry import LenderRegistry
from turno_lms.warehouse.connection import Role, connect

RAW = """
select loan_id, amount, date, status, note, payment_id, source_file, lender, _kind, _umrn, _row_number
from raw.raw_payment_file order by _file_id, _row_number
"""
SET_ASIDE = (
    "select row_number, disposition, reason_code, amount_paise from raw.raw_rejected_records order by 1"
)
STATES = "select key, state, error_code from raw.raw_s3_file_processing_log order by file_id"
OTHER_UMRN = "UTIB7000100235000001"


def refused(loads: Loads, file: LenderFile) -> FileRefusedError:
    with pytest.raises(FileRefusedError) as caught:
        loads.ingest(file)
    return caught.value


def test_rows_land_in_canonical_form_with_their_origin(loads: Loads) -> None:
    report = loads.gb(gb_csv(debit(reason="paid in\nfull")))
    key = f"{GB_PREFIX}a.csv"
    assert loads.rows(RAW) == [
        (None, "5499.00", "2026-01-05", "collected", "paid in full", "T1", key, "gb", "nach_response", UMRN, GB_FIRST_ROW)
    ]  # fmt: skip
    assert report.mapping_version == loads.lenders["gb"].mapping_version
    assert loads.rows(
        "select dag_id, dag_run_id, finished_at is not null from raw.raw_s3_file_processing_log"
    ) == [(RUN.dag_id, RUN.run_id, True)]


def test_every_row_and_rupee_is_accounted_for(loads: Loads) -> None:
    """Accepted 5499.00 + 2000.00; filtered 1000.00; duplicate 5499.00; rejected 300.00 and one unreadable amount."""
    report = loads.gb(
        gb_csv(
            debit(),
            debit(umrn=OTHER_UMRN, amount="2,000.00", reference="T2"),
            debit(amount="1,000.00", status="Returned", reference="T3"),
            debit(),
            debit(amount="300.00", day="8 January", reference="T4"),
            debit(amount="NIL", reference="T5"),
            *(debit(amount="1.00", reference=f"U{number}") for number in range(10)),
            below=[("Total", "", "14,298.00")],
        )
    )
    assert loads.counts(report) == (16, 12, 1, 1, 2)
    assert (report.rows_layout, report.rows_amount_unreadable) == (1, 1)
    # 5499 + 2000 + 10 x 1.00 = 7509.00 accepted; read 7509 + 1000 + 5499 + 300 = 14308.00
    assert (report.paise_read, report.paise_accepted) == (1_430_800, 750_900)
    assert (report.paise_filtered, report.paise_duplicate, report.paise_rejected) == (
        100_000,
        549_900,
        30_000,
    )
    assert loads.rows(SET_ASIDE) == [
        (7, "filtered", "filtered_by_rule", 100_000),
        (8, "duplicate", "duplicate_in_file", 549_900),
        (9, "rejected", "bad_date", 30_000),
        (10, "rejected", "bad_amount", None),
    ]


def test_the_loan_of_a_mandate_is_the_one_of_the_payment_date(loads: Loads) -> None:
    periods = [("GB100234", "2025-12-01", "2026-01-12"), ("GB100777", "2026-01-13", "")]
    mandates = [
        {"umrn": UMRN, "loan_id": loan, "lender": "gb", "valid_from": start, "valid_to": end}
        for loan, start, end in periods
    ]
    with loads.conn.transaction():
        load_umrn_rows(loads.conn, mandates, RUN)
    days = ("12/01/2026", "13/01/2026", "30/11/2025")
    loads.gb(gb_csv(*(debit(day=day, reference=day) for day in days), debit(umrn=OTHER_UMRN, reference="T9")))
    loans = "select loan_id, date from raw.raw_payment_file order by _row_number"
    assert loads.rows(loans) == [
        ("GB100234", "2026-01-12"), ("GB100777", "2026-01-13"), (None, "2025-11-30"), (None, "2026-01-05"),
    ]  # fmt: skip


def test_a_mandate_of_another_lender_resolves_nothing(loads: Loads) -> None:
    mandate = {"umrn": UMRN, "loan_id": "UGR200160", "lender": "ugro", "valid_from": "2025-12-01"}
    load_umrn_rows(loads.conn, [mandate], RUN)
    loads.conn.commit()
    loads.gb(gb_csv(debit()))
    assert loads.rows("select loan_id, _umrn from raw.raw_payment_file") == [(None, UMRN)]


def test_the_bytes_are_archived_under_their_sha256(loads: Loads) -> None:
    content = gb_csv(debit())
    loads.gb(content)
    archived = loads.s3.get_object(Bucket=BUCKET, Key=f"archive/{hashlib.sha256(content).hexdigest()}")
    assert archived["Body"].read() == content


def test_a_copy_that_is_not_the_version_is_replaced_by_its_bytes(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that copies what the key holds now, whatever version was asked for (as the stand-in does)."""
    file = loads.put(f"{GB_PREFIX}a.csv", content := gb_csv(debit()))
    original = archive.fetch

    def fetched_then_overwritten(*arguments: Any) -> Any:
        fetched = original(*arguments)
        loads.s3.put_object(Bucket=BUCKET, Key=file.key, Body=gb_csv(debit(reference="T2")))
        return fetched

    monkeypatch.setattr(archive, "fetch", fetched_then_overwritten)
    loads.ingest(file)
    archived = loads.s3.get_object(Bucket=BUCKET, Key=f"archive/{hashlib.sha256(content).hexdigest()}")
    assert archived["Body"].read() == content


def test_a_damaged_archive_is_not_read(loads: Loads) -> None:
    content = gb_csv(debit())
    report = loads.gb(content)
    key = f"archive/{hashlib.sha256(content).hexdigest()}"
    loads.s3.put_object(Bucket=BUCKET, Key=key, Body=content.replace(b"5,499.00", b"5,499.01"))
    row = {"bucket": BUCKET, "key": report.key, "etag": "", "sha256": key.removeprefix("archive/")}
    with pytest.raises(RuntimeError, match=f"{key} is damaged"):
        archive.fetch(loads.s3, row, Path(os.devnull))


def test_a_loaded_version_is_left_alone(loads: Loads) -> None:
    file = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit()))
    first = loads.ingest(file)
    assert loads.ingest(file) == first
    assert find_new_files(loads.conn, loads.s3, BUCKET, loads.lenders["gb"]) == []
    assert loads.rows("select count(*) from raw.raw_payment_file") == [(1,)]


def test_the_same_content_under_another_name_is_a_recorded_no_op(loads: Loads) -> None:
    first = loads.gb(gb_csv(debit()), "a.csv")
    again = loads.gb(gb_csv(debit()), "b.csv")
    assert (again.state, again.same_content_as) == ("same_content", first.file_id)
    assert loads.rows("select count(*) from raw.raw_payment_file") == [(1,)]


def test_the_same_content_from_another_lender_is_that_lender_s_file(loads: Loads) -> None:
    content = axle_csv(settled())
    file = loads.put("lenders/axle/razorpay_settlement/a.csv", content)
    loads.ingest(file)
    assert loads.gb(gb_csv(debit())).state == "loaded"


def test_new_content_under_the_same_name_is_a_new_version(loads: Loads) -> None:
    """A corrected resend: the row known already is a duplicate of the earlier file, the new one is loaded."""
    loads.gb(gb_csv(debit()))
    report = loads.gb(gb_csv(debit(), debit(reference="T2")))
    assert loads.counts(report) == (2, 1, 0, 1, 0)
    assert loads.rows("select payment_id, _row_number from raw.raw_payment_file order by 1") == [
        ("T1", 5),
        ("T2", 6),
    ]
    ((reason, message, raw_text, paise),) = loads.rows(
        "select reason_code, message, raw_text, amount_paise from raw.raw_rejected_records"
    )
    assert (reason, paise) == ("duplicate_of_earlier_file", 549_900)
    assert (
        message
        == f"reference T1 stands in row 5 of {GB_PREFIX}a.csv already, for the same loan, date and amount"
    )
    assert raw_text == f'1,{UMRN},"5,499.00",05/01/2026,Success,,,T1'


def test_a_reference_of_an_earlier_file_used_for_another_amount_is_rejected(loads: Loads) -> None:
    loads.gb(gb_csv(debit()), "a.csv")
    fillers = [debit(reference=f"U{number}") for number in range(4)]
    report = loads.gb(gb_csv(debit(amount="5,000.00"), *fillers), "b.csv")
    assert loads.counts(report) == (5, 4, 0, 0, 1)
    assert loads.rows(SET_ASIDE) == [(5, "rejected", "reference_reused", 500_000)]


@pytest.mark.parametrize("known_from_the_start", [True, False])
def test_a_duplicate_is_recognised_whenever_its_loan_became_known(
    loads: Loads, known_from_the_start: bool
) -> None:
    """The address is the mandate: whether its loan was known to the first load or not, the payment is the same."""
    mandate = {"umrn": UMRN, "loan_id": "GB100234", "lender": "gb", "valid_from": "2025-12-01"}
    if known_from_the_start:
        load_umrn_rows(loads.conn, [mandate], RUN)
    loads.conn.commit()
    loads.gb(gb_csv(debit()), "a.csv")
    load_umrn_rows(loads.conn, [mandate], RUN)
    loads.conn.commit()
    report = loads.gb(gb_csv(debit(), debit(reference="T2")), "b.csv")
    assert loads.counts(report) == (2, 1, 0, 1, 0)


def test_blank_references_of_two_files_are_never_equal(loads: Loads) -> None:
    loads.gb(gb_csv(debit(reference="")), "a.csv")
    assert loads.counts(loads.gb(gb_csv(debit(reference=""), debit(reference="NA")), "b.csv")) == (
        2,
        2,
        0,
        0,
        0,
    )


def test_a_halted_load_keeps_its_rejects_and_no_rows(loads: Loads) -> None:
    """3 of 10 rows are rejected, above GB's 20 percent."""
    bad = [debit(day="8 January", reference=f"B{number}") for number in range(3)]
    good = [debit(reference=f"G{number}") for number in range(7)]
    file = loads.put(f"{GB_PREFIX}a.csv", gb_csv(*bad, *good))
    error = refused(loads, file)
    assert error.code is FileError.TOO_MANY_REJECTS
    assert "3 of 10 rows are rejected, above the limit of 20 percent" in error.message
    assert loads.rows(STATES) == [(file.key, "halted", "too_many_rejects")]
    assert loads.rows(
        "select rows_read, rows_accepted, rows_rejected from raw.raw_s3_file_processing_log"
    ) == [(10, 0, 3)]
    assert loads.rows("select count(*) from raw.raw_payment_file") == [(0,)]
    assert [row[0] for row in loads.rows(SET_ASIDE)] == [5, 6, 7]


def test_at_the_threshold_itself_a_file_is_loaded(loads: Loads) -> None:
    """2 of 10 are 20 percent, not above it."""
    bad = [debit(day="8 January", reference=f"B{number}") for number in range(2)]
    good = [debit(reference=f"G{number}") for number in range(8)]
    assert loads.counts(loads.gb(gb_csv(*bad, *good))) == (10, 8, 0, 0, 2)


def test_a_halted_version_is_tried_again_only_when_asked_by_its_key(loads: Loads) -> None:
    file = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit(day="8 January")))
    refused(loads, file)
    assert find_new_files(loads.conn, loads.s3, BUCKET, loads.lenders["gb"]) == []
    refused(loads, file)
    assert [row[0] for row in loads.rows(SET_ASIDE)] == [5]


def test_a_file_without_rows_is_loaded_empty(loads: Loads) -> None:
    report = loads.gb(gb_csv(below=[("Total", "", "0.00")]))
    assert (report.state, report.rows_layout, loads.counts(report)) == ("loaded_empty", 1, (0, 0, 0, 0, 0))


def test_a_key_outside_the_mapping_is_refused(loads: Loads) -> None:
    error = refused(loads, loads.put("lenders/gb/other/a.csv", gb_csv(debit())))
    assert error.code is FileError.UNKNOWN_KIND
    assert "the mapping expects lenders/gb/nach_response/*.csv" in error.message


def test_a_missing_object_leaves_the_version_failed_and_the_next_run_takes_it_up(loads: Loads) -> None:
    file = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit()))
    loads.s3.delete_object(Bucket=BUCKET, Key=file.key)
    with pytest.raises(Exception, match="NoSuchKey"):
        loads.ingest(file)
    assert loads.rows(STATES) == [(file.key, "failed", None)]
    assert "NoSuchKey" in loads.rows("select error_message from raw.raw_s3_file_processing_log")[0][0]
    assert loads.put(file.key, gb_csv(debit())) == file
    assert find_new_files(loads.conn, loads.s3, BUCKET, loads.lenders["gb"]) == [file]
    assert loads.ingest(file).state == "loaded"


def test_a_version_overwritten_before_it_was_fetched_is_not_mistaken_for_the_new_one(loads: Loads) -> None:
    old = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit()))
    new = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit(reference="T2")))
    with pytest.raises(Exception, match="PreconditionFailed|412"):
        loads.ingest(old)
    assert loads.ingest(new).state == "loaded"
    assert loads.rows("select payment_id from raw.raw_payment_file") == [("T2",)]


class Stop(Exception):
    """Something of ours that breaks in the middle of a load."""


def test_an_archived_version_is_loaded_from_the_archive_though_its_key_is_overwritten(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit()))
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(load, "check_tie", raises(Stop))
        loads.ingest(file)
    assert loads.rows("select count(*) from raw.raw_payment_file union all select count(*) from raw.raw_rejected_records") == [
        (0,), (0,),
    ]  # fmt: skip
    loads.put(file.key, gb_csv(debit(reference="T2")))
    assert loads.ingest(file).state == "loaded"
    assert loads.rows("select payment_id from raw.raw_payment_file") == [("T1",)]


def raises(error: type[Exception]) -> Callable[..., Any]:
    def fail(*_: Any) -> None:
        raise error

    return fail


def drops_a_row(judged: Judged) -> Judged:
    return Judged(judged.read, judged.layout_rows, judged.accepted.head(-1), judged.set_aside)


def drops_rupees(judged: Judged) -> Judged:
    import polars as pl

    cheaper = judged.accepted.with_columns(pl.col("amount") - 1)
    return Judged(judged.read, judged.layout_rows, cheaper, judged.set_aside)


def forgets_a_reject(judged: Judged) -> Judged:
    return Judged(judged.read, judged.layout_rows, judged.accepted, judged.set_aside[1:])


def accepts_twice(judged: Judged) -> Judged:
    import polars as pl

    twice = pl.concat([judged.accepted, judged.accepted.head(1).with_columns(pl.col("row_number") + 1000)])
    return Judged(judged.read, judged.layout_rows, twice, judged.set_aside)


def loses_a_row_before_counting(judged: Judged) -> Judged:
    return Judged(drops_a_row(judged).read, judged.layout_rows - 1, judged.accepted, judged.set_aside)


@pytest.mark.parametrize(
    "fault", [drops_a_row, drops_rupees, forgets_a_reject, accepts_twice, loses_a_row_before_counting]
)
def test_a_transform_that_loses_or_makes_money_is_caught_and_nothing_is_loaded(
    loads: Loads, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Judged], Judged]
) -> None:
    honest = Transform.judge

    def faulty(self: Transform, chunk: Chunk) -> Judged:
        return fault(honest(self, chunk))

    monkeypatch.setattr(Transform, "judge", faulty)
    rows = [debit(reference=f"T{number}") for number in range(9)]
    file = loads.put(f"{GB_PREFIX}a.csv", gb_csv(*rows, debit(day="8 January"), below=[("Total",)]))
    assert refused(loads, file).code is FileError.DOES_NOT_TIE
    assert loads.rows(STATES) == [(file.key, "refused", "does_not_tie")]
    assert loads.rows("select count(*) from raw.raw_payment_file union all select count(*) from raw.raw_rejected_records") == [
        (0,), (0,),
    ]  # fmt: skip


def test_two_files_with_one_reference_loaded_at_once_accept_it_once(
    loads: Loads, warehouse_role_url: Callable[[str], str]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    names = [f"{number}.csv" for number in range(4)]
    files = [loads.put(GB_PREFIX + name, gb_csv(debit(), debit(reference=name))) for name in names]

    def ingest(file: LenderFile) -> str:
        with connect(warehouse_role_url(Role.INGESTION)) as conn:
            return Loads(conn, loads.s3, loads.lenders, BUCKET).ingest(file).state

    with ThreadPoolExecutor(len(files)) as pool:
        assert list(pool.map(ingest, files)) == ["loaded"] * len(files)
    assert loads.rows("select payment_id, count(*) from raw.raw_payment_file group by 1 order by 1") == [
        *((name, 1) for name in names), ("T1", 1),
    ]  # fmt: skip


def test_one_version_loaded_by_two_runs_at_once_is_loaded_once(
    loads: Loads, warehouse_role_url: Callable[[str], str]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    file = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit()))

    def ingest(_: int) -> int:
        with connect(warehouse_role_url(Role.INGESTION)) as conn:
            return Loads(conn, loads.s3, loads.lenders, BUCKET).ingest(file).file_id

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(ingest, range(3)))) == 1
    assert loads.rows("select count(*) from raw.raw_payment_file") == [(1,)]


def test_a_connection_inside_a_transaction_is_not_accepted(loads: Loads) -> None:
    file = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit()))
    loads.conn.execute("select 1")
    with pytest.raises(RuntimeError, match="without an open transaction"):
        loads.ingest(file)


def test_a_lender_that_was_not_applied_fails_with_what_to_do(
    warehouse_url: str, s3: Any, lenders: LenderRegistry
) -> None:
    with connect(warehouse_url) as conn:
        loads = Loads(conn, s3, lenders, BUCKET)
        with pytest.raises(LookupError, match="run `turno lenders apply`"):
            loads.gb(gb_csv(debit()))
        assert loads.rows(STATES) == [(f"{GB_PREFIX}a.csv", "failed", None)]
