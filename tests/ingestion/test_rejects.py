"""A rejected row put right: through the same pipeline, under its own file and row number, once."""

from dataclasses import replace
from typing import Any

import pytest

from tests.ingestion.files import UMRN, Loads, debit, gb_csv
from tests.ingestion.test_replays import FILE, LOG, RAW, kinder, replay
from turno_lms.domain.runs import RunContext
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.rejects import Correction, FixReport, RejectError, discard, fix
from turno_lms.posting.proof import find_files_that_do_not_tie

ASHA = RunContext("resolve_rejected_rows", "test_run", actor="asha")
FATES = """
select row_number, fate, fate_reason, fate_by, corrected_text from raw.raw_rejected_records
where disposition = 'rejected' order by file_id, row_number
"""


def reject_of(loads: Loads, row_number: int, file_id: int = 1) -> int:
    query = "select reject_id from raw.raw_rejected_records where file_id = %s and row_number = %s"
    ((reject_id,),) = loads.rows(query, file_id, row_number)
    return int(reject_id)


def mend(loads: Loads, row_number: int, **correction: Any) -> FixReport:
    reject_id = reject_of(loads, row_number, correction.pop("file_id", 1))
    wanted = Correction(reject_id, **{"reason": "checked with the lender", **correction})
    return fix(loads.conn, loads.s3, loads.lenders["gb"], wanted, ASHA)


def test_a_corrected_cell_lands_under_the_row_of_its_reject(loads: Loads) -> None:
    loads.gb(FILE)
    report = mend(loads, 7, cells={"settlement date": "08/01/2026"})
    assert (report.row_number, report.amount, report.umrn) == (7, "300.00", UMRN)
    assert [row[:3] for row in loads.rows(RAW) if row[0] == 7] == [(7, "T3", "300.00")]
    assert loads.rows(FATES)[0] == (
        7, "replayed", "checked with the lender", "asha", f"1,{UMRN},300.00,08/01/2026,Success,,,T3",
    )  # fmt: skip
    # accepted 5649.00 + 300.00 of 6899.00 + 300.00 read... the totals are those of what is stored:
    # 5949.00 accepted + 1000.00 filtered + 250.00 rejected = 7199.00
    version = loads.lenders["gb"].mapping_version
    assert loads.rows(LOG) == [("loaded", 20, 17, 1, 0, 2, 719_900, 594_900, 1, version)]
    assert find_files_that_do_not_tie(loads.conn) == []


def test_an_amount_that_was_unreadable_counts_once_it_is_corrected(loads: Loads) -> None:
    loads.gb(FILE)
    mend(loads, 8, cells={"Amount (Rs.)": "1,200.00"})
    # 5649.00 + 1200.00 accepted, 7199.00 + 1200.00 read, no amount unreadable any more
    version = loads.lenders["gb"].mapping_version
    assert loads.rows(LOG) == [("loaded", 20, 17, 1, 0, 2, 839_900, 684_900, 0, version)]
    assert find_files_that_do_not_tie(loads.conn) == []


def test_a_whole_line_can_be_corrected(loads: Loads) -> None:
    fillers = [debit(reference=f"U{number}") for number in range(9)]
    loads.gb(gb_csv(("1", UMRN, "5,499.00"), *fillers))
    mend(loads, 5, line=f'1,{UMRN},"5,499.00",05/01/2026,Success,,,T1')
    assert [row[1] for row in loads.rows(RAW) if row[0] == 5] == ["T1"]


@pytest.mark.parametrize(
    ("correction", "words"),
    [
        ({"cells": {"Settlement Date": "31/02/2026"}}, "would still be rejected (bad_date): Settlement Date '31/02/2026'"),
        ({"cells": {"Settlement Date": "08/01/2026", "Status": "Returned"}}, "would still be filtered"),
        ({"cells": {"Settlement Date": "08/01/2026", "Transaction Reference": "T1"}}, "would still be rejected (reference_reused)"),
        ({"cells": {"Paid On": "08/01/2026"}}, "the heading 'Paid On' stands not in the file; its headings are Sr. No., UMRN"),
        ({"line": "Total,,\nTotal"}, "a correction is one line"),
        ({"line": "Total,,1.00,,,,,"}, "is no payment under this mapping"),
        ({"reason": " "}, "say why"),
    ],
)  # fmt: skip
def test_a_row_that_still_does_not_pass_is_refused_and_nothing_changes(
    loads: Loads, correction: dict[str, Any], words: str
) -> None:
    loads.gb(FILE)
    before = loads.rows(FATES), loads.rows(RAW), loads.rows(LOG)
    with pytest.raises(RejectError) as caught:
        mend(loads, 7, **correction)
    assert words in str(caught.value)
    assert (loads.rows(FATES), loads.rows(RAW), loads.rows(LOG)) == before


