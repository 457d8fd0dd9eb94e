"""The quick way into RAW and the long one end alike, and the quick one gives way where a second look is needed."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.ingestion.files import RUN, UMRN, Loads, debit, gb_csv
from tests.ingestion.test_conservation import lines, never_halting
from turno_lms.ingestion import load
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.umrn import load_umrn_rows

PAYMENTS = """
select _row_number, loan_id, _umrn, amount, date, status, charge, note, payment_id, sub_reference_id, source_file, lender,
    _kind, _mapping_version
from raw.raw_payment_file order by _row_number
"""
REJECTS = """
select row_number, disposition, reason_code, rule, field, message, amount_paise, raw_text, mapping_version
from raw.raw_rejected_records order by row_number
"""
LOG = """
select state, rows_layout, rows_read, rows_accepted, rows_filtered, rows_duplicate, rows_rejected, rows_amount_unreadable,
    paise_read, paise_accepted, paise_filtered, paise_duplicate, paise_rejected
from raw.raw_s3_file_processing_log
"""
# the mandates go too: they name the file they come from
EMPTY = "truncate raw.raw_payment_file, raw.raw_rejected_records, raw.raw_s3_file_processing_log cascade"
MANDATES = [
    {
        "umrn": UMRN,
        "loan_id": "GB100234",
        "lender": "gb",
        "valid_from": "01/12/2025",
        "valid_to": "05/01/2026",
    },
    {"umrn": UMRN, "loan_id": "GB100235", "lender": "gb", "valid_from": "06/01/2026", "valid_to": ""},
]


def stored(loads: Loads) -> tuple[list[tuple[Any, ...]], ...]:
    return loads.rows(PAYMENTS), loads.rows(REJECTS), loads.rows(LOG)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=lines)
def test_both_ways_store_the_same(loads: Loads, warehouse: Any, rows: list[tuple[str, ...]]) -> None:
    patient, content = never_halting(loads), gb_csv(*rows)
    found = []
    for quick in (True, False):
        load_umrn_rows(loads.conn, MANDATES, RUN)
        with pytest.MonkeyPatch.context() as patch:
            if not quick:
                patch.setattr(load, "load_directly", lambda *_: None)
            patient.gb(content)
        found.append(stored(loads))
        warehouse.execute(EMPTY)
        warehouse.commit()
    assert found[0] == found[1]


def test_a_mandate_names_the_loan_of_the_payment_date(loads: Loads) -> None:
    load_umrn_rows(loads.conn, MANDATES, RUN)
    loads.gb(
        gb_csv(
            debit(),
            debit(day="06/01/2026", reference="T2"),
            debit(umrn="UTIB7000100777000001", reference="T3"),
        )
    )
    assert [(row[1], row[4]) for row in loads.rows(PAYMENTS)] == [
        ("GB100234", "2026-01-05"), ("GB100235", "2026-01-06"), (None, "2026-01-05"),
    ]  # fmt: skip


def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which ways a load tries, in order."""
    taken: list[str] = []
    for name in ("load_directly", "stage_file"):
        monkeypatch.setattr(load, name, _noting(taken, name, getattr(load, name)))
    return taken


def _noting(taken: list[str], name: str, way: Any) -> Any:
    def noting(*arguments: Any) -> Any:
        taken.append(name)
        return way(*arguments)

    return noting


def test_a_reference_that_is_loaded_already_takes_the_long_way_and_nothing_is_left_of_the_quick_one(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads.gb(gb_csv(debit(reference="T1")), "1.csv")
    taken = ways(monkeypatch)
    loads.gb(gb_csv(debit(reference="T2")), "2.csv")
    assert taken == ["load_directly"]
    report = loads.gb(
        gb_csv(debit(reference="T3"), debit(reference="T1"), debit(status="Failed", reference="T4")), "3.csv"
    )
    assert taken == ["load_directly", "load_directly", "stage_file"]
    assert loads.counts(report) == (3, 1, 1, 1, 0)
    assert len(loads.rows(PAYMENTS)) == 3


def test_a_file_with_too_many_rejects_leaves_nothing_but_its_rejects(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = ways(monkeypatch)
    with pytest.raises(FileRefusedError, match="above the limit"):
        loads.gb(gb_csv(debit(), debit(day="8 January", reference="T2")))
    assert taken == ["load_directly", "stage_file"]
    assert (loads.rows(PAYMENTS), len(loads.rows(REJECTS))) == ([], 1)
