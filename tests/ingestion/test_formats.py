"""Every format a partner may send, with the quirks it comes with: the payments in it, by the production path."""

import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.ingestion.formats import (
    COLUMNS,
    FIRST,
    HEADINGS,
    NPCI_KIND,
    PAID,
    PASSWORD,
    SECOND,
    debit_line,
    header_line,
    kind,
    lender,
    lines,
    paid,
    protected,
    protected_xls,
    read,
    shown,
    xls,
    xlsx,
    zipped,
)
from turno_lms.domain.states import FileError
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.preview import preview
from turno_lms.ingestion.readers import open_table
from turno_lms.ingestion.readers.rows import row_of_text

CSV = {"type": "csv"}
TABLE = (HEADINGS, FIRST, SECOND)
UMRN = "HDFC7000100234000001"
RECORDS = [dict(zip(HEADINGS, row, strict=True)) for row in (FIRST, SECOND)]
PAGE = """<html><body><table><tr><td>SAMPLE FINANCE</td></tr></table>
<table><thead><tr><th>Loan</th><th>Amount</th><th>Paid&nbsp;On</th><th>Reference</th></tr></thead>
<tr><td>SMP100234</td><td>5499.00</td><td>05/01/2026</td><td>T1</td></tr>
<tr><td> SMP100235 <td>1200.50<td><b>06/01/2026</b><td>T2<table><tr><td>nested</td></tr></table>
<tr><td colspan="3">Total</td><td>6699.50</td></tr></table></body></html>"""

READABLE: dict[str, tuple[dict[str, Any], bytes]] = {
    "tilde text": ({"type": "csv", "delimiter": "~"}, lines(*TABLE, delimiter="~")),
    "a delimiter beyond ASCII": ({"type": "csv", "delimiter": "\u00a6"}, lines(*TABLE, delimiter="\u00a6")),
    "tab separated text": ({"type": "csv", "delimiter": "\t"}, lines(*TABLE, delimiter="\t")),
    "old line ends": (CSV, lines(*TABLE, end="\r")),
    "trailing blank columns": (CSV, lines(*((*row, "", " ") for row in TABLE))),
    "stray quotes in unquoted text": (
        {"type": "csv", "quoted": False}, lines(HEADINGS, FIRST, (*SECOND[:3], 'T2"')).replace(b'T2"', b"T2"),
    ),
    "an HTML page": ({"type": "html"}, PAGE.encode()),
    "an XLS workbook": (
        {"type": "xls", "sheet": "Data"},
        xls(HEADINGS, ("SMP100234", 5499.0, date(2026, 1, 5), "T1"), ("SMP100235", 1200.5, date(2026, 1, 6), "T2")),
    ),
    "a JSON document": ({"type": "json", "records": "data.items"}, json.dumps({"data": {"items": RECORDS}}).encode()),
    "a JSON list": ({"type": "json"}, json.dumps(RECORDS).encode("utf-8-sig")),
    "JSON lines": ({"type": "json_lines"}, "\n".join(map(json.dumps, RECORDS)).encode()),
    "a zip archive": ({"type": "csv", "zip": {"member": "*.csv"}}, zipped({"a/b.csv": lines(*TABLE), "readme.txt": b"x"})),
    "a zip archive from a Mac": ({"type": "csv", "zip": {}}, zipped({"b.csv": lines(*TABLE), "__MACOSX/b.csv": b"x"})),
    "a workbook in an archive": ({"type": "xlsx", "zip": {}}, zipped({"b.xlsx": xlsx(*TABLE)})),
}  # fmt: skip


@pytest.mark.parametrize("name", READABLE)
def test_the_payments_of_every_format_are_read(name: str, tmp_path: Path) -> None:
    file_format, content = READABLE[name]
    result = shown(tmp_path, content, file_format, layout={"totals": {"first_cell_starts_with": ["Total"]}})
    assert paid(result) == PAID


NAMES = {
    "csv": "statement.xls", "html": "statement.xls", "xls": "statement.csv", "xlsx": "statement.xls", "json": "statement.csv",
    "json_lines": "statement.txt",
}  # fmt: skip
"""A name that lies about each format. The first three are what partners really send."""


