"""Archived files read again: one key or a range of days, under the mapping of today or an earlier one.

`try_replay` does all of it and rolls it back, so its figures are those of the real run. `replay_file` is one
transaction per file: killed, it leaves nothing half; run twice, the second finds nothing to change.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import Disposition, FileError, FileState
from turno_lms.ingestion import log, queries, replay_queries, versions
from turno_lms.ingestion.archive import fetch, keep
from turno_lms.ingestion.files import ObjectStore, places_of
from turno_lms.ingestion.judging import FileToJudge
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.rejudge import Difference, rejudge
from turno_lms.lenders import mapping_versions
from turno_lms.lenders.schema import FileKind, Lender
from turno_lms.warehouse.connection import Row, WarehouseConnection


@dataclass(frozen=True)
class ReplayReport:
    """What a replay does to one file, or would do."""

    file_id: int
    key: str
    dry_run: bool
    mapping_version_before: str | None
    mapping_version: str
    difference: Difference | None
    refusal: str | None = None
    """Why the file cannot be replayed; nothing of it is changed then."""

    @property
    def rows_loaded(self) -> int:
        """Rows that came into RAW."""
        return self.difference.changed_rows.get("accepted", 0) if self.difference else 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an XCom."""
        return asdict(self)

    def to_text(self) -> str:
        """Some lines for a person: a table of fates before and now, then the changed rows."""
        versions_told = f"mapping {self.mapping_version_before} -> {self.mapping_version}"
        head = f"file {self.file_id}  {self.key}  {versions_told}"
        if self.difference is None:
            return f"{head}\n  refused: {self.refusal}"
        if self.difference.is_empty:
            return f"{head}\n  nothing changes"
        return "\n".join([head, *_table(self.difference), *_rows(self.difference)])


def files_to_replay(
    conn: WarehouseConnection,
    slug: str,
    *,
    key: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
) -> list[int]:
    """The file versions of a lender under a key, or received on some days (IST, both included), in their order.

    Versions that were superseded and those with the content of another are left out: what replaced them is replayed.
    """
    values = {"lender": slug, "key": key, "first_day": first_day, "last_day": last_day}
    with conn.transaction():
        return [row["file_id"] for row in conn.execute(replay_queries.FILES_TO_REPLAY, values)]


def try_replay(
    conn: WarehouseConnection, s3: ObjectStore, lender: Lender, file_ids: Iterable[int], run: RunContext
) -> list[ReplayReport]:
    """What replaying these files, one after the other, would do; nothing is written."""
    reports = []
    with conn.transaction(force_rollback=True):
        for file_id in file_ids:
            with TemporaryDirectory(prefix="turno-") as folder:
                work = _Replay(conn, s3, lender, run, Path(folder) / "file", dry_run=True)
                reports.append(work.report(file_id))
            conn.execute(replay_queries.DROP_TRIAL)
    return reports


def replay_file(
    conn: WarehouseConnection, s3: ObjectStore, lender: Lender, file_id: int, run: RunContext
) -> ReplayReport:
    """Replay one file for good. A refusal is in the report. `conn` must have no open transaction."""
    with conn.transaction():
        row = log.read(conn, file_id)
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="turno-"))
        stack.enter_context(log.file_lock(conn, row["bucket"], row["key"]))
        return _Replay(conn, s3, lender, run, Path(folder) / "file", dry_run=False).report(file_id)


class _Replay:
    """The replay of one file."""

    def __init__(
        self,
        conn: WarehouseConnection,
        s3: ObjectStore,
        lender: Lender,
        run: RunContext,
        path: Path,
        *,
        dry_run: bool,
    ) -> None:
        self._conn = conn
        self._s3 = s3
        self._lender = lender
        self._run = run
        self._path = path
        self._dry_run = dry_run

    def report(self, file_id: int) -> ReplayReport:
        """Replay it in one transaction (a savepoint, if one is open), and tell what became of it."""
        difference, refusal = None, None
        try:
            with self._conn.transaction():
                self._conn.execute(queries.LOCK, (f"load {self._lender.slug}",))
                row = log.read(self._conn, file_id)
                difference = self._replay(row)
        except FileRefusedError as error:
            refusal = error.message
        return ReplayReport(
            file_id,
            row["key"],
            self._dry_run,
            row["mapping_version"],
            self._lender.mapping_version,
            difference,
            refusal,
        )

    def _replay(self, row: Row) -> Difference:
        kind = self._kind(row)
        sha256, _ = fetch(self._s3, row, self._path)
        mapping_versions.keep(self._conn, self._lender)
        earlier = versions.earlier_versions(self._conn, row) if kind.same_name == "corrects" else []
        if versions.is_current(row["state"]):
            return rejudge(self._conn, self._file(kind, row), earlier, self._run)
        if not self._dry_run:
            keep(self._s3, row, self._path, sha256)
        row = self._take_up(row, sha256)
        difference = rejudge(self._conn, self._file(kind, row), earlier, self._run)
        versions.supersede(self._conn, row, earlier, self._run)
        return difference

    def _file(self, kind: FileKind, row: Row) -> FileToJudge:
        return FileToJudge(self._lender, kind, self._path, row)

    def _kind(self, row: Row) -> FileKind:
        if row["state"] in (FileState.SUPERSEDED, FileState.SAME_CONTENT) or row["superseded_by"]:
            other = row["superseded_by"] or row["same_content_as"]
            raise FileRefusedError(
                FileError.NEWER_VERSION_LOADED,
                f"{row['key']} (file {row['file_id']}) is {row['state']}: replay file {other} instead",
            )
        names = [row["kind"], *(place.kind for place in places_of(self._lender) if place.covers(row["key"]))]
        kind = next((self._lender.files[name] for name in names if name in self._lender.files), None)
        if kind is None:
            message = (
                f"{row['key']} is no file of {self._lender.slug} under mapping {self._lender.mapping_version}"
            )
            raise FileRefusedError(FileError.UNKNOWN_KIND, message)
        return kind

    def _take_up(self, row: Row, sha256: str) -> Row:
        """A version that is not loaded yet, on its way again, in the transaction that loads it."""
        file_id = row["file_id"]
        log.move(self._conn, file_id, FileState.RECEIVED, error_code=None, error_message=None)
        return log.move(self._conn, file_id, FileState.ARCHIVED, sha256=sha256)


def _table(difference: Difference) -> Iterable[str]:
    yield f"  {'':<12}{'rows then':>10}{'rupees then':>18}{'rows now':>10}{'rupees now':>18}"
    for name in Disposition:
        rows, rupees = difference.before.rows[name], difference.before.rupees[name]
        rows_now, rupees_now = difference.now.rows[name], difference.now.rupees[name]
        yield f"  {name:<12}{rows:>10}{rupees:>18}{rows_now:>10}{rupees_now:>18}"
    for change, rows in difference.changed_rows.items():
        yield f"  {change}: {rows} rows, {difference.changed_rupees[change]} rupees"


def _rows(difference: Difference) -> Iterable[str]:
    for row in difference.rows:
        before = f"{row['fate_before'] or 'no row'} {row['reason_before'] or ''} {row['rupees_before'] or ''}"
        now = f"{row['fate_now'] or 'no row'} {row['reason_now'] or ''} {row['rupees_now'] or ''}"
        told = " ".join(f"{before} -> {now}".split())
        yield f"  row {row['row_number']}: {row['change']}: {told}"
