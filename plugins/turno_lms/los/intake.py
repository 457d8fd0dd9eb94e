"""Submissions from files and forms into RAW: checked as the receiver does, each bad row refused with field and reason.

All of a file is one transaction: its rows, its refused rows and its entry in core.core_los_file, in which every row has
exactly one fate.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

from psycopg.types.json import Jsonb

from turno_lms.domain.runs import RunContext
from turno_lms.los.rows import payload_of
from turno_lms.los.schemas import Problem, problems
from turno_lms.warehouse.connection import WarehouseConnection

BATCH = 1000
_MOST_TOLD = 20
FILE_CALLER = "files"
"""Who submits a file that does not lie in a caller's own folder."""

_INSERT = """
insert into raw.raw_los_submission (operation, caller, reference, payload, source, file_id, row_number)
select
    %(operation)s, %(caller)s, given.payload ->> 'reference', given.payload, %(source)s, %(file_id)s, given.row_number
from unnest(%(payloads)s::text[], %(numbers)s::integer[]) as listed (payload_text, row_number)
cross join lateral (select listed.payload_text::jsonb as payload, listed.row_number) as given
order by given.payload ->> 'reference', given.row_number
on conflict do nothing
returning row_number
"""
_COMPARE = """
select listed.row_number, stored.payload = listed.payload_text::jsonb as is_same
from unnest(%(payloads)s::text[], %(numbers)s::integer[]) as listed (payload_text, row_number)
inner join raw.raw_los_submission as stored
    on
        stored.operation = %(operation)s
        and stored.caller = %(caller)s
        and stored.reference = listed.payload_text::jsonb ->> 'reference'
"""
_REFUSE = """
insert into raw.raw_los_refused_row
    (file_id, operation, caller, row_number, reference, reason, field, problem, payload, refused_by_run)
values (
    %(file_id)s, %(operation)s, %(caller)s, %(row_number)s, %(reference)s, %(reason)s, %(field)s, %(problem)s,
    %(payload)s, %(run)s
)
"""
_KNOWN_FILE = "select state from core.core_los_file where (bucket, key, etag) = (%s, %s, %s)"
_LOG_FILE = """
insert into core.core_los_file (bucket, key, etag, operation, caller, sha256, state, error_message, taken_by_run)
values (%(bucket)s, %(key)s, %(etag)s, %(operation)s, %(caller)s, %(sha256)s, %(state)s, %(error)s, %(run)s)
on conflict (bucket, key, etag) do nothing
returning file_id
"""
_COUNT_ROWS = """
update core.core_los_file
set rows_read = %(read)s, rows_accepted = %(accepted)s, rows_duplicate = %(duplicate)s, rows_refused = %(refused)s
where file_id = %(file_id)s
"""


@dataclass(frozen=True)
class Incoming:
    """One row of a file or form: its number there, and its cells by heading (or a JSON object as it is)."""

    number: int
    cells: Any
    is_text: bool = True
    """Whether the cells are texts of a table, to be read by the schema's types."""


@dataclass(frozen=True)
class LosFile:
    """One version of a file under los/<operation>/."""

    bucket: str
    key: str
    etag: str
    operation: str
    caller: str

    def to_dict(self) -> dict[str, str]:
        """For XCom."""
        return asdict(self)


