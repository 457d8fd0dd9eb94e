"""Every row ends in one place, for one stated reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ingestion.files import (
    GB_FIRST_ROW,
    UMRN,
    axle_csv,
    credit,
    debit,
    gb_csv,
    settled,
    ugro_xlsx,
    write,
)
from turno_lms.domain.states import RowReason
from turno_lms.ingestion.preview import Fate, preview
from turno_lms.lenders.columns import BLANK_REFERENCES
from turno_lms.lenders.registry import LenderRegistry
from turno_lms.lenders.schema import Lender

Fates = Callable[[str, bytes], list[Fate]]
KINDS = {
    "gb": ("nach_response", "a.csv"),
    "ugro": ("repayment_statement", "a.xlsx"),
    "axle": ("razorpay_settlement", "a.csv"),
}


@pytest.fixture
def fates(lenders: LenderRegistry, tmp_path: Path) -> Fates:
    """The fate of every row of a lender's file."""

    def judge(slug: str, content: bytes) -> list[Fate]:
        kind, name = KINDS[slug]
        result = preview(lenders[slug], kind, write(tmp_path, name, content))
        assert result.summary["state"] != "refused", result.summary
        return result.rows

    return judge


def reasons(rows: list[Fate]) -> list[str | None]:
    return [row["reason"] for row in rows]


BUILD: dict[str, Callable[..., bytes]] = {"gb": gb_csv, "ugro": ugro_xlsx, "axle": axle_csv}
ONE_ROW: dict[str, tuple[str, tuple[Any, ...], str, str]] = {
    "a blank mandate": ("gb", debit(umrn=" "), "missing_value", "UMRN is blank"),
    "a mandate a spreadsheet destroyed": ("gb", debit(umrn="5.02E+13"), "bad_umrn", "'5.02E+13'"),
    "a mandate of 21 characters": ("gb", debit(umrn="A" * 21), "bad_umrn", "up to 20 letters and digits"),
    "grouping that is not Indian": ("gb", debit(amount="123,456.00"), "bad_amount", "indian grouping"),
    "a fraction of a paisa": ("gb", debit(amount="5499.001"), "bad_amount", "'5499.001'"),
    "no amount": ("gb", debit(amount="NIL"), "bad_amount", "Amount (Rs.) 'NIL'"),
    "an amount of a thousand crore": ("gb", debit(amount="10000000000.00"), "bad_amount", "10000000000.00"),
    "a negative amount": ("gb", debit(amount="(5,499.00)"), "amount_not_positive", "the amount is -5499.00"),
    "nothing at all": ("gb", debit(amount="0"), "amount_not_positive", "the amount is 0.00"),
    "the 31st of February": ("gb", debit(day="31/02/2026"), "bad_date", "'31/02/2026' is not a date of the form %d/%m/%Y"),
    "a year of two digits": ("gb", debit(day="05/01/26"), "bad_date", "'05/01/26'"),
    "a month first": ("gb", debit(day="01/25/2026"), "bad_date", "'01/25/2026'"),
    "a year of another age": ("gb", debit(day="05/01/1926"), "bad_date", "'05/01/1926'"),
    "a status the mapping does not know": ("gb", debit(status="Under process"), "unknown_status", "'Under process'"),
    "no status": ("gb", debit(status=""), "missing_value", "Status is blank"),
    "a debit that failed": ("gb", debit(status="Returned", reason="Balance insufficient"), "filtered_by_rule", "filters.not_collected"),
    "a row that stops early": ("gb", debit()[:5], "truncated_row", "ends after 5 cells; the mapped columns need 8"),
    "an amount whose comma shifted the cells": (
        "gb", (*debit()[:2], "5", "499.00", *debit()[3:]), "bad_value", "9 cells under 8 headings",
    ),
    "a NUL inside": ("gb", debit(reference="T\0001"), "bad_value", "Transaction Reference"),
    "another lender's loan": ("axle", settled(receipt="GB100234_1"), "bad_loan_id", r"of the form AXL\d{6}"),
    "a receipt without a loan": ("axle", settled(receipt="WALK-IN"), "bad_loan_id", "'WALK-IN'"),
    "another currency": ("axle", settled(currency="USD"), "bad_value", "currency 'USD' is not one of INR"),
    "grouping where none is allowed": ("axle", settled(amount="1,000.00"), "bad_amount", "is not an amount in rupees"),
    "a fee that is no amount": ("axle", settled(fee="2%"), "bad_amount", "fee (exclusive tax) '2%'"),
    "a payment without its id": ("axle", settled(payment=""), "missing_value", "entity_id is blank"),
    "a refund": ("axle", settled(entity="refund", receipt=""), "filtered_by_rule", "filters.not_a_payment"),
    "a registered mandate": ("axle", settled(amount="0.00"), "filtered_by_rule", "filters.mandate_registration"),
    "a date of words": ("ugro", credit(day="8 January"), "bad_date", "'8 January'"),
    "a serial number of another century": ("ugro", credit(day=99999), "bad_date", "'99999'"),
    "a date of another order": ("ugro", credit(day="05-01-2026"), "bad_date", "'05-01-2026'"),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_ROW)