@pytest.mark.parametrize("name", READABLE)
def test_what_a_file_is_called_does_not_matter(name: str, tmp_path: Path) -> None:
    file_format, content = READABLE[name]
    path = tmp_path / ("statement.xlsx" if "zip" in file_format else NAMES[file_format["type"]])
    path.write_bytes(content)
    layout = {"totals": {"first_cell_starts_with": ["Total"]}}
    assert paid(preview(lender(file_format, layout=layout), "statement", path)) == PAID


FORMATS: dict[str, dict[str, Any]] = {
    "csv": CSV, "tilde": {"type": "csv", "delimiter": "~"}, "utf-16": {"type": "csv", "encoding": "utf-16"}, "xls": {"type": "xls"},
    "xlsx": {"type": "xlsx"}, "html": {"type": "html"}, "json": {"type": "json"}, "json_lines": {"type": "json_lines"},
    "zip": {"type": "csv", "zip": {}}, "fixed_width": NPCI_KIND["format"],
}  # fmt: skip
CONTENTS: dict[str, bytes] = {
    "csv": lines(*TABLE), "tilde": lines(*TABLE, delimiter="~"), "utf-16": lines(*TABLE).decode().encode("utf-16"), "xls": xls(*TABLE),
    "xlsx": xlsx(*TABLE), "html": PAGE.encode(), "json": json.dumps(RECORDS).encode(), "zip": zipped({"b.csv": lines(*TABLE)}),
    "json_lines": "\n".join(map(json.dumps, RECORDS)).encode(), "fixed_width": debit_line(UMRN, 549900, "N1").encode(),
    "pdf": b"%PDF-1.7 ...", "gzip": b"\x1f\x8b\x08" + bytes(40), "picture": b"\x89PNG\r\n\x1a\n" + bytes(40),
}  # fmt: skip


@pytest.mark.parametrize("wanted", FORMATS)
def test_no_file_passes_for_one_of_another_format(wanted: str, tmp_path: Path) -> None:
    """Every content under every format: only its own gives a payment, and any other is refused with one sentence.

    A fixed-width mapping takes any line for a record and rejects those that are none.
    """
    changes = NPCI_KIND | {"control_totals": None} if wanted == "fixed_width" else {}
    for given, content in CONTENTS.items():
        if given == wanted:
            continue
        result = shown(
            tmp_path, content, FORMATS[wanted], **{k: v for k, v in changes.items() if k != "format"}
        )
        assert not any(row["fate"] == "accepted" for row in result.rows), given
        assert result.summary["error_code"] in (
            "unreadable_file",
            "heading_not_found",
            "file_value_unclear",
        ), given


