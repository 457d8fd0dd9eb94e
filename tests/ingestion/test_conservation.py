"""Rows and rupees in = rows and rupees out, whatever a file holds and however it is cut into chunks."""

from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingestion.files import GB_HEADINGS, GB_TITLES, Loads, csv_text, gb_csv, write
from turno_lms.domain.money import paise_to_rupees
from turno_lms.domain.states import Disposition
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.readers import open_table
from turno_lms.ingestion.transform import Judged, Tally, Transform
from turno_lms.lenders.registry import load_lenders
from turno_lms.lenders.schema import FileKind, Lender, Thresholds

ACCEPTED = """
select count(*), coalesce(sum(amount::numeric), 0) from raw.raw_payment_file where _file_id = %s
"""
ASIDE = """
select count(*), coalesce(sum(amount_paise), 0)::bigint from raw.raw_rejected_records where file_id = %s
"""
REFERENCES = """
select count(payment_id) as all_of_them, count(distinct payment_id) as different from raw.raw_payment_file
"""
GB = load_lenders()["gb"]
KIND = GB.files["nach_response"]

umrns = st.sampled_from(
    ["HDFC7000100234000001", "UTIB7000100777000001", "", "5.02E+13", " hdfc7000100234000001", "x" * 30]
)
amounts = st.sampled_from(
    [
        "5,499.00",
        "5499",
        "1,23,456.00",
        "123,456.00",
        "0",
        "-10.00",
        "(7.50)",
        "NIL",
        "",
        "0.005",
        "₹ 99.9",
        "9" * 14,
    ]
)
days = st.sampled_from(["05/01/2026", "6/1/2026", "05/01/26", "31/02/2026", "", "8 January"])
statuses = st.sampled_from(["Success", " accepted", "RETURNED", "Extended", "", "Under process"])
references = st.one_of(st.sampled_from(["T1", "T2", "T3", "", "NA", "5.02E+13"]), st.text(max_size=6))
rows = st.tuples(st.just("1"), umrns, amounts, days, statuses, st.just(""), st.text(max_size=8), references)
payable = st.tuples(
    st.just("1"),
    st.sampled_from(["HDFC7000100234000001", "UTIB7000100777000001"]),
    st.sampled_from(["5,499.00", "5499"]),
    st.sampled_from(["05/01/2026", "6/1/2026"]),
    st.just("Success"),
    st.just(""),
    st.just(""),
    st.sampled_from(["T1", "T2", ""]),
)
cut_rows = st.builds(lambda row, cells: row[:cells], rows, st.integers(0, 8))
longer_rows = st.builds(lambda row, more: (*row, *more), rows, st.lists(st.text(max_size=3), max_size=2))
layout = st.sampled_from(
    [("Total", "", "1,000.00"), ("",), GB_HEADINGS, ("Prepared by", "me"), ("a stray line",)]
)
lines = st.lists(st.one_of(payable, payable, rows, rows, cut_rows, longer_rows, layout), max_size=25)


def judged(
    content: bytes, chunk_rows: int, lender: Lender = GB, kind: FileKind = KIND
) -> tuple[list[Judged], int]:
    with TemporaryDirectory() as folder:
        table = open_table(write(Path(folder), "a.csv", content), kind, "a.csv", chunk_rows=chunk_rows)
        transform = Transform(lender, kind, table.headings)
        chunks = list(table.chunks)
    return [transform.judge(chunk) for chunk in chunks], sum(len(chunk.rows) for chunk in chunks)


def fates(parts: list[Judged]) -> list[tuple[Any, ...]]:
    """Every payment row with its fate, in order."""
    accepted = [
        (row["row_number"], Disposition.ACCEPTED, row)
        for part in parts
        for row in part.accepted.iter_rows(named=True)
    ]
    others = [(row.row_number, row.verdict.disposition, row) for part in parts for row in part.set_aside]
    return sorted([*accepted, *others], key=lambda fate: fate[0])


