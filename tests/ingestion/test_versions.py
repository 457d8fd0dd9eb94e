"""A corrected resend under the same name: no row twice, none un-posted, none forgotten."""

from typing import Any

import pytest

from tests.ingestion.files import BUCKET, GB_PREFIX, RUN, Loads, debit, gb_csv
from turno_lms.domain.keys import posting_key, source_key
from turno_lms.domain.states import FileError
from turno_lms.ingestion.files import find_new_files
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.umrn import load_umrn_rows
from turno_lms.lenders.schema import Thresholds
from turno_lms.warehouse.connection import WarehouseConnection

STATES = "select state, superseded_by, rows_superseded from raw.raw_s3_file_processing_log order by file_id"
RAW = "select payment_id, amount, _file_id, _row_number from raw.raw_payment_file order by _file_id, _row_number"
SET_ASIDE = """
select row_number, disposition, reason_code, rule from raw.raw_rejected_records where file_id = %s order by row_number
"""
QUESTIONS = """
select subject, amount::text, state, detail ->> 'change' as change, detail ->> 'posting' as posting
from core.core_recon_exception where kind = 'superseded_row' order by exception_id
"""
KEY = f"{GB_PREFIX}a.csv"
OTHER = "UTIB7000100235000001"


def blank(**cells: str) -> tuple[str, ...]:
    return debit(reference="", **cells)


def freeze(warehouse: WarehouseConnection, reference: str, loan_id: str, outcome: str | None = None) -> str:
    """Give a row a posting key and perhaps an outcome, as the identity step and the posting do."""
    from datetime import date

    key = posting_key(source_key("gb", loan_id, date(2026, 1, 5), "5499.00"))
    with warehouse.transaction():
        warehouse.execute(
            "insert into core.core_payment_identity (native_reference, posting_key, source_key, occurrence, lender, loan_id,"
            " business_date, amount, stream, channel, matched_by, is_posting_channel) values"
            " (%s, %s, %s, 1, 'gb', %s, '2026-01-05', 5499, 'nach_debits', 'file:nach_response', 'first_sight', true)",
            (reference, key, key, loan_id),
        )
        if outcome:
            warehouse.execute(
                "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date,"
                " amount, attempts, processed_by_run) values (%s, %s, 'gb', %s, '2026-01-05', 5499, 1, 'r')",
                (key, outcome, loan_id),
            )
    return key


def test_a_resend_replaces_the_version_before_and_loads_only_what_is_new(loads: Loads) -> None:
    first = loads.gb(gb_csv(debit(), blank(umrn=OTHER)))
    second = loads.gb(gb_csv(debit(), blank(umrn=OTHER), debit(reference="T2")))
    # T1 by its reference, the other row by all it says: 2 of 3 are duplicates
    assert loads.counts(second) == (3, 1, 0, 2, 0)
    assert loads.rows(STATES) == [("superseded", second.file_id, None), ("loaded", None, 0)]
    assert loads.rows(SET_ASIDE, second.file_id) == [
        (5, "duplicate", "duplicate_of_earlier_file", "references.earlier_files"),
        (6, "duplicate", "duplicate_of_earlier_file", "versions.same_row"),
    ]
    assert [row[:2] for row in loads.rows(RAW)] == [("T1", "5499.00"), (None, "5499.00"), ("T2", "5499.00")]
    assert loads.rows(QUESTIONS) == []
    assert first.state == "loaded"


def test_of_rows_without_reference_as_many_are_known_as_the_version_before_had(loads: Loads) -> None:
    """Two alike were loaded; of three alike in the resend one is new."""
    loads.gb(gb_csv(blank(), blank()))
    assert loads.counts(loads.gb(gb_csv(blank(), blank(), blank()))) == (3, 1, 0, 2, 0)
    assert loads.rows("select count(*) from raw.raw_payment_file") == [(3,)]


def test_a_third_version_is_compared_with_all_before(loads: Loads) -> None:
    loads.gb(gb_csv(blank()))
    loads.gb(gb_csv(blank(), blank(umrn=OTHER)))
    third = loads.gb(gb_csv(blank(umrn=OTHER), blank(), debit(reference="T3")))
    assert loads.counts(third) == (3, 1, 0, 2, 0)
    assert [row[0] for row in loads.rows(STATES)] == ["superseded", "superseded", "loaded"]


def test_a_reference_that_a_correction_adds_or_loses_makes_no_new_money(loads: Loads) -> None:
    loads.gb(gb_csv(blank(), debit(umrn=OTHER, reference="T2")))
    second = loads.gb(gb_csv(debit(reference="T1"), blank(umrn=OTHER)))
    assert loads.counts(second) == (2, 0, 0, 2, 0)
    assert loads.rows(QUESTIONS) == []