PROTECTED = {
    "a workbook": ({"type": "xlsx", "password_connection": "sample_file"}, protected(xlsx(*TABLE))),
    "a workbook of Excel 97": ({"type": "xls", "password_connection": "sample_file"}, protected_xls(*TABLE)),
    "an archive": (
        {"type": "csv", "zip": {"password_connection": "sample_file"}}, zipped({"b.csv": lines(*TABLE)}, PASSWORD),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROTECTED)
def test_the_password_comes_from_the_connection_and_shows_nowhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_format, content = PROTECTED[name]
    monkeypatch.setenv("AIRFLOW_CONN_SAMPLE_FILE", json.dumps({"conn_type": "generic", "password": PASSWORD}))
    assert paid(shown(tmp_path, content, file_format)) == PAID
    monkeypatch.setenv("AIRFLOW_CONN_SAMPLE_FILE", json.dumps({"conn_type": "generic", "password": "Wr0ng!"}))
    refused = shown(tmp_path, content, file_format).summary
    assert "the password of the connection sample_file does not open it" in refused["error_message"]
    assert "Wr0ng!" not in str(refused)


def test_a_workbook_that_is_only_kept_from_changes_opens_as_in_excel(tmp_path: Path) -> None:
    content = protected_xls(*TABLE, password="VelvetSweatshop")
    assert paid(shown(tmp_path, content, {"type": "xls"})) == PAID


@pytest.mark.parametrize("name", PROTECTED)
def test_a_protected_file_without_a_password_in_the_mapping_is_refused(name: str, tmp_path: Path) -> None:
    file_format, content = PROTECTED[name]
    bare = {"type": file_format["type"], **({"zip": {}} if "zip" in file_format else {})}
    summary = shown(tmp_path, content, bare).summary
    assert (
        "is protected by a password, and the mapping names no password_connection" in summary["error_message"]
    )


def test_hidden_rows_and_columns_count(tmp_path: Path) -> None:
    """What somebody has hidden in the sheet is in the file: money is not left out because it is not seen."""
    workbook = openpyxl.Workbook()
    for row in TABLE:
        workbook.active.append(list(row))
    workbook.active.column_dimensions["B"].hidden = True
    workbook.active.row_dimensions[3].hidden = True
    buffer = io.BytesIO()
    workbook.save(buffer)
    assert paid(shown(tmp_path, buffer.getvalue(), {"type": "xlsx"})) == PAID


@pytest.mark.parametrize("workbook", [xls, xlsx])
def test_ids_that_a_sheet_keeps_as_numbers_keep_their_digits_or_are_told_lost(
    workbook: Callable[..., bytes], tmp_path: Path
) -> None:
    """Excel shows each of these as 5.02E+13 or the like; it stores the first exactly and has rounded the others."""
    references = (50200012345678, 50200012345678901234, "5.02E+13")
    columns = {**COLUMNS, "note": {"type": "text", "heading": "Note", "required": False}}
    rows = [(*FIRST[:3], float(ref) if isinstance(ref, int) else ref, "") for ref in references]
    result = shown(
        tmp_path, workbook((*HEADINGS, "Note"), *rows), {"type": workbook.__name__}, columns=columns
    )
    assert [(row["payment_id"], row["note"]) for row in result.rows] == [
        ("50200012345678", None),
        (None, "payment_id lost, a spreadsheet has rounded it to 5.02000123456789E+19"),
        (None, "payment_id lost, a spreadsheet has rounded it to 5.02E+13"),
    ]


def test_a_formula_counts_for_what_it_came_to_and_never_runs(tmp_path: Path) -> None:
    """A program that writes formulas leaves their values to Excel: until it has saved the file, there is no amount."""
    summary = shown(tmp_path, xlsx(HEADINGS, (FIRST[0], "=5000+499", *FIRST[2:]), SECOND), {"type": "xlsx"})
    assert [(row["fate"], row["reason"]) for row in summary.rows] == [
        ("rejected", "missing_value"),
        ("accepted", None),
    ]


def test_a_nul_in_json_is_told_and_not_stored(tmp_path: Path) -> None:
    columns = {**COLUMNS, "note": {"type": "text", "heading": "Note", "required": False}}
    content = json.dumps([{**RECORDS[0], "Note": "a\0b"}]).encode()
    (row,) = shown(tmp_path, content, {"type": "json"}, columns=columns).rows
    assert (row["reason"], "\0" in row["raw_text"]) == ("bad_value", False)


@pytest.mark.parametrize("members", [{"a.csv": b"x", "b.csv": b"y"}, {"a.txt": b"x"}, {}])
def test_exactly_one_member_must_fit(members: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(FileRefusedError, match=r"must be exactly one|looks like an empty zip archive"):
        read(tmp_path, zipped(members), {"type": "csv", "zip": {"member": "*.csv"}})


LYING = {
    "a workbook for text": (CSV, xlsx(*TABLE), "is delimited text by its mapping but looks like an XLSX workbook"),
    "an old workbook for text": (CSV, xls(*TABLE), "looks like an XLS workbook"),
    "a page for text": (CSV, PAGE.encode(), "looks like an HTML page"),
    "a page for a workbook": ({"type": "xls"}, PAGE.encode(), "is XLS by its mapping but looks like an HTML page"),
    "text for a workbook": ({"type": "xls"}, lines(*TABLE), "looks like text"),
    "an old workbook for a new one": ({"type": "xlsx"}, xls(*TABLE), "is no XLSX workbook"),
    "a new workbook for an old one": ({"type": "xls"}, xlsx(*TABLE), "looks like an XLSX workbook"),
    "a workbook for an archive": ({"type": "csv", "zip": {}}, xlsx(*TABLE), "is a zip archive by its mapping"),
    "a PDF": (CSV, b"%PDF-1.7 ...", "looks like a PDF document"),
    "text for JSON": ({"type": "json"}, lines(*TABLE), "is JSON by its mapping but looks like text"),
}  # fmt: skip


@pytest.mark.parametrize("name", LYING)
def test_a_file_of_another_kind_is_refused_with_what_it_looks_like(name: str, tmp_path: Path) -> None:
    file_format, content, words = LYING[name]
    with pytest.raises(FileRefusedError) as caught:
        read(tmp_path, content, file_format)
    assert (caught.value.code, words in caught.value.message) == (FileError.UNREADABLE_FILE, True), (
        caught.value
    )


def test_a_line_break_in_quotes_stays_in_its_record_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    content = b'Loan,Amount,Paid On,Reference\n\nSMP100234,"5,499.00",05/01/2026,"T\n1"\n"SMP100235",1200.50,06/01/2026,T2\n'
    columns = {**COLUMNS, "amount": {"type": "amount", "heading": "Amount", "grouping": "indian"}}
    result = shown(tmp_path, content, CSV, columns=columns)
    assert [row["row"] for row in result.rows] == [3, 4]
    assert paid(result) == [("SMP100234", "5499.00", "2026-01-05", "T 1"), PAID[1]]


def test_columns_by_position_need_no_headings(tmp_path: Path) -> None:
    columns = {name: {**column, "position": place} for place, (name, column) in enumerate(COLUMNS.items(), 1)}
    for column in columns.values():
        del column["heading"]
    shifted = ("SMP100236", "1", "200.00", "07/01/2026", "T3")
    result = shown(tmp_path, lines(FIRST, SECOND, shifted), {"type": "csv", "cells": 4}, columns=columns)
    assert paid(result) == PAID
    assert [(row["row"], row["reason"]) for row in result.rows[2:]] == [(3, "bad_value")]


def test_the_nth_of_several_equal_headings_is_taken(tmp_path: Path) -> None:
    headings = ("Loan", "Amount", "Paid On", "Reference", "Amount")
    columns = {**COLUMNS, "amount": {"type": "amount", "heading": "Amount", "nth": 2}}
    result = shown(
        tmp_path, lines(headings, (*FIRST[:1], "1.00", *FIRST[2:], "5499.00")), CSV, columns=columns
    )
    assert paid(result) == PAID[:1]
    with pytest.raises(FileRefusedError, match="has the heading of amount only in column 2, and nth is 2"):
        read(tmp_path, lines(*TABLE), CSV, columns=columns)


def test_a_section_of_a_sheet_is_read_alone(tmp_path: Path) -> None:
    content = lines(
        ("Fees",), HEADINGS, ("SMP100239", "9.00", "05/01/2026", "F1"), ("Repayments of the day",), HEADINGS, FIRST, SECOND,
        ("Reversals",), HEADINGS, ("SMP100239", "9.00", "05/01/2026", "R1"),
    )  # fmt: skip
    section = {"after": ["Repayments"], "before": ["Reversals"]}
    result = shown(tmp_path, content, CSV, section=section)
    assert paid(result) == PAID
    assert [row["row"] for row in result.rows] == [6, 7]
    cut = content[: content.index(b"Reversals")]
    assert "Was the file cut off?" in shown(tmp_path, cut, CSV, section=section).summary["error_message"]
    other = shown(tmp_path, lines(*TABLE), CSV, section=section).summary
    assert other["error_code"] == "heading_not_found"


VALUES = {
    "values": {
        "settled": {"first_cell_starts_with": "Settlement Date", "cell": 2},
        "rows": {"first_cell_starts_with": "Count", "cell": 2},
        "rupees": {"first_cell_starts_with": "Total", "cell": 2},
    },
    "control_totals": {"rows": {"value": "rows"}, "amount": {"value": "rupees"}},
    "columns": {**COLUMNS, "date": {"type": "date", "file_value": "settled", "formats": ["%d/%m/%Y"]}},
    "layout": {"totals": {"first_cell_starts_with": ["Count", "Total"]}},
}


def titled(count: str, total: str) -> bytes:
    payments = [(row[0], row[1], "", row[3]) for row in (FIRST, SECOND)]
    return lines(("Settlement Date", "07/01/2026"), HEADINGS, *payments, ("Count", count), ("Total", total))


def test_values_from_titles_and_trailers_fill_columns_and_are_checked(tmp_path: Path) -> None:
    # 5499.00 + 1200.50 = 6699.50
    result = shown(tmp_path, titled("2", "6699.50"), CSV, **VALUES)
    assert [row[:3] for row in paid(result)] == [
        ("SMP100234", "5499.00", "2026-01-07"),
        ("SMP100235", "1200.50", "2026-01-07"),
    ]


@pytest.mark.parametrize(
    ("count", "total", "words"),
    [
        ("3", "6699.50", "by its rows the file holds 3 rows, but 2 were read"),
        ("2", "6699.51", "by its rupees the file holds 6699.51 rupees, but 6699.50 were read"),
        ("two", "6699.50", "the control total rows is 'two', which is no number"),
    ],
)
def test_a_file_that_is_not_what_its_own_totals_say_is_refused(
    count: str, total: str, words: str, tmp_path: Path
) -> None:
    summary = shown(tmp_path, titled(count, total), CSV, **VALUES).summary
    assert (summary["state"], summary["error_code"]) == ("refused", "control_total_mismatch")
    assert words in summary["error_message"]


@pytest.mark.parametrize(("content", "words"), [(titled("2", "6699.50").replace(b"Total", b"Sum"), "rupees, which the mapping looks for once in the file, is not there"), (titled("2", "1") + b"Total,2\r\n", "says several things: 1, 2")])  # fmt: skip
def test_a_value_that_is_missing_or_stands_twice_refuses_the_file(
    content: bytes, words: str, tmp_path: Path
) -> None:
    summary = shown(tmp_path, content, CSV, **VALUES).summary
    assert summary["error_code"] == "file_value_unclear"
    assert words in summary["error_message"]


def shown_npci(tmp_path: Path, *records: str) -> Any:
    changes = {name: part for name, part in NPCI_KIND.items() if name != "format"}
    return shown(tmp_path, ("\r\n".join(records) + "\r\n").encode(), NPCI_KIND["format"], **changes)


def test_a_file_of_fixed_fields_is_read_with_its_header(tmp_path: Path) -> None:
    # 549900 + 120050 paise = 669950 paise
    records = header_line(669950, 2), debit_line(UMRN, 549900, "N1"), debit_line(UMRN, 120050, "N2")
    result = shown_npci(tmp_path, *records)
    assert [
        (row["row"], row["umrn"], row["amount"], row["date"], row["payment_id"]) for row in result.rows
    ] == [
        (2, UMRN, "5499.00", "2026-01-05", "N1"),
        (3, UMRN, "1200.50", "2026-01-05", "N2"),
    ]
    assert result.summary["rows_layout"] == 1


def test_a_line_cut_short_or_of_an_unknown_kind_is_rejected_with_its_text(tmp_path: Path) -> None:
    """An amount that loses its end is another amount; a record nobody knows may be money."""
    cut = debit_line(UMRN, 549900, "N1")[:130]
    records = header_line(0, 3), cut, "68" + debit_line(UMRN, 1, "N2")[2:], debit_line(UMRN, 1, "N3") + "x"
    changes = {name: part for name, part in NPCI_KIND.items() if name not in ("format", "control_totals")}
    result = shown(tmp_path, "\n".join(records).encode(), NPCI_KIND["format"], **changes)
    assert [(row["row"], row["reason"]) for row in result.rows] == [
        (2, "truncated_row"), (3, "truncated_row"), (4, "bad_value"),
    ]  # fmt: skip
    assert result.rows[0]["raw_text"] == cut


def test_digits_and_keys_of_json_survive(tmp_path: Path) -> None:
    columns = {
        **COLUMNS,
        "loan_id": {"type": "loan_id", "heading": "notes.loan"},
        "note": {"type": "text", "heading": "remark", "required": False},
    }
    content = (
        b'{"notes": {"loan": "SMP100234"}, "Amount": 5499.10, "Paid On": "2026-01-05", "Reference": 123456789012345678901}\n'
        b"\n"
        b'{"notes": {"loan": "SMP100235"}, "Amount": 1200, "Paid On": "2026-01-06", "remark": null}\n'
    )
    result = shown(tmp_path, content, {"type": "json_lines"}, columns=columns)
    assert paid(result) == [
        ("SMP100234", "5499.10", "2026-01-05", "123456789012345678901"),
        ("SMP100235", "1200.00", "2026-01-06", None),
    ]
    assert [row["row"] for row in result.rows] == [1, 3]


def test_a_rejected_record_keeps_its_text(tmp_path: Path) -> None:
    text = '{"Loan": "SMP100234", "Amount": "NIL", "Paid On": "05/01/2026"}'
    (row,) = shown(tmp_path, text.encode(), {"type": "json_lines"}).rows
    assert (row["reason"], row["raw_text"]) == ("bad_amount", text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "is no object of keys and values"),
        ('{"Loan": 1, "Loan": 2}', "the key 'Loan' stands twice"),
        ('{"Amount": NaN}', "NaN is no number"),
        ('{"a": ' * 100_000, "nested"),
    ],
)
def test_json_that_could_mean_two_things_is_refused(text: str, words: str, tmp_path: Path) -> None:
    for file_format in ({"type": "json_lines"}, {"type": "json"}):
        content = text if file_format["type"] == "json_lines" else f"[{text}]"
        with pytest.raises(FileRefusedError, match=f"{words}|cannot be read as JSON"):
            read(tmp_path, content.encode(), file_format)


