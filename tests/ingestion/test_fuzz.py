"""Files made to break their readers: each is a clean refusal or a conserved load, in bounded time and memory.

TURNO_FUZZ_FACTOR multiplies the examples (`make fuzz FACTOR=50`); the events of the statistics tell how many were refused.
"""

import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.ingestion.formats import (
    COLUMNS,
    FIRST,
    HEADINGS,
    NPCI_KIND,
    SECOND,
    debit_line,
    header_line,
    kind,
    lender,
    lines,
    read,
    xls,
    xlsx,
    zipped,
)
from turno_lms.domain.states import FileError
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.readers import open_table, text
from turno_lms.ingestion.readers.text import TextFile
from turno_lms.ingestion.sandbox import Limits
from turno_lms.ingestion.tables import Chunk
from turno_lms.ingestion.transform import Tally, Transform
from turno_lms.lenders.formats import CsvFormat

FACTOR = int(os.environ.get("TURNO_FUZZ_FACTOR", "1"))
CSV: dict[str, Any] = {"format": {"type": "csv"}}
ROWS = (HEADINGS, FIRST, SECOND, ("Total", "6699.50"))
RECORDS = [dict(zip(HEADINGS, row, strict=True)) for row in (FIRST, SECOND)]
PAGE = "<table>" + "".join(f"<tr><td>{'<td>'.join(row)}</tr>" for row in ROWS) + "</table>"
NPCI_LINES = "\n".join([header_line(549900, 1), debit_line("HDFC7000100234000001", 549900, "N1")])