def test_a_row_that_the_resend_lacks_is_an_exception_and_stays(loads: Loads) -> None:
    loads.gb(gb_csv(debit(), debit(umrn=OTHER, reference="T2")))
    second = loads.gb(gb_csv(debit(umrn=OTHER, reference="T2")))
    assert (second.rows_superseded, second.paise_superseded) == (1, 549_900)
    assert loads.rows(QUESTIONS) == [("file:gb:nach_response:T1", "5499.00", "open", "missing", None)]
    assert loads.rows("select count(*) from raw.raw_payment_file") == [(2,)]


def test_a_posted_row_that_the_resend_lacks_is_named_with_its_posting_key(
    warehouse: WarehouseConnection, loads: Loads
) -> None:
    load_umrn_rows(
        loads.conn,
        [{"umrn": debit()[1], "loan_id": "GB100234", "lender": "gb", "valid_from": "2025-01-01"}],
        RUN,
    )
    loads.conn.commit()
    loads.gb(gb_csv(debit()))
    key = freeze(warehouse, "file:gb:nach_response:T1", "GB100234", "posted")
    loads.gb(gb_csv(debit(umrn=OTHER, reference="T2")))
    assert loads.rows(QUESTIONS) == [("file:gb:nach_response:T1", "5499.00", "open", "missing", "posted")]
    assert loads.rows("select detail ->> 'posting_key' as key, loan_id from core.core_recon_exception") == [
        (key, "GB100234")
    ]
    assert loads.rows("select kind, subject from core.core_change_log where kind = 'reconciliation'") == [
        ("reconciliation", key)
    ]
    assert loads.rows("select outcome from core.core_transaction_data_processed") == [("posted",)]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (debit(amount="5,000.00"), "reference_reused"),
        (debit(amount="5,000.00", reference="T9"), "changed_since_loaded"),
        (debit(day="06/01/2026", reference=""), "changed_since_loaded"),
    ],
    ids=["same reference, other amount", "other reference, other amount", "no reference, other date"],
)
def test_a_row_changed_in_the_resend_is_never_a_second_payment(
    loads: Loads, changed: tuple[str, ...], reason: str
) -> None:
    """The loaded row is put in question, and what stands in its place waits as a reject: neither is forgotten."""
    loads.gb(gb_csv(debit()))
    second = loads.gb(gb_csv(changed))
    assert loads.counts(second) == (1, 0, 0, 0, 1)
    assert [row[2] for row in loads.rows(SET_ASIDE, second.file_id)] == [reason]
    assert loads.rows(QUESTIONS) == [("file:gb:nach_response:T1", "5499.00", "open", "changed", None)]
    assert loads.rows("select amount from raw.raw_payment_file") == [("5499.00",)]


def test_a_row_that_comes_back_clears_its_exception(loads: Loads) -> None:
    loads.gb(gb_csv(debit(), debit(umrn=OTHER, reference="T2")))
    loads.gb(gb_csv(debit()))
    third = loads.gb(gb_csv(debit(), debit(umrn=OTHER, reference="T2"), debit(umrn="X1", reference="T3")))
    assert loads.counts(third) == (3, 1, 0, 2, 0)
    assert [row[2] for row in loads.rows(QUESTIONS)] == ["cleared"]


def test_bytes_that_come_back_are_the_current_version_again(loads: Loads) -> None:
    """A, then B, then A again: A's rows stand, B's own row is in question, and nothing is loaded twice."""
    first_bytes, second_bytes = gb_csv(debit()), gb_csv(debit(umrn=OTHER, reference="T2"))
    first, second = loads.gb(first_bytes), loads.gb(second_bytes)
    assert find_new_files(loads.conn, loads.s3, BUCKET, loads.lenders["gb"]) == []
    loads.s3.put_object(Bucket=BUCKET, Key=KEY, Body=first_bytes)
    (file,) = find_new_files(loads.conn, loads.s3, BUCKET, loads.lenders["gb"])
    again = loads.ingest(file)
    assert (again.file_id, again.state, again.superseded_by) == (first.file_id, "loaded", None)
    assert [row[:2] for row in loads.rows(STATES)] == [("loaded", None), ("superseded", first.file_id)]
    assert [(row[0], row[2]) for row in loads.rows(QUESTIONS)] == [
        ("file:gb:nach_response:T1", "cleared"),
        ("file:gb:nach_response:T2", "open"),
    ]
    assert [row[0] for row in loads.rows(RAW)] == ["T1", "T2"]
    assert second.file_id != first.file_id