@dataclass
class Taken:
    """Where the rows ended, and the first problems for a person to read: row, field and what is wrong, no values."""

    read: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    first_problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For XCom."""
        return {**asdict(self), "first_problems": list(self.first_problems)}


def is_known(conn: WarehouseConnection, file: LosFile) -> bool:
    """Whether this version was dealt with."""
    return conn.execute(_KNOWN_FILE, (file.bucket, file.key, file.etag)).fetchone() is not None


def land_file(
    conn: WarehouseConnection, file: LosFile, sha256: str, rows: Iterable[Incoming], run: RunContext
) -> Taken:
    """Land a file's rows, in one transaction; a version that was dealt with lands nothing again. `rows` may raise: then
    nothing of it is stored.
    """
    with conn.transaction():
        file_id = _logged(conn, file, "landed", run, sha256=sha256)
        if file_id is None:
            return Taken()
        taken = _land(conn, Origin(file.operation, file.caller, "file", run, file_id), rows)
        conn.execute(_COUNT_ROWS, {**asdict(taken), "file_id": file_id})
    return taken


def refuse_file(conn: WarehouseConnection, file: LosFile, message: str, run: RunContext) -> None:
    """Note that a file cannot be read; the same version is not tried again."""
    _logged(conn, file, "refused", run, error=message)


def _logged(
    conn: WarehouseConnection, file: LosFile, state: str, run: RunContext, *, sha256: str | None = None,
    error: str | None = None,
) -> int | None:  # fmt: skip
    """Enter a file version in the log; None if it is there."""
    values = {**file.to_dict(), "sha256": sha256, "state": state, "error": error, "run": run.label}
    row = conn.execute(_LOG_FILE, values).fetchone()
    return int(row["file_id"]) if row else None


def land_form(
    conn: WarehouseConnection, operation: str, caller: str, rows: Iterable[Incoming], run: RunContext
) -> Taken:
    """Land what a person typed, in one transaction; `caller` is `form:` and the person."""
    with conn.transaction():
        return _land(conn, Origin(operation, caller, "form", run), rows)


@dataclass(frozen=True)
class Origin:
    """Where rows come from and what they are submissions of."""

    operation: str
    caller: str
    source: Literal["file", "form"]
    run: RunContext
    file_id: int | None = None


def _land(conn: WarehouseConnection, origin: Origin, rows: Iterable[Incoming]) -> Taken:
    taken, left = Taken(), iter(rows)
    while chunk := list(islice(left, BATCH)):
        judged = [(row, *_judged(origin.operation, row)) for row in chunk]
        good = [(row.number, payload) for row, payload, found in judged if not found]
        bad = [(row.number, payload, found, "bad_row") for row, payload, found in judged if found]
        bad += _stored(conn, origin, good, taken)
        for each in bad:
            _refuse(conn, origin, each)
        told = [
            f"row {number}: {problem.field or 'row'}: {reason}"
            for number, _, found, reason in bad
            for problem in found
        ]
        taken.first_problems = (*taken.first_problems, *told)[:_MOST_TOLD]
        taken.read += len(chunk)
        taken.refused += len(bad)
    return taken


def _judged(operation: str, row: Incoming) -> tuple[Any, list[Problem]]:
    payload = payload_of(operation, row.cells) if row.is_text else row.cells
    return payload, problems(operation, payload)


Bad = tuple[int, Any, list[Problem], str]


def _stored(
    conn: WarehouseConnection, origin: Origin, good: list[tuple[int, Any]], taken: Taken
) -> list[Bad]:
    """Insert what is new; returns the rows that contradict what stands under their reference."""
    values = {
        "operation": origin.operation, "caller": origin.caller, "source": origin.source, "file_id": origin.file_id,
        "payloads": [json.dumps(payload) for _, payload in good], "numbers": [number for number, _ in good],
    }  # fmt: skip
    new = {row["row_number"] for row in conn.execute(_INSERT, values)}
    same = {row["row_number"]: row["is_same"] for row in conn.execute(_COMPARE, values)}
    taken.accepted += len(new)
    taken.duplicate += sum(is_same for number, is_same in same.items() if number not in new)
    conflict = Problem("reference", "something else was submitted under this reference")
    return [
        (number, payload, [conflict], "reference_conflict")
        for number, payload in good
        if not same.get(number, False)
    ]


def _refuse(conn: WarehouseConnection, origin: Origin, bad: Bad) -> None:
    number, payload, found, reason = bad
    reference = payload.get("reference") if isinstance(payload, dict) else None
    values = {
        "file_id": origin.file_id, "operation": origin.operation, "caller": origin.caller, "row_number": number,
        "reference": reference if isinstance(reference, str) else None, "reason": reason, "payload": Jsonb(payload),
        "run": origin.run.label,
    }  # fmt: skip
    for problem in found:
        conn.execute(_REFUSE, {**values, "field": problem.field, "problem": problem.message})