def fuzz(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=examples * FACTOR, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


def judged(content: bytes, changes: Mapping[str, Any]) -> None:
    """Read and judge a file; every row it has must end in one place, with its rupees."""
    given_kind, of_lender = kind(**changes), lender(**changes)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.bin"
        path.write_bytes(content)
        try:
            table = open_table(path, given_kind, "a.bin", chunk_rows=3)
            transform = Transform(of_lender, given_kind, table.headings)
            parts = [(len(chunk), transform.judge(chunk)) for chunk in table.chunks]
        except FileRefusedError as refusal:
            assert refusal.message.startswith("a.bin")
            event(f"refused: {refusal.code}")
            return
    read_in = sum((part.read for _, part in parts), Tally())
    aside = [row.amount_paise for _, part in parts for row in part.set_aside]
    accepted = sum(
        (Tally(part.accepted.height, int(part.accepted["amount"].sum())) for _, part in parts), Tally()
    )
    assert accepted + Tally(len(aside), sum(paise or 0 for paise in aside), aside.count(None)) == read_in
    assert read_in.rows + sum(part.layout_rows for _, part in parts) == sum(rows for rows, _ in parts)
    event("read: payments" if accepted.rows else "read: no payment")


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """A good file with pieces cut out, doubled or overwritten."""
    place = st.integers(0, len(whole))
    noise = st.one_of(
        st.binary(max_size=8), st.sampled_from([b'"', b"\n", b"\0", b"\r", b"<", b"&#x41;", b"[", b"\xff"])
    )

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        content = whole
        for start, end, piece in edits:
            content = content[: min(start, end)] + piece + content[max(start, end) if piece else end :]
        return content

    return st.lists(st.tuples(place, place, noise), min_size=1, max_size=3).map(apply)


def near(whole: bytes) -> st.SearchStrategy[bytes]:
    return st.one_of(damaged(whole), damaged(whole), st.binary(max_size=200), st.just(whole))


def rebuilt(member: str, whole: bytes) -> st.SearchStrategy[bytes]:
    """A workbook with one of its parts damaged, packed again so that the archive itself is good."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return damaged(parts[member]).map(lambda part: zipped(parts | {member: part}))


TEXT_FORMATS: dict[str, tuple[dict[str, Any], bytes]] = {
    "csv": (CSV, lines(*ROWS)),
    "csv in quotes": (CSV, lines(*([f'"{cell}"' for cell in row] for row in ROWS))),
    "csv in utf-16": (
        {"format": {"type": "csv", "encoding": "utf-16"}},
        lines(*ROWS).decode().encode("utf-16"),
    ),
    "csv in sections": ({**CSV, "section": {"after": ["Loan"], "before": ["Total"]}}, lines(HEADINGS, *ROWS)),
    "fixed width": (NPCI_KIND, NPCI_LINES.encode()),
    "json lines": ({"format": {"type": "json_lines"}}, "\n".join(map(json.dumps, RECORDS)).encode()),
}
UNPACKED_FORMATS: dict[str, tuple[dict[str, Any], bytes]] = {
    "json": ({"format": {"type": "json"}}, json.dumps(RECORDS).encode()),
    "html": ({"format": {"type": "html"}}, PAGE.encode()),
    "xls": ({"format": {"type": "xls"}}, xls(*ROWS)),
    "xlsx": ({"format": {"type": "xlsx"}}, xlsx(*ROWS)),
    "zip": ({"format": {"type": "csv", "zip": {}}}, zipped({"a.csv": lines(*ROWS)})),
}


@pytest.mark.parametrize("name", TEXT_FORMATS)
@fuzz(60)
@given(data=st.data())
def test_any_text_is_refused_or_conserved(name: str, data: st.DataObject) -> None:
    changes, whole = TEXT_FORMATS[name]
    judged(data.draw(near(whole)), changes)


@pytest.mark.parametrize("name", UNPACKED_FORMATS)
@fuzz(6)
@given(data=st.data())
def test_anything_to_be_unpacked_is_refused_or_conserved(name: str, data: st.DataObject) -> None:
    changes, whole = UNPACKED_FORMATS[name]
    judged(data.draw(near(whole)), changes)


@pytest.mark.parametrize("member", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"])
@fuzz(4)
@given(data=st.data())
def test_a_workbook_with_a_damaged_part_is_refused_or_conserved(member: str, data: st.DataObject) -> None:
    judged(data.draw(rebuilt(member, xlsx(*ROWS))), UNPACKED_FORMATS["xlsx"][0])


odd_text = st.lists(st.sampled_from(["a", "b1", ",", ",", '"', '""', "\n", "\n", "\r\n", "\r", " ", ";", "é", "\0", "₹", "\u2028", "\x0b"]), max_size=40).map("".join)  # fmt: skip


def records_of(chunks: list[Chunk]) -> tuple[list[list[str]], list[Any]]:
    rows = [row for chunk in chunks for row in chunk.rows]
    by_number = [
        chunk.row(number)
        for chunk in chunks
        for number in range(chunk.first_row, chunk.first_row + len(chunk))
    ]
    assert rows == by_number
    seen = [
        (chunk.first_row + i, width, over, cell)
        for chunk in chunks
        for i, (width, over, cell) in enumerate(
            zip(chunk.widths().to_list(), chunk.runs_over(1), chunk.cells(1).to_list(), strict=True)
        )
    ]
    return rows, seen


@fuzz(400)
@given(content=odd_text, quoted=st.booleans(), block=st.integers(1, 30), chunk_rows=st.integers(1, 5))
def test_the_quick_cut_and_the_csv_module_give_the_same_rows(
    content: str, quoted: bool, block: int, chunk_rows: int
) -> None:
    text_format = CsvFormat(type="csv", quoted=quoted)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_bytes(content.encode())
        answers = []
        for quick in (True, False):
            slow = mock.patch.object(text, "cut_plainly", return_value=None)
            with mock.patch.object(text, "_BLOCK", block), mock.MagicMock() if quick else slow:
                try:
                    answers.append(records_of(list(TextFile(path, text_format, "a").chunks(chunk_rows))))
                except FileRefusedError as refusal:
                    answers.append(([], [refusal.message]))
    event("refused" if answers[0][1:] and not answers[0][0] and content else "read")
    assert answers[0] == answers[1]


SHEET = "xl/worksheets/sheet1.xml"
SMALL = Limits(memory_bytes=400_000_000, cells=500_000, processor_seconds=10, run_seconds=60)


def with_sheet(change: Callable[[bytes], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(xlsx(*ROWS))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return zipped(parts | {SHEET: change(parts[SHEET])})


ENTITIES = b'<!DOCTYPE x [<!ENTITY a0 "lol">' + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)) + b"]>"  # fmt: skip
TRAPS: dict[str, tuple[dict[str, Any], bytes]] = {
    "an archive that becomes a thousand times its size": (
        {"format": {"type": "csv", "zip": {}}}, zipped({"a.csv": b"," * 30_000_000}),
    ),
    "a sheet from the first cell to the last": (
        {"format": {"type": "xlsx"}},
        with_sheet(lambda xml: xml.replace(b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>')),
    ),
    "a workbook that is all blanks": ({"format": {"type": "xlsx"}}, with_sheet(lambda xml: xml + b" " * 600_000_000)),
    "a workbook cut in half": ({"format": {"type": "xlsx"}}, xlsx(*ROWS)[:3000]),
    "a page of cells over a million columns": (
        {"format": {"type": "html"}}, ("<table>" + '<tr><td colspan="999999999" rowspan="999999999">x</tr>' * 30_000 + "</table>").encode(),
    ),
    "a page nested without end": ({"format": {"type": "html"}}, b"<table><tr><td>" * 500_000),
    "JSON nested without end": ({"format": {"type": "json"}}, b"[" * 10_000_000),
    "JSON of empty objects": ({"format": {"type": "json"}}, b"[" + b"{}," * 600_000 + b"{}]"),
    "a line of a million columns": (CSV, b"a," * 1_000_000 + b"\n"),
    "a million columns below the headings": (CSV, lines(*ROWS) + b"," * 100_000 + b"\n"),
    "a line without end": (CSV, b"x y" * 10_000_000),
    "a record that goes on over all lines": (CSV, lines(*ROWS) + b'"\n",' * 400_000),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_refused(name: str, tmp_path: Path) -> None:
    changes, content = TRAPS[name]
    file_format = changes["format"]
    with pytest.raises(FileRefusedError) as caught:
        read(tmp_path, content, file_format, limits=SMALL)
    assert caught.value.code in (
        FileError.UNREADABLE_FILE,
        FileError.HEADING_NOT_FOUND,
        FileError.EMPTY_FILE,
    ), caught.value
    assert caught.value.message.startswith("a.bin")


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    """Ten to the ninth of a word, if they were."""
    cell = b"<row><c t='str'><v>&a9;</v></c></row></sheetData>"
    content = with_sheet(lambda xml: ENTITIES + xml.replace(b"</sheetData>", cell))
    try:
        rows = read(tmp_path, content, {"type": "xlsx"}, limits=SMALL)
    except FileRefusedError:
        return
    assert sum(len(text) for row in rows for text in row) < 1000


def test_a_reader_that_hangs_is_ended(tmp_path: Path) -> None:
    short = Limits(run_seconds=1, processor_seconds=60)
    pages = ("<table>" + "<tr>" + "<td>x" * 50 + "</table>").encode() * 20_000
    with pytest.raises(FileRefusedError, match=r"was not read within 1 seconds|processor time"):
        read(tmp_path, pages, {"type": "html"}, limits=short)


def test_a_formula_and_a_nul_are_plain_text(tmp_path: Path) -> None:
    columns = {**COLUMNS, "note": {"type": "text", "heading": "Note", "required": False}}
    content = lines((*HEADINGS, "Note"), (*FIRST, "=cmd|' /C calc'!A0"), (*SECOND, "a\0b"))
    given_lender, given_kind = lender(**CSV, columns=columns), kind(**CSV, columns=columns)
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    table = open_table(path, given_kind, "a.csv")
    transform = Transform(given_lender, given_kind, table.headings)
    (part,) = [transform.judge(chunk) for chunk in table.chunks]
    assert part.accepted["note"].to_list() == ["=cmd|' /C calc'!A0"]
    assert [(row.verdict.reason, row.raw_text) for row in part.set_aside] == [("bad_value", "SMP100235,1200.50,06/01/2026,T2,a\u2400b")]  # fmt: skip
