"""A loaded file judged again, under any version of its mapping: what may change is changed, the rest is told.

- A row that was not accepted and passes now is loaded under its file and row number; its reject is marked `replayed`.
- A row that is loaded already is recognised by file and row number and never loaded twice.
- A row that is loaded and would now be another payment, or none, stays as it is: an exception names it.
- A row that a person corrected or discarded stays so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.money import canonical_amount, paise_to_rupees
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import Disposition, ExceptionKind, FileError, FileState
from turno_lms.ingestion import log, queries, replay_queries, versions
from turno_lms.ingestion.judging import (
    FileToJudge,
    add_payments,
    check_tie,
    find_repeated,
    set_repeated_aside,
    stage_file,
    tallies,
)
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.staging import open_trial
from turno_lms.ingestion.transform import Tally
from turno_lms.lenders.schema import FileKind
from turno_lms.warehouse.connection import Row, WarehouseConnection

ROWS_TOLD = 100
"""Changed rows that a report names one by one; the counts are of all of them."""

DIFFERENCES = ("differs", "no_longer_accepted")
"""Changes that are told and not made: the row is loaded."""

RowChange = dict[str, Any]


@dataclass(frozen=True)
class Fates:
    """Rows and rupees of a file by what they are."""

    rows: dict[str, int]
    rupees: dict[str, str]

    @classmethod
    def of(cls, counted: dict[Disposition, Tally]) -> "Fates":
        """From tallies."""
        return cls(
            {str(name): tally.rows for name, tally in counted.items()},
            {str(name): canonical_amount(paise_to_rupees(tally.paise)) for name, tally in counted.items()},
        )


@dataclass(frozen=True)
class Difference:
    """What judging a file again changes, in rows and rupees."""

    before: Fates
    now: Fates
    changed_rows: dict[str, int]
    """accepted: loaded now; judged_otherwise: set aside for another reason; the others are DIFFERENCES."""
    changed_rupees: dict[str, str]
    rows: tuple[RowChange, ...]
    """The first ROWS_TOLD changed rows, those that are told and not made before the others."""

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it was."""
        return not self.changed_rows

    @property
    def differences(self) -> int:
        """Loaded rows that would now be another payment, or none."""
        return sum(self.changed_rows.get(change, 0) for change in DIFFERENCES)


def rejudge(conn: WarehouseConnection, file: FileToJudge, earlier: list[int], run: RunContext) -> Difference:
    """Judge a version's bytes again and bring its rows up to that, in the caller's transaction.

    `earlier` are the other versions of its key.
    A file in which nothing changes is left untouched, its log row too. Raises FileRefusedError for a file that cannot
    be read under this mapping, or of which it would reject too much.
    """
    row = {
        **file.row,
        "mapping_version_before": file.row["mapping_version"],
        "mapping_version": file.lender.mapping_version,
    }
    file = replace(file, row=row)
    open_trial(conn)
    read = stage_file(conn, file, queries.COPY_JUDGED_ASIDE)
    _check_threshold(conn, file.kind, read.rows, row["key"])
    find_repeated(conn, row, earlier)
    set_repeated_aside(conn, file, queries.COPY_JUDGED_ASIDE)
    judged = conn.execute(queries.COUNT_JUDGED_ASIDE).fetchall()
    staged = conn.execute(replay_queries.COUNT_STAGED).fetchall()
    check_tie(read.rows, tallies([*judged, *staged]), row["key"])
    before = stored(conn, row)
    conn.execute("analyze judged_aside")
    conn.execute(replay_queries.COMPARE, row)
    counted = conn.execute(replay_queries.COUNT_CHANGES).fetchall()
    told = tuple(conn.execute(replay_queries.READ_CHANGES, (ROWS_TOLD,)).fetchall())
    makes = any(found["change"] not in DIFFERENCES for found in counted)
    if makes or not versions.is_current(row["state"]):
        _apply(conn, row, run, read.layout_rows)
    difference = Difference(
        Fates.of(before),
        Fates.of(stored(conn, row)),
        {found["change"]: found["rows"] for found in counted},
        {found["change"]: canonical_amount(paise_to_rupees(found["paise"])) for found in counted},
        tuple(map(_told, told)),
    )
    _note_differences(conn, row, difference, run)
    if makes:
        _record(conn, row, difference, run)
    return difference