def test_a_superseded_version_asked_for_late_is_left_alone(loads: Loads) -> None:
    old = loads.put(KEY, gb_csv(debit()))
    loads.ingest(old)
    new = loads.gb(gb_csv(debit(), debit(umrn=OTHER, reference="T2")))
    assert (loads.ingest(old).state, loads.ingest(old).superseded_by) == ("superseded", new.file_id)


def test_a_version_that_is_loaded_after_a_newer_one_is_refused(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its load broke off, and the correction came first: the old content must not replace the new."""
    from turno_lms.ingestion import load

    old = loads.put(KEY, gb_csv(debit()))
    with monkeypatch.context() as patch, pytest.raises(OSError, match="broken"):
        patch.setattr(load, "check_tie", _breaks)
        loads.ingest(old)
    new = loads.gb(gb_csv(debit(umrn=OTHER, reference="T2")))
    with pytest.raises(FileRefusedError) as caught:
        loads.ingest(old)
    assert caught.value.code is FileError.NEWER_VERSION_LOADED
    assert loads.rows(STATES) == [("refused", new.file_id, None), ("loaded", None, None)]
    assert [row[0] for row in loads.rows(RAW)] == ["T2"]


def _breaks(*_: Any) -> None:
    raise OSError("broken")


def test_a_key_overwritten_with_the_bytes_of_another_file_puts_its_rows_in_question(loads: Loads) -> None:
    loads.gb(gb_csv(debit()), "a.csv")
    other = gb_csv(debit(umrn=OTHER, reference="T2"))
    loads.gb(other, "b.csv")
    again = loads.gb(other, "a.csv")
    assert (again.state, again.rows_superseded) == ("same_content", 1)
    assert [row[0] for row in loads.rows(STATES)] == ["superseded", "loaded", "same_content"]
    assert loads.rows(QUESTIONS) == [("file:gb:nach_response:T1", "5499.00", "open", "missing", None)]
    assert [row[0] for row in loads.rows(RAW)] == ["T1", "T2"]


def test_a_refused_version_is_marked_when_its_correction_is_loaded(loads: Loads) -> None:
    with pytest.raises(FileRefusedError):
        loads.gb(b"")
    second = loads.gb(gb_csv(debit()))
    assert loads.rows(STATES) == [("refused", second.file_id, None), ("loaded", None, None)]


def mapped(loads: Loads, **changes: Any) -> Loads:
    """The same loads under a mapping of GB with some keys of its file kind changed."""
    from dataclasses import replace

    gb = loads.lenders["gb"]
    kind = gb.files["nach_response"].model_copy(update=changes)
    return replace(loads, lenders={"gb": gb.model_copy(update={"files": {"nach_response": kind}})})


def test_a_lender_that_reuses_names_sends_another_file_each_time(loads: Loads) -> None:
    reusing = mapped(loads, same_name="adds")
    reusing.gb(gb_csv(blank()))
    second = reusing.gb(gb_csv(blank(day="06/01/2026")))
    assert loads.counts(second) == (1, 1, 0, 0, 0)
    assert loads.rows(STATES) == [("loaded", None, None), ("loaded", None, None)]
    assert loads.rows(QUESTIONS) == []


@pytest.mark.parametrize(
    ("thresholds", "state", "warned"),
    [
        ({"reject_percent": 20}, "loaded", False),
        ({"reject_percent": 20, "warn_percent": 9}, "loaded", True),
        ({"reject_percent": 20, "warn_percent": 10}, "loaded", False),
        ({"reject_percent": 20, "warn_rupees": 299}, "loaded", True),
        ({"reject_percent": 20, "warn_rupees": 300}, "loaded", False),
        ({"reject_percent": 20, "reject_rupees": 300}, "loaded", False),
        ({"reject_percent": 20, "reject_rupees": 299}, "halted", False),
        ({"reject_percent": 9}, "halted", False),
    ],
)
def test_rejects_above_a_level_warn_or_halt(
    loads: Loads, thresholds: dict[str, int], state: str, warned: bool
) -> None:
    """1 of 10 rows is rejected, worth 300.00."""
    with_levels = mapped(loads, thresholds=Thresholds(**thresholds))
    rows = [debit(reference=f"T{number}") for number in range(9)]
    content = gb_csv(*rows, debit(amount="300.00", day="8 January", reference="B1"))
    if state == "halted":
        with pytest.raises(FileRefusedError, match="1 of 10 rows are rejected, above the limit"):
            with_levels.gb(content)
    else:
        report = with_levels.gb(content)
        assert (report.warning is not None) == warned
        assert not warned or "1 of 10 rows are rejected, worth 300.00 rupees" in (report.warning or "")
    assert loads.rows(STATES) == [(state, None, None)]