def totals(parts: list[Judged]) -> Tally:
    """What the rows of all fates add up to."""
    accepted = sum(
        (Tally(part.accepted.height, int(part.accepted["amount"].sum())) for part in parts), Tally()
    )
    paise = [row.amount_paise for part in parts for row in part.set_aside]
    return accepted + Tally(len(paise), sum(amount or 0 for amount in paise), paise.count(None))


@settings(max_examples=150, deadline=None)
@given(lines=lines)
def test_every_row_has_one_fate_and_every_rupee_one_place(lines: list[tuple[str, ...]]) -> None:
    parts, file_rows = judged(gb_csv(*lines), 50_000)
    read = sum((part.read for part in parts), Tally())
    assert totals(parts) == read
    assert read.rows + sum(part.layout_rows for part in parts) == file_rows
    assert max(Counter(row for row, *_ in fates(parts)).values(), default=1) == 1


@settings(max_examples=100, deadline=None)
@given(lines=lines, chunk_rows=st.integers(1, 7))
def test_the_size_of_the_chunks_changes_nothing(lines: list[tuple[str, ...]], chunk_rows: int) -> None:
    content = gb_csv(*lines)
    assert fates(judged(content, chunk_rows)[0]) == fates(judged(content, 50_000)[0])


@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)),
    behind_headings=st.booleans(),
)
def test_any_bytes_give_a_clean_refusal_or_a_conserved_file(content: bytes, behind_headings: bool) -> None:
    if behind_headings:
        content = csv_text([*GB_TITLES, GB_HEADINGS]).encode() + content
    try:
        parts, file_rows = judged(content, 3)
    except FileRefusedError as refusal:
        assert refusal.message.startswith("a.csv")
        return
    read = sum((part.read for part in parts), Tally())
    assert totals(parts) == read
    assert read.rows + sum(part.layout_rows for part in parts) == file_rows


