"""Reading manual repayments: strictly, with line and field."""

from datetime import date
from decimal import Decimal

import pytest

from turno_lms.posting.manual_entries import EntryError, ManualEntry, Mode, read_csv, read_form

HEADING = "lender,loan_id,amount,date,mode,reference,note"
LINE = "gb,GB100001,5499.00,2026-01-05,neft,UTR1,counter"
ENTRY = ManualEntry("gb", "GB100001", Decimal("5499.00"), date(2026, 1, 5), Mode.NEFT, "UTR1", "counter")


def form(**values: object) -> dict[str, object]:
    single = dict(zip(HEADING.split(","), LINE.split(","), strict=True))
    return {**single, "csv": None, **values}


def test_a_form_is_one_entry_in_canonical_text() -> None:
    assert read_form(form()) == [ENTRY]
    assert read_form(form(lender=" GB ", loan_id=" gb100001 ", amount="5499")) == [ENTRY]
    assert ENTRY.figures() == {
        "lender": "gb", "loan_id": "GB100001", "amount": "5499.00", "date": "2026-01-05", "mode": "neft",
        "reference": "UTR1", "note": "counter",
    }  # fmt: skip


def test_a_csv_is_an_entry_for_each_line() -> None:
    text = f"{HEADING}\n{LINE}\ngb,GB100002,1.50,2026-01-06,cash,,\n"
    second = ManualEntry("gb", "GB100002", Decimal("1.50"), date(2026, 1, 6), Mode.CASH, None, None)
    assert read_csv(text) == [ENTRY, second]
    assert read_form({"csv": text, "mode": "upi"}) == [ENTRY, second]
    with pytest.raises(EntryError, match="either the CSV or the single fields, not both: loan_id"):
        read_form({"csv": text, "loan_id": "GB1"})


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("lender", "", "line 1: lender is missing"),
        ("loan_id", "  ", "line 1: loan_id is missing"),
        ("amount", "", "is not rupees"),
        ("amount", "5,499.00", "is not rupees"),
        ("amount", "5499.001", "is not rupees"),
        ("amount", "0", "is not above zero"),
        ("amount", "-1", "is not above zero"),
        ("date", "05/01/2026", "is not a day written as 2026-01-31"),
        ("date", "2026-02-30", "is not a day"),
        ("mode", "wire", "is none of upi, neft"),
        ("reference", "x" * 51, "reference is longer than 50"),
    ],
)
def test_a_bad_field_is_refused_with_its_name(field: str, value: str, fault: str) -> None:
    with pytest.raises(EntryError, match=fault):
        read_form(form(**{field: value}))


def test_every_fault_of_a_csv_is_named_with_its_line() -> None:
    with pytest.raises(EntryError) as refused:
        read_csv(f"{HEADING}\n{LINE}\ngb,,x,2026-01-06,cash,,\ngb,GB3,1,nope,cash,,\n")
    assert [fault[:7] for fault in refused.value.faults] == ["line 3:", "line 3:", "line 4:"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "date '' is not a day|lender is missing"),
        (LINE, "the heading must be"),
        (HEADING, "has a heading and no line"),
        (f'{HEADING}\ngb,"GB1', "no CSV"),
        (f"{HEADING}\n{LINE},more\n", "more fields than the heading"),
        (f"{HEADING}\n" + f"{LINE}\n" * 501, "501 lines are more than 500"),
    ],
)
def test_what_is_no_csv_of_repayments_is_refused(text: str, fault: str) -> None:
    with pytest.raises(EntryError, match=fault):
        read_form({"csv": text})