def test_a_row_is_put_right_once(loads: Loads) -> None:
    loads.gb(FILE)
    mend(loads, 7, cells={"Settlement Date": "08/01/2026"})
    with pytest.raises(RejectError, match="was replayed by asha: checked with the lender"):
        mend(loads, 7, cells={"Settlement Date": "09/01/2026"})
    with pytest.raises(RejectError, match="was replayed by asha"):
        discard(loads.conn, [reject_of(loads, 7)], ASHA, "no")
    assert len(loads.rows(RAW)) == 17


def test_a_replay_leaves_a_corrected_row_as_the_person_made_it(loads: Loads) -> None:
    """The person read 9 January; the kinder mapping reads row 7's own text as 8 January."""
    loads.gb(FILE)
    mend(loads, 7, cells={"Settlement Date": "09/01/2026"})
    report = replay(loads, kinder(loads))
    assert report.difference is not None
    assert report.difference.changed_rows == {"accepted": 1}  # row 9 alone
    assert loads.rows("select date from raw.raw_payment_file where _row_number = 7") == [("2026-01-09",)]


def test_discarding_is_a_mark_with_a_reason_and_a_person(loads: Loads) -> None:
    loads.gb(FILE)
    ids = [reject_of(loads, 7), reject_of(loads, 8)]
    assert discard(loads.conn, ids, ASHA, "the lender withdrew them") == 2
    assert [row[:4] for row in loads.rows(FATES)] == [
        (7, "discarded", "the lender withdrew them", "asha"),
        (8, "discarded", "the lender withdrew them", "asha"),
        (9, "open", None, None),
    ]
    assert find_files_that_do_not_tie(loads.conn) == []


def test_discarding_is_all_or_nothing(loads: Loads) -> None:
    loads.gb(FILE)
    with pytest.raises(RejectError, match="there is no reject 999"):
        discard(loads.conn, [reject_of(loads, 7), 999], ASHA, "why not")
    with pytest.raises(RejectError, match="is filtered by a rule"):
        discard(loads.conn, [reject_of(loads, 6)], ASHA, "why not")
    with pytest.raises(RejectError, match="say why"):
        discard(loads.conn, [reject_of(loads, 7)], ASHA, "  ")
    assert {row[1] for row in loads.rows(FATES)} == {"open"}


def test_a_row_in_the_place_of_an_earlier_one_is_loaded_when_a_person_says_it_is_other_money(
    loads: Loads,
) -> None:
    loads.gb(gb_csv(debit(reference="")))
    second = loads.gb(gb_csv(debit(reference="", day="06/01/2026")))
    with pytest.raises(RejectError, match="changed_since_loaded"):
        mend(loads, 5, file_id=second.file_id)
    mend(loads, 5, file_id=second.file_id, is_other_money=True)
    assert loads.rows("select date from raw.raw_payment_file order by date") == [
        ("2026-01-05",),
        ("2026-01-06",),
    ]


def test_a_row_of_a_superseded_file_is_not_corrected(loads: Loads) -> None:
    loads.gb(FILE)
    loads.gb(FILE + b"\r\n")
    with pytest.raises(RejectError, match="file 1 is superseded"):
        mend(loads, 7, cells={"Settlement Date": "08/01/2026"})


def test_rows_of_a_halted_file_are_not_settled_one_by_one(loads: Loads) -> None:
    """The next load of the file judges them anew: a mark on one of them would be forgotten with it."""
    with pytest.raises(FileRefusedError):
        loads.gb(gb_csv(debit(day="8 January")))
    with pytest.raises(RejectError, match="is halted, and no row of it is loaded"):
        discard(loads.conn, [reject_of(loads, 5)], ASHA, "why not")
    with pytest.raises(RejectError, match="is halted"):
        mend(loads, 5, cells={"Settlement Date": "08/01/2026"})


def test_a_workbook_s_row_is_corrected_by_its_cells(loads: Loads) -> None:
    from tests.ingestion.files import credit, ugro_xlsx

    rows = [credit(receipt=f"R{number}") for number in range(9)]
    key = "lenders/ugro/repayment_statement/a.xlsx"
    loads.ingest(loads.put(key, ugro_xlsx(credit(day="8 January", receipt="B1"), *rows)))
    wanted = Correction(reject_of(loads, 4), "mail of 9 January", cells={"Payment Date": "08-Jan-2026"})
    report = fix(loads.conn, loads.s3, loads.lenders["ugro"], wanted, replace(ASHA, actor="ravi"))
    assert report.amount == "123456.00"
    assert loads.rows("select date, payment_id from raw.raw_payment_file where _row_number = 4") == [
        ("2026-01-08", "B1")
    ]