def stored(conn: WarehouseConnection, row: Row) -> dict[Disposition, Tally]:
    """A file's rows and rupees as they are in RAW and among the rejects."""
    return tallies(conn.execute(replay_queries.COUNT_STORED, row).fetchall())


def recount(conn: WarehouseConnection, row: Row, **fields: Any) -> Row:
    """Bring a loaded file's log row up to what is stored, in the caller's transaction."""
    counted = stored(conn, row)
    total = sum(counted.values(), Tally())
    numbers = {f"rows_{name}": tally.rows for name, tally in counted.items()}
    numbers |= {f"paise_{name}": tally.paise for name, tally in counted.items()}
    numbers |= {
        "rows_read": total.rows,
        "paise_read": total.paise,
        "rows_amount_unreadable": total.unreadable,
    }
    state = FileState.LOADED if total.rows else FileState.LOADED_EMPTY
    return log.move(conn, row["file_id"], state, superseded_by=None, **numbers, **fields)


def accept_rows(
    conn: WarehouseConnection, row: Row, rows: list[int], run: RunContext, mark: Mapping[str, str | None]
) -> None:
    """Load staged rows under their numbers, and mark what was set aside under them as replayed.

    `mark` is the `reason` and, of a row that a person corrected, the `corrected_text`.
    """
    add_payments(conn, row, rows)
    values = {"file_id": row["file_id"], "rows": rows, "actor": run.actor, "corrected_text": None, **mark}
    conn.execute(replay_queries.MARK_REPLAYED, values)


def _check_threshold(conn: WarehouseConnection, kind: FileKind, read: Tally, name: str) -> None:
    rejected = tallies(conn.execute(queries.COUNT_JUDGED_ASIDE).fetchall())[Disposition.REJECTED]
    if kind.thresholds.halts(rejected.rows, read.rows, rejected.paise):
        finding = f"this mapping would reject {rejected.rows} of {read.rows} rows, above its limit"
        raise FileRefusedError(FileError.TOO_MANY_REJECTS, f"{name}: {finding}. Nothing is changed")


def _apply(conn: WarehouseConnection, row: Row, run: RunContext, layout_rows: int) -> None:
    found = conn.execute(replay_queries.ROWS_TO_ADD).fetchone()
    rows = found["rows"] if found else []
    accept_rows(conn, row, rows, run, {"reason": f"replayed under mapping {row['mapping_version']}"})
    conn.execute(replay_queries.JUDGE_OTHERWISE)
    recount(conn, row, mapping_version=row["mapping_version"], rows_layout=layout_rows)


def _told(change: Row) -> RowChange:
    rupees = {
        name: None
        if change[f"paise_{name}"] is None
        else canonical_amount(paise_to_rupees(change[f"paise_{name}"]))
        for name in ("before", "now")
    }
    names = ("row_number", "change", "fate_before", "reason_before", "fate_now", "reason_now")
    return {
        **{name: change[name] for name in names},
        "rupees_before": rupees["before"],
        "rupees_now": rupees["now"],
    }


def _note_differences(conn: WarehouseConnection, row: Row, difference: Difference, run: RunContext) -> None:
    values: dict[str, Any] = {"kind": ExceptionKind.REPLAY_DIFFERENCE, "run": run.label}
    values |= {"subject": f"file:{row['file_id']}", "lender": row["lender"]}
    if not difference.differences:
        conn.execute(replay_queries.CLEAR_DIFFERENCE, values)
        return
    rows = [told for told in difference.rows if told["change"] in DIFFERENCES]
    detail = {"key": row["key"], "mapping_version": row["mapping_version"], "rows": rows}
    counts = {change: difference.changed_rows.get(change, 0) for change in DIFFERENCES}
    rupees = sum(Decimal(difference.changed_rupees.get(change, 0)) for change in DIFFERENCES)
    values |= {"amount": rupees, "detail": Jsonb(detail | counts)}
    conn.execute(replay_queries.OPEN_DIFFERENCE, values)


def _record(conn: WarehouseConnection, row: Row, difference: Difference, run: RunContext) -> None:
    values = {
        "file_id": row["file_id"],
        "before": row["mapping_version_before"],
        "mapping_version": row["mapping_version"],
        "detail": Jsonb(asdict(difference)),
        "actor": run.actor,
        "run": run.label,
    }
    conn.execute(replay_queries.ADD_REPLAY, values)