EVERYTHING = Lender.model_validate(
    {
        "lender": "every", "name": "Every feature", "fineract": {"product_id": 900, "payment_type_id": 1},
        "post_from": date(2026, 1, 1), "loan_id_pattern": r"SMP\d{6}",
        "streams": {"money": {"posts": "file:list", "policy": "at_once"}},
        "files": {"list": {
            "s3": {"prefix": "lenders/every/list/"}, "schedule": "0 9 * * *", "format": {"type": "csv"},
            "layout": {"totals": {"first_cell_starts_with": ["Total"]}, "pages": {"first_cell_matches": r"^Page \d+$"}},
            "columns": {
                "loan_id": {"type": "loan_id", "first_of": ["noted", "cut", "told"]},
                "date": {"type": "date", "heading": "When", "zone": "UTC",
                         "formats": ["%d/%m/%Y", "%Y-%m-%dT%H:%M:%S%z", "%d %b %Y, %I:%M %p", "excel_serial", "epoch_seconds"]},
                "payment_id": {"type": "text", "heading": "Text", "extract": r"\b(T\d)\b", "required": False},
                "note": {"type": "text", "constant": "by feed"},
            },
            "helpers": {
                "noted": {"type": "text", "heading": "Notes", "json": "loan", "required": False},
                "cut": {"type": "text", "heading": "Text", "split": {"separator": "/", "part": 2}, "required": False},
                "told": {"type": "text", "heading": "Text", "extract": r"SMP\d{6}", "required": False},
                "paid": {"type": "amount", "heading": "Paid", "grouping": "indian", "required": False, "blanks": ["-"],
                         "suffixes": {"positive": ["Cr"], "negative": ["Dr"]}},
                "fee": {"type": "amount", "heading": "Fee", "unit": "paise", "required": False},
                "mode": {"type": "text", "heading": "Mode", "values": {"cash": ["C"], "bank": ["B"]}, "required": False},
            },
            "compute": {"charge": "half_up(fee * 0.18) + min(fee, 10.00)", "amount": "max(paid, paid + charge)"},
            "filters": {
                "early": {"column": "date", "drop": {"below": "2026-01-02"}},
                "back": {"column": "amount", "drop": {"below": "0.00"}},
                "cash": {"column": "mode", "keep": ["bank"]},
                "tests": {"column": "told", "drop": {"matches": "9$"}},
            },
            "thresholds": {"reject_percent": 100},
        }},
    }
)  # fmt: skip
LIST = EVERYTHING.files["list"]
LIST_HEADINGS = ("Notes", "Text", "When", "Paid", "Fee", "Mode")
list_rows = st.tuples(
    st.sampled_from(["", '{"loan": "SMP100234"}', '{"loan": 7}', '{"loan": ["SMP100234"]}', "[]", "plain", "{"]),
    st.sampled_from(["", "T1 SMP100235", "EMI/SMP100236/T2", "SMP100237 T3 T4", "SMP100239", "T1/", "SMP1 SMP100235 SMP100236"]),
    st.sampled_from(["05/01/2026", "2026-01-01T20:00:00Z", "01/01/2026", "05 Jan 2026, 02:03 PM", "46027", "1767571200", "soon", ""]),
    st.sampled_from(["5,499.00 Cr", "1,23,456.50CR", "20.00 Dr", "20.00", "-", "", "-5 Cr", "9,99,99,99,999 Cr", "NIL"]),
    st.sampled_from(["", "0", "002025", "118000", "-5", "1.5", "9" * 13]),
    st.sampled_from(["C", "b", "", "X"]),
)  # fmt: skip
any_list_row = st.one_of(
    list_rows,
    list_rows,
    st.lists(st.text(max_size=6), max_size=8).map(tuple),
    st.sampled_from([("Total", "1"), ("Page 2",), ("",), LIST_HEADINGS]),
)


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(any_list_row, max_size=20), chunk_rows=st.integers(1, 7))
def test_every_feature_of_the_language_keeps_rows_and_rupees(
    lines: list[tuple[str, ...]], chunk_rows: int
) -> None:
    content = csv_text([LIST_HEADINGS, *lines]).encode()
    parts, file_rows = judged(content, chunk_rows, EVERYTHING, LIST)
    read = sum((part.read for part in parts), Tally())
    assert totals(parts) == read
    assert read.rows + sum(part.layout_rows for part in parts) == file_rows
    assert max(Counter(row for row, *_ in fates(parts)).values(), default=1) == 1
    assert fates(parts) == fates(judged(content, 50_000, EVERYTHING, LIST)[0])
    accepted = [row for part in parts for row in part.accepted.iter_rows(named=True)]
    assert all(row["amount"] > 0 and row["loan_id"] and row["date"] >= date(2026, 1, 2) for row in accepted)


def never_halting(loads: Loads) -> Loads:
    """The same loads with a mapping that takes any share of rejects."""
    kind = KIND.model_copy(update={"thresholds": Thresholds(reject_percent=100)})
    return replace(loads, lenders={"gb": GB.model_copy(update={"files": {"nach_response": kind}})})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(lines, min_size=1, max_size=3))
def test_what_is_loaded_ties_with_what_was_read(loads: Loads, files: list[list[tuple[str, ...]]]) -> None:
    """Against PostgreSQL, over files that repeat each other's references: the log, RAW and the rejects agree."""
    patient = never_halting(loads)
    for number, rows in enumerate(files):
        report = patient.gb(gb_csv(*rows), f"{number}.csv")
        if report.state == "same_content":
            continue
        ((accepted, rupees),) = loads.rows(ACCEPTED, report.file_id)
        ((aside, paise),) = loads.rows(ASIDE, report.file_id)
        assert (report.rows_read, report.rows_accepted) == (accepted + aside, accepted)
        assert paise_to_rupees(report.paise_read or 0) == rupees + paise_to_rupees(paise)
    ((references, distinct),) = loads.rows(REFERENCES)
    assert references == distinct
