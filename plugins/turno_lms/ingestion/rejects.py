"""Rejected rows put right by a person: corrected, through the pipeline of their file, or discarded with a reason."""

import csv
import io
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import Disposition, Fate, FileState
from turno_lms.ingestion import log, queries, replay_queries, versions
from turno_lms.ingestion.archive import fetch
from turno_lms.ingestion.files import ObjectStore
from turno_lms.ingestion.judging import FileToJudge, find_repeated, set_aside_repeated_of
from turno_lms.ingestion.readers import open_table
from turno_lms.ingestion.rejudge import accept_rows, recount
from turno_lms.ingestion.staging import open_trial, stage
from turno_lms.ingestion.tables import Chunk, Headings, TextRow, same_heading
from turno_lms.ingestion.transform import Transform
from turno_lms.lenders.schema import CsvFormat, FileKind, Lender
from turno_lms.warehouse.connection import Row, WarehouseConnection

_HAS_ROWS = (FileState.LOADED, FileState.LOADED_EMPTY, FileState.SUPERSEDED)


class RejectError(ValueError):
    """A rejected row that cannot be put right so; the message says why and what can be done instead."""


@dataclass(frozen=True)
class Correction:
    """A rejected row as it should have been: some cells by the file's headings, or the whole line; or as it stands."""

    reject_id: int
    reason: str
    cells: Mapping[str, str] = field(default_factory=dict)
    line: str | None = None
    is_other_money: bool = False
    """Of a row that stands in the place of one from an earlier version: that it is no correction of that one."""


