"""Readers for the formats a mapping can name, one module per family.

Text streams at any size. What has to be read whole (workbooks, HTML, JSON) and what has to be unpacked goes through the
sandbox, under its caps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from turno_lms.domain.states import FileError
from turno_lms.ingestion.headings import find_headings
from turno_lms.ingestion.readers import sections
from turno_lms.ingestion.readers.fixed_width import FixedWidthFile
from turno_lms.ingestion.readers.kinds import check_archive, check_kind
from turno_lms.ingestion.readers.passwords import connection_password
from turno_lms.ingestion.readers.records import RecordFile
from turno_lms.ingestion.readers.rows import delimiter_of
from turno_lms.ingestion.readers.sheets import SheetFile
from turno_lms.ingestion.readers.text import TextFile
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.sandbox import LIMITS, Job, Limits, run_job
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, Chunk, Headings, NumberedRow, RowsChunk, Table
from turno_lms.lenders.formats import (
    CsvFormat,
    FixedWidthFormat,
    HtmlFormat,
    JsonFormat,
    JsonLinesFormat,
    XlsFormat,
    XlsxFormat,
    ZipContainer,
)
from turno_lms.lenders.schema import FileKind

CHUNK_ROWS = 50_000
PasswordOf = Callable[[str], str]
"""The password of an Airflow connection."""


class Source(Protocol):
    """A table from its top: first `records`, as many as are wanted, then the rest as `chunks`."""

    def records(self) -> Iterator[NumberedRow]:
        """The rows with their physical numbers, one by one."""
        ...

    def chunks(self, chunk_rows: int) -> Iterator[Chunk]:
        """The rows that were not yet read."""
        ...


Place = tuple[str, Callable[[], Source]]
"""What messages call a table, and how it is opened: anew each time."""


def open_table(
    path: Path,
    kind: FileKind,
    name: str,
    *,
    chunk_rows: int = CHUNK_ROWS,
    password_of: PasswordOf = connection_password,
    limits: Limits = LIMITS,
) -> Table:
    """Find the headings of the file at `path` and return its table; `name` is what messages call the file.

    Raises FileRefusedError for files that are empty, unreadable, of another format or without the headings; so do the
    chunks, when the file turns out unreadable further down.
    """
    folder = TemporaryDirectory(prefix="turno-read-")
    try:
        places = _Opener(kind, Path(folder.name), password_of, limits).places(path, name)
        table = _first_table(places, kind, name, chunk_rows)
    except BaseException:
        folder.cleanup()
        raise
    return replace(table, chunks=_keeping(folder, table.chunks))


def text_records(path: Path, text_format: CsvFormat, name: str) -> Iterator[NumberedRow]:
    """The records of a delimited file with their physical numbers. Raises FileRefusedError where reading fails."""
    return TextFile(path, text_format, name).records()


def _keeping(folder: "TemporaryDirectory[str]", chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    with folder:
        yield from chunks


@dataclass(frozen=True)
class _Opener:
    """Gets at the tables of one file; what is unpacked on the way goes into `folder`."""

    kind: FileKind
    folder: Path
    password_of: PasswordOf
    limits: Limits

    def places(self, path: Path, name: str) -> Iterator[Place]:
        """The tables that may be the one: one for text, every sheet of a workbook."""
        _check_not_empty(path, name)
        file_format = self.kind.format
        if file_format.zip:
            path, name = self._unzipped(path, file_format.zip, name)
            _check_not_empty(path, name)
        check_kind(path, file_format, name)
        if isinstance(file_format, CsvFormat):
            yield name, partial(TextFile, path, file_format, name)
        elif isinstance(file_format, FixedWidthFormat):
            yield name, partial(FixedWidthFile, path, file_format, name)
        elif isinstance(file_format, JsonLinesFormat):
            yield name, partial(RecordFile, path, self.kind, name)
        elif isinstance(file_format, JsonFormat):
            self._read_whole("json", path, name, records=file_format.records)
            yield name, partial(RecordFile, self.folder / "records", self.kind, name)
        else:
            yield from self._sheets(path, file_format, name)

    def _sheets(
        self, path: Path, file_format: XlsFormat | XlsxFormat | HtmlFormat, name: str
    ) -> Iterator[Place]:
        if isinstance(file_format, HtmlFormat):
            tables = self._read_whole("html", path, name, encoding=file_format.encoding)
        else:
            options = {"format": file_format.type, "sheet": file_format.sheet}
            options |= self._password(file_format.password_connection)
            tables = [f"sheet {sheet}" for sheet in self._read_whole("workbook", path, name, **options)]
        for number, table in enumerate(tables):
            place = f"{name}, {table}"
            yield place, partial(SheetFile, self.folder / f"{number}.rows", place)

    def _unzipped(self, path: Path, container: ZipContainer, name: str) -> tuple[Path, str]:
        check_archive(path, name)
        limits = replace(self.limits, unpacked_bytes=self.limits.member_bytes)
        password = self._password(container.password_connection)
        member = run_job("unzip", path, self.folder, name, limits, member=container.member, **password)
        return self.folder / "member", f"{name}, {member}"

    def _password(self, connection: str | None) -> dict[str, Any]:
        return (
            {"password": self.password_of(connection), "password_connection": connection}
            if connection
            else {}
        )

    def _read_whole(self, job: Job, path: Path, name: str, **task: Any) -> Any:
        if path.stat().st_size > self.limits.whole_bytes:
            cap = f"{self.limits.whole_bytes // 1_000_000} MB, the cap for a {job}"
            raise FileRefusedError(FileError.UNREADABLE_FILE, f"{name} is larger than {cap}; ask for CSV")
        return run_job(job, path, self.folder, name, self.limits, **task)


def _check_not_empty(path: Path, name: str) -> None:
    if path.stat().st_size == 0:
        raise FileRefusedError(
            FileError.EMPTY_FILE, f"{name} is empty (0 bytes); ask the lender to send it again"
        )


def _first_table(places: Iterator[Place], kind: FileKind, name: str, chunk_rows: int) -> Table:
    """The first table with the headings; else the most telling refusal: the one that comes nearest."""
    refusals: list[FileRefusedError] = []
    for place, opened in places:
        try:
            return _table(place, opened, kind, chunk_rows)
        except FileRefusedError as refusal:
            refusals.append(refusal)
    order = (FileError.EMPTY_FILE, FileError.HEADING_NOT_FOUND)
    nearest = sorted(refusals, key=lambda refusal: order.index(refusal.code) if refusal.code in order else 2)
    raise nearest[-1] if nearest else FileRefusedError(FileError.EMPTY_FILE, f"{name} holds no table")


def _table(place: str, opened: Callable[[], Source], kind: FileKind, chunk_rows: int) -> Table:
    source, section = opened(), kind.section
    records = source.records()
    above = sections.skip_to(records, section.after, place) if section and section.after else []
    top = list(islice(records, ROWS_TO_SEARCH))
    ends = section.before if section else None
    searched = takewhile(lambda row: not (ends and sections.starts_with(row[1], ends)), top)
    headings = find_headings(searched, kind, place)
    below = [row for row in top if row[0] > headings.row_number]
    first = [RowsChunk(below[0][0], [row for _, row in below], delimiter_of(kind))] if below else []
    chunks: Iterator[Chunk] = chain(first, source.chunks(chunk_rows))
    if ends:
        chunks = sections.before(chunks, ends, place)
    above += [row for row in top if row[0] < headings.row_number]
    return Table(_with_values(headings, kind, above, opened, place), chunks)


def _with_values(
    headings: Headings, kind: FileKind, above: list[NumberedRow], opened: Callable[[], Source], place: str
) -> Headings:
    if not kind.values:
        return headings
    source = opened()
    if isinstance(source, FixedWidthFile):
        return replace(headings, values=sections.record_values(kind, source, place))
    return replace(headings, values=sections.file_values(kind, above, source.chunks(CHUNK_ROWS), place))