def test_a_renamed_heading_is_refused_with_the_change_that_would_take_it(tmp_path: Path) -> None:
    renamed = ("Loan", "Amount", "Paid on date", "Reference", "Branch")
    summary = shown(tmp_path, lines(renamed, (*FIRST, "x")), CSV).summary
    assert summary["error_code"] == "missing_column"
    assert "'Paid on date' was probably 'Paid On'" in summary["error_message"]
    assert 'columns: { date: { heading: ["Paid On", "Paid on date"] } }' in summary["error_message"]
    assert paid(shown(tmp_path, lines((*HEADINGS, "Branch"), (*FIRST, "x")), CSV)) == PAID[:1]


REREAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "csv": ({"format": CSV}, ['SMP100234,"5,499.00",,T1', "SMP100234;5,499.00"]),
    "fixed width": (NPCI_KIND, [debit_line(UMRN, 549900, "N1"), "67 cut"]),
    "JSON lines": ({"format": {"type": "json_lines"}}, ['{"Loan": "SMP100234", "Amount": 5499.0, "Paid On": "05/01/2026", "x": null}']),
}  # fmt: skip


@pytest.mark.parametrize("name", REREAD)
def test_a_row_is_read_again_from_the_text_that_is_kept_of_it(name: str, tmp_path: Path) -> None:
    """A person corrects a rejected row in the words of its file."""
    changes, texts = REREAD[name]
    of_kind = kind(**changes)
    head = {"csv": ",".join(HEADINGS) + "\n", "fixed width": header_line(0, 1) + "\n"}.get(name, "")
    path = tmp_path / "a.txt"
    path.write_text(head + "\n".join(texts), encoding="utf-8")
    table = open_table(path, of_kind, "a.txt")
    rows = [
        (chunk.raw_text(chunk.first_row + i), row)
        for chunk in table.chunks
        for i, row in enumerate(chunk.rows)
    ]
    for raw, row in rows[-len(texts) :]:
        assert row_of_text(raw, of_kind, table.headings) == row