@dataclass(frozen=True)
class FixReport:
    """A corrected row that is loaded now; the amount in rupees."""

    reject_id: int
    file_id: int
    row_number: int
    amount: str
    loan_id: str | None
    umrn: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an XCom."""
        return asdict(self)


def fix(
    conn: WarehouseConnection, s3: ObjectStore, lender: Lender, correction: Correction, run: RunContext
) -> FixReport:
    """Judge a rejected row again as corrected, and load it under its file and row number if it passes.

    Raises RejectError, and changes nothing, for a row that still does not pass. `conn` must have no open transaction.
    """
    _check_reason(correction.reason)
    of_file = _file_of(conn, correction.reject_id)
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory(prefix="turno-"))) / "file"
        stack.enter_context(log.file_lock(conn, of_file["bucket"], of_file["key"]))
        stack.enter_context(conn.transaction())
        conn.execute(queries.LOCK, (f"load {lender.slug}",))
        reject, row = _open_reject(conn, correction.reject_id), _loaded(conn, of_file["file_id"])
        fetch(s3, row, path)
        row = {**row, "mapping_version": lender.mapping_version}
        file = FileToJudge(lender, _kind(lender, row), path, row)
        chunk, staged = _judge(conn, file, reject, correction)
        number = reject["row_number"]
        mark = {"reason": correction.reason.strip(), "corrected_text": chunk.raw_text(number)}
        accept_rows(conn, row, [number], run, mark)
        recount(conn, row)
    return FixReport(correction.reject_id, row["file_id"], number, **staged)


def discard(conn: WarehouseConnection, reject_ids: Iterable[int], run: RunContext, reason: str) -> int:
    """Mark rejected rows as settled without being loaded, all or none of them; returns how many.

    Raises RejectError for one that is unknown, no reject, or settled already.
    """
    _check_reason(reason)
    wanted = sorted(set(reject_ids))
    with conn.transaction():
        for reject_id in wanted:
            _open_reject(conn, reject_id)
            values = {"reject_id": reject_id, "reason": reason.strip(), "actor": run.actor}
            conn.execute(replay_queries.DISCARD, values)
    return len(wanted)


def lender_of(conn: WarehouseConnection, reject_id: int) -> str:
    """Whose row it is. Raises RejectError for one that is unknown or settled."""
    with conn.transaction():
        return str(_open_reject(conn, reject_id)["lender"])


def _file_of(conn: WarehouseConnection, reject_id: int) -> Row:
    with conn.transaction():
        return log.read(conn, _open_reject(conn, reject_id)["file_id"])


def _loaded(conn: WarehouseConnection, file_id: int) -> Row:
    row = log.read(conn, file_id)
    if not versions.is_current(row["state"]):
        raise RejectError(
            f"file {file_id} is {row['state']}: only rows of a loaded file are corrected, replay it"
        )
    return row


def _kind(lender: Lender, row: Row) -> FileKind:
    kind = lender.files.get(row["kind"])
    if kind is None:
        raise RejectError(f"the mapping of {lender.slug} has no file kind {row['kind']} any more")
    return kind


def _open_reject(conn: WarehouseConnection, reject_id: int) -> Row:
    reject = conn.execute(replay_queries.READ_REJECT, (reject_id,)).fetchone()
    if reject is None:
        raise RejectError(f"there is no reject {reject_id}; `turno rejects list` shows those that are open")
    if reject["disposition"] != Disposition.REJECTED:
        raise RejectError(
            f"reject {reject_id} is {reject['disposition']} by a rule: there is nothing to put right"
        )
    if reject["file_state"] not in _HAS_ROWS:
        raise RejectError(
            f"reject {reject_id}: its file {reject['file_id']} is {reject['file_state']}, and no row of it is loaded: "
            "mend the file or its mapping and load it first"
        )
    if reject["fate"] != Fate.OPEN:
        raise RejectError(
            f"reject {reject_id} was {reject['fate']} by {reject['fate_by']}: {reject['fate_reason']}"
        )
    return reject


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise RejectError("say why: a decision about money needs a reason")


def _corrected(reject: Row, kind: FileKind, headings: Headings, correction: Correction) -> Chunk:
    delimiter = kind.format.delimiter if isinstance(kind.format, CsvFormat) else ","
    line = correction.line if correction.line is not None else reject["raw_text"]
    try:
        (cells,) = csv.reader(io.StringIO(line, newline=""), delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        message = f"reject {reject['reject_id']}: a correction is one line, delimited by {delimiter!r}"
        raise RejectError(message) from error
    for heading, text in correction.cells.items():
        _put(cells, _position(headings, heading), text)
    return Chunk(reject["row_number"], [cells], delimiter)


def _position(headings: Headings, wanted: str) -> int:
    found = [i for i, text in enumerate(headings.texts) if same_heading(text) == same_heading(wanted)]
    if len(found) != 1:
        there = ", ".join(" ".join(text.split()) for text in headings.texts if text.strip())
        how_often = "more than once" if found else "not"
        raise RejectError(f"the heading {wanted!r} stands {how_often} in the file; its headings are {there}")
    return found[0]


def _put(cells: TextRow, position: int, text: str) -> None:
    cells.extend([""] * (position + 1 - len(cells)))
    cells[position] = text


def _judge(
    conn: WarehouseConnection, file: FileToJudge, reject: Row, correction: Correction
) -> tuple[Chunk, Row]:
    """Stage the one row, judged by itself and against what is loaded. Raises RejectError when it is not accepted."""
    row, headings = file.row, open_table(file.path, file.kind, file.row["key"]).headings
    chunk = _corrected(reject, file.kind, headings, correction)
    open_trial(conn)
    stage(conn, row, Transform(file.lender, file.kind, headings).judge(chunk), queries.COPY_JUDGED_ASIDE)
    compares = file.kind.same_name == "corrects" and not correction.is_other_money
    find_repeated(conn, row, versions.earlier_versions(conn, row) if compares else [])
    set_aside_repeated_of(conn, chunk, row, queries.COPY_JUDGED_ASIDE)
    still = conn.execute(queries.READ_JUDGED_ASIDE).fetchone()
    if still is not None:
        raise RejectError(
            f"row {still['row_number']} of {row['key']} would still be {still['disposition']} "
            f"({still['reason_code']}): {still['message']}"
        )
    staged = conn.execute(queries.READ_STAGED).fetchone()
    if staged is None:
        raise RejectError(
            f"row {chunk.first_row} of {row['key']} is no payment under this mapping (a total or a note)"
        )
    return chunk, staged
