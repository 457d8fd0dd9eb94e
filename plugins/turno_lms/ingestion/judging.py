"""A file's rows, judged by the transform and against what is loaded already; written to the staging tables.

The steps behind every load, replay and correction: the same rules, in the same order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString, TypeVar

from turno_lms.domain.money import paise_to_rupees, rupees_to_paise
from turno_lms.domain.states import Disposition, FileError
from turno_lms.ingestion import queries, versions
from turno_lms.ingestion.ahead import one_ahead
from turno_lms.ingestion.control_totals import check_control_totals
from turno_lms.ingestion.drift import LastFile, check_drift, headings_to_keep, since
from turno_lms.ingestion.duplicates import repeats_earlier_file, repeats_earlier_version
from turno_lms.ingestion.readers import open_table
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.staging import stage, write_set_aside
from turno_lms.ingestion.tables import Chunk, Table
from turno_lms.ingestion.transform import Judged, SetAside, Tally, Transform
from turno_lms.lenders.schema import FileKind, Lender
from turno_lms.warehouse.connection import Row, WarehouseConnection

Ready = TypeVar("Ready")


@dataclass(frozen=True)
class FileToJudge:
    """The bytes of a version at `path`, its log row, and the mapping it is read under."""

    lender: Lender
    kind: FileKind
    path: Path
    row: Row
    last: LastFile | None = None
    """The file whose headings it must have; None for a file that was loaded before."""


@dataclass(frozen=True)
class FileRead:
    """What a file held, counted before judgement."""

    rows: Tally
    layout_rows: int
    headings: list[str] | None


@dataclass(frozen=True)
class Written:
    """What a file brought: its rows before judgement, and what PostgreSQL says was written, by disposition."""

    read: FileRead
    rejected_at_first: Tally
    """What the thresholds are held against: the rejects before anything is compared with earlier files."""
    by_disposition: dict[Disposition, Tally]


def stage_file(
    conn: WarehouseConnection, file: FileToJudge, aside: LiteralString = queries.COPY_SET_ASIDE
) -> FileRead:
    """Judge every chunk and write it to the staging tables: see `judge_file`."""
    return judge_file(file, lambda judged: judged, lambda judged: stage(conn, file.row, judged, aside))


def judge_file(
    file: FileToJudge, prepare: Callable[[Judged], Ready], write: Callable[[Ready], None]
) -> FileRead:
    """Judge every chunk and write it; returns what was read.

    Each chunk is read, judged and prepared in another thread while the one before it is written. Raises
    FileRefusedError for a file that cannot be read, whose headings changed, or whose rows do not add up, or not to its
    own control totals.
    """
    name, table = file.row["key"], _open(file)
    transform = Transform(file.lender, file.kind, table.headings)
    read, filtered, layout_rows, file_rows = Tally(), Tally(), 0, 0
    for rows, judged, ready in one_ahead(_prepared(table, transform, prepare)):
        write(ready)
        read += judged.read
        filtered += judged.aside(Disposition.FILTERED)
        layout_rows += judged.layout_rows
        file_rows += rows
    if read.rows + layout_rows != file_rows:
        raise does_not_tie(name, f"{file_rows} rows in the file, {read.rows} read and {layout_rows} layout")
    check_control_totals(file.kind, table.headings.values, read, filtered, name)
    return FileRead(read, layout_rows, headings_to_keep(table.headings, file.kind))


def _open(file: FileToJudge) -> Table:
    """The file's table, whose headings are those of the last file."""
    name = file.row["key"]
    try:
        table = open_table(file.path, file.kind, name)
    except FileRefusedError as refusal:
        raise since(refusal, file.last) from refusal
    check_drift(table.headings, file.last, file.kind, file.row["kind"], name)
    return table


def _prepared(
    table: Table, transform: Transform, prepare: Callable[[Judged], Ready]
) -> Iterator[tuple[int, Judged, Ready]]:
    for chunk in table.chunks:
        judged = transform.judge(chunk)
        yield len(chunk), judged, prepare(judged)


def find_repeated(conn: WarehouseConnection, row: Row, earlier: list[int]) -> None:
    """Make `repeated_payment`: the staged rows that are loaded already, by reference or in an `earlier` version."""
    conn.execute("analyze staged_payment")
    conn.execute(queries.FIND_REPEATED, row)
    if earlier:
        versions.find_rows_of_versions(conn, row, earlier)


def set_repeated_aside(
    conn: WarehouseConnection, file: FileToJudge, aside: LiteralString = queries.COPY_SET_ASIDE
) -> None:
    """Set aside the staged rows of `repeated_payment`. The file is read again for their raw text."""
    if conn.execute(queries.ANY_REPEATED).fetchone() is None:
        return
    for chunk in open_table(file.path, file.kind, file.row["key"]).chunks:
        set_aside_repeated_of(conn, chunk, file.row, aside)


def set_aside_repeated_of(
    conn: WarehouseConnection, chunk: Chunk, row: Row, aside: LiteralString = queries.COPY_SET_ASIDE
) -> None:
    """`set_repeated_aside` for the rows of one chunk."""
    bounds = chunk.first_row, chunk.first_row + len(chunk) - 1
    repeated = conn.execute(queries.READ_REPEATED, bounds).fetchall()
    write_set_aside(conn, row, [_repeats_loaded(again, chunk) for again in repeated], aside)


def _repeats_loaded(again: Row, chunk: Chunk) -> SetAside:
    same = again["same_payment"]
    if again["by_reference"]:
        verdict, message = repeats_earlier_file(
            again["payment_id"], again["source_file"], again["first_row"], same_payment=same
        )
    else:
        first = f"{again['first_amount']} on {again['first_date']}"
        verdict, message = repeats_earlier_version(
            again["source_file"], again["first_row"], first, same_payment=same
        )
    number = again["row_number"]
    return SetAside(number, verdict, message, rupees_to_paise(again["amount"]), chunk.raw_text(number))


def add_payments(conn: WarehouseConnection, row: Row, rows: list[int] | None = None) -> Row:
    """Add the staged rows that repeat nothing to RAW (only those with the numbers in `rows`); returns their count."""
    added = conn.execute(queries.ADD_PAYMENTS, {**row, "rows": rows}).fetchone()
    if added is None:
        raise LookupError("the count of the added rows is missing")
    return added


def tallies(rows: list[Row]) -> dict[Disposition, Tally]:
    """Counts by disposition, with zeros for what is not there."""
    empty = {disposition: Tally() for disposition in Disposition}
    return empty | {
        Disposition(row["disposition"]): Tally(row["rows"], row["paise"], row["unreadable"]) for row in rows
    }


def check_tie(read: Tally, written: dict[Disposition, Tally], name: str) -> None:
    """What was read, counted before judgement, against what PostgreSQL says was written, in rows and rupees."""
    total = sum(written.values(), Tally())
    if read != total:
        raise does_not_tie(name, f"{_told(read)} read, {_told(total)} written")


def does_not_tie(name: str, finding: str) -> FileRefusedError:
    """The refusal of a file whose rows or rupees do not add up."""
    advice = "No row is loaded; this is a fault of the program, please report it with the file"
    return FileRefusedError(FileError.DOES_NOT_TIE, f"{name} does not tie: {finding}. {advice}")


def _told(tally: Tally) -> str:
    return (
        f"{tally.rows} rows of {paise_to_rupees(tally.paise)} rupees ({tally.unreadable} amounts unreadable)"
    )