def test_a_row_that_is_not_accepted(name: str, fates: Fates) -> None:
    slug, cells, reason, words = ONE_ROW[name]
    (row,) = fates(slug, BUILD[slug](cells))
    assert (row["reason"], row["fate"]) == (
        reason,
        "filtered" if reason == "filtered_by_rule" else "rejected",
    )
    assert words in row["message"]
    written = [str(cell) for cell in cells if cell and "\0" not in str(cell) and "," not in str(cell)]
    assert all(cell in row["raw_text"] for cell in written)


ACCEPTED: dict[str, tuple[str, tuple[Any, ...], dict[str, str | None]]] = {
    "Indian grouping": ("gb", debit(amount="12,34,567.50"), {"amount": "1234567.50"}),
    "a rupee sign and no-break blanks": ("gb", debit(amount="\u00a0₹ 5,499\u00a0"), {"amount": "5499.00"}),
    "one decimal": ("gb", debit(amount="5499.5"), {"amount": "5499.50"}),
    "a mandate in small letters with blanks": ("gb", debit(umrn="hdfc 7000100234000001"), {"umrn": UMRN}),
    "a day without its zero": ("gb", debit(day="5/1/2026"), {"date": "2026-01-05"}),
    "a status in other letters": ("gb", debit(status=" SUCCESS "), {"status": "collected"}),
    "a placeholder for a reference": ("gb", debit(reference="NA"), {"payment_id": None}),
    "a reference a spreadsheet destroyed": ("gb", debit(reference="5.02E+13"), {"payment_id": None}),
    "a reference kept as text": ("gb", debit(reference='="00123"'), {"payment_id": "00123"}),
    "a note over two lines": ("gb", debit(reason="Over two\nlines"), {"note": "Over two lines"}),
    "a loan id in small letters": ("axle", settled(receipt="axl300001_7"), {"loan_id": "AXL300001"}),
    "fee and tax as one charge": ("axle", settled(fee="20.00", tax="3.60"), {"charge": "23.60", "amount": "1000.00"}),
    "a blank fee as none": ("axle", settled(fee="", tax="3.60"), {"charge": "3.60"}),
    "the settlement's time": ("axle", settled(moment="2026-01-05 23:59:59"), {"date": "2026-01-05"}),
    "a month by name": ("ugro", credit(day="05-JAN-2026"), {"date": "2026-01-05"}),
    "a bare serial number": ("ugro", credit(day=46027), {"date": "2026-01-05"}),
    "a serial number as text": ("ugro", credit(day="46027"), {"date": "2026-01-05"}),
    "a number cell": ("ugro", credit(amount=5499.1), {"amount": "5499.10"}),
    "a number that arithmetic left uneven": ("ugro", credit(amount=0.1 + 0.2), {"amount": "0.30"}),
    "a bank reference": ("ugro", credit(utr="HDFCN26010512345"), {"sub_reference_id": "HDFCN26010512345"}),
    "a bank reference of twelve digits as a number": ("ugro", credit(utr=600512345678), {"sub_reference_id": "600512345678"}),
    "a bank reference beyond a spreadsheet's digits": ("ugro", credit(utr=60051234567812345678), {"sub_reference_id": None}),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_row_that_is_accepted(name: str, fates: Fates) -> None:
    slug, cells, expected = ACCEPTED[name]
    (row,) = fates(slug, BUILD[slug](cells))
    assert row["fate"] == "accepted", row
    assert {column: row[column] for column in expected} == expected


def test_a_real_date_cell_is_read_as_the_date_it_is(fates: Fates) -> None:
    from datetime import date, datetime

    content = ugro_xlsx(credit(day=date(2026, 1, 5)), credit(day=datetime(2026, 1, 6, 14, 30), receipt="R2"))  # noqa: DTZ001
    assert [row["date"] for row in fates("ugro", content)] == ["2026-01-05", "2026-01-06"]


def test_rows_are_numbered_as_in_the_file(fates: Fates) -> None:
    rows = fates("gb", gb_csv(debit(reference="T1", reason="two\nlines"), (), debit(reference="T2")))
    assert [row["row"] for row in rows] == [
        GB_FIRST_ROW,
        GB_FIRST_ROW + 2,
    ]  # the blank line between them counts


def test_titles_totals_signatures_and_repeated_headings_are_layout(fates: Fates) -> None:
    from tests.ingestion.files import GB_HEADINGS

    below = [
        ("",) * 8,
        ("Total", "", "10,998.00"),
        ("Prepared by", "S. Kulkarni"),
        ("This is a computer generated statement",),
    ]
    rows = fates("gb", gb_csv(debit(reference="T1"), GB_HEADINGS, debit(reference="T2"), below=below))
    assert reasons(rows) == [None, None]


def test_a_row_with_a_date_is_never_layout(fates: Fates) -> None:
    rows = fates("gb", gb_csv(("Total", *debit()[1:])))
    assert reasons(rows) == [None]


def test_a_stray_line_below_the_table_is_not_lost(fates: Fates) -> None:
    rows = fates("gb", gb_csv(debit(), below=[("Settled by RTGS on the 6th",)]))
    assert reasons(rows) == [None, "truncated_row"]


def test_a_repeated_reference_is_a_duplicate_of_its_first_row(fates: Fates) -> None:
    rows = fates("gb", gb_csv(debit(), debit(reference="T2"), debit(amount="5499.00")))
    assert reasons(rows) == [None, None, "duplicate_in_file"]
    assert f"row {GB_FIRST_ROW} already" in rows[2]["message"]


@pytest.mark.parametrize(
    "other", [debit(amount="5,498.00"), debit(day="06/01/2026"), debit(umrn="UTIB7000100234000001")]
)
def test_a_reference_used_for_another_payment_is_rejected(fates: Fates, other: tuple[str, ...]) -> None:
    assert reasons(fates("gb", gb_csv(debit(), other))) == [None, "reference_reused"]


def test_the_same_payment_with_another_reference_is_real_money(fates: Fates) -> None:
    assert reasons(fates("gb", gb_csv(debit(reference="T1"), debit(reference="T2")))) == [None, None]


def test_blank_references_are_never_equal(fates: Fates) -> None:
    assert (
        reasons(fates("gb", gb_csv(debit(reference=""), debit(reference=""), debit(reference="NA"))))
        == [None] * 3
    )


def test_blank_words_are_no_references_in_any_mapping(fates: Fates) -> None:
    """UGRO's mapping names no such word: the list is the type's. `'NA` and ="NA" are what a spreadsheet makes of it."""
    words = [*BLANK_REFERENCES, *(word.lower() for word in BLANK_REFERENCES), "'NA", '="NA"', " Nil "]
    rows = fates("ugro", ugro_xlsx(*(credit(receipt=word, utr=word) for word in words)))
    assert {(row["fate"], row["payment_id"], row["sub_reference_id"]) for row in rows} == {
        ("accepted", None, None)
    }
    assert len(rows) == len(words)
    # what only begins like one is a reference: the second is the first again
    again = fates("ugro", ugro_xlsx(*(credit(receipt=word) for word in ("NA1", "NA1", "00001", "NILESH"))))
    assert reasons(again) == [None, "duplicate_in_file", None, None]


def test_only_an_accepted_row_takes_its_reference(fates: Fates) -> None:
    rows = fates("gb", gb_csv(debit(status="Returned"), debit(day="8 January"), debit()))
    assert reasons(rows) == ["filtered_by_rule", "bad_date", None]


def test_a_failed_debit_is_filtered_whatever_else_is_wrong_with_it(fates: Fates) -> None:
    assert reasons(fates("gb", gb_csv(debit(status="Failed", amount="", day="")))) == ["filtered_by_rule"]


def narrated(lender: Lender) -> Lender:
    """GB with a loan id somewhere inside the narration, in place of the mandate."""
    data: dict[str, Any] = lender.model_dump(by_alias=True, exclude_unset=True)
    columns = data["files"]["nach_response"]["columns"]
    columns["loan_id"] = {"type": "loan_id", "heading": "Return Reason", "within_text": True}
    del columns["umrn"], columns["note"]
    return Lender.model_validate(data)


@pytest.mark.parametrize(
    ("narration", "loan_id", "reason"),
    [
        ("EMI of gb100234, January", "GB100234", None),
        ("NACH_GB100234_JAN and again GB100234", "GB100234", None),
        ("GB100234 and GB100235", None, "ambiguous_loan_id"),
        ("GB1002345", None, "bad_loan_id"),
        ("no loan here", None, "bad_loan_id"),
    ],
)
def test_a_loan_id_inside_a_narration(
    lenders: LenderRegistry, tmp_path: Path, narration: str, loan_id: str | None, reason: str | None
) -> None:
    sample = write(tmp_path, "a.csv", gb_csv(debit(reason=narration)))
    (row,) = preview(narrated(lenders["gb"]), "nach_response", sample).rows
    assert (row.get("loan_id"), row["reason"]) == (loan_id, reason)


def test_an_amount_computed_from_net_and_charge(lenders: LenderRegistry, tmp_path: Path) -> None:
    """A file of net amounts: 976.40 + (20.00 + 3.60) = 1000.00."""
    data: dict[str, Any] = lenders["axle"].model_dump(by_alias=True, exclude_unset=True)
    kind = data["files"]["razorpay_settlement"]
    del kind["columns"]["amount"]
    kind["helpers"]["net"] = {"type": "amount", "heading": "credit"}
    kind["compute"]["amount"] = "net + charge"
    sample = write(tmp_path, "a.csv", axle_csv(settled(amount="ignored")))
    (row,) = preview(Lender.model_validate(data), "razorpay_settlement", sample).rows
    assert (row["amount"], row["charge"]) == ("1000.00", "23.60")


def test_every_reason_has_a_case_here() -> None:
    """The others have theirs in test_loads.py, test_versions.py and in the reference of the mapping language."""
    here = {case[2] for case in ONE_ROW.values()} | {
        "duplicate_in_file",
        "reference_reused",
        "ambiguous_loan_id",
    }
    elsewhere = {
        RowReason.DUPLICATE_OF_EARLIER_FILE,
        RowReason.CHANGED_SINCE_LOADED,
        RowReason.AMBIGUOUS_VALUE,
    }
    assert here == set(RowReason) - elsewhere
