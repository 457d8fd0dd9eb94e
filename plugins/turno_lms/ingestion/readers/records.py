"""Records of keys and values (JSON lines), as rows of the cells that the mapping asks for."""

import io
import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from turno_lms.domain.states import FileError
from turno_lms.ingestion.readers.text import MAX_RECORD, text_blocks
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.sandbox.documents import exact_json
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, Chunk, NumberedRow, RowsChunk, TextRow
from turno_lms.lenders.schema import FileKind

Record = dict[str, Any]
NumberedRecord = tuple[int, Record, str]


class RecordFile:
    """A file of one JSON object a line. The keys of its first records are its headings; row numbers are line numbers.

    A column that may be blank need not be among them: records leave out what they do not know.
    """

    def __init__(self, path: Path, kind: FileKind, name: str) -> None:
        self._name = name
        self._records = self._read(path)
        self._top = list(islice(self._records, ROWS_TO_SEARCH))
        wanted = [path for column in kind.headed.values() for path in column.heading]
        there = [key for key in wanted if any(_holds(record, key) for _, record, _ in self._top)]
        optional = [
            column.heading[0]
            for column in kind.headed.values()
            if not getattr(column, "required", True) and not set(column.heading) & set(there)
        ]
        others = [key for _, record, _ in self._top for key in record]
        self._keys = list(dict.fromkeys([*there, *(optional if there else ()), *others]))

    def records(self) -> Iterator[NumberedRow]:
        """The headings, as row 0."""
        yield 0, self._keys

    def chunks(self, chunk_rows: int) -> Iterator[Chunk]:
        """Every line of the file; blank lines are rows without cells."""
        records = chain(self._top, self._records)
        while taken := list(islice(records, chunk_rows)):
            rows = [self._cells(record) for _, record, _ in taken]
            yield RowsChunk(taken[0][0], rows, raw=[text for *_, text in taken])

    def _cells(self, record: Record) -> TextRow:
        return [cell_text(_value(record, key)) for key in self._keys] if record else []

    def _read(self, path: Path) -> Iterator[NumberedRecord]:
        number = 0
        for block in text_blocks(path, "utf-8", self._name):
            for number, line in enumerate(io.StringIO(block), start=number + 1):  # noqa: B020  # goes on
                text = line.rstrip("\r\n")
                yield number, self._record(text, number) if text.strip() else {}, text

    def _record(self, text: str, number: int) -> Record:
        try:
            record = exact_json(text) if len(text) <= MAX_RECORD else None
        except RecursionError as error:
            raise self._refusal(number, "is nested without end") from error
        except ValueError as error:
            raise self._refusal(number, f"cannot be read as JSON: {error}") from error
        if not isinstance(record, dict):
            raise self._refusal(number, "is no object of keys and values")
        return record

    def _refusal(self, number: int, found: str) -> FileRefusedError:
        return FileRefusedError(FileError.UNREADABLE_FILE, f"{self._name}: line {number} {found}")


def cells_of(text: str, keys: Iterable[str]) -> TextRow:
    """The cells of one record under these keys. Raises ValueError for a text that is no JSON object."""
    record = exact_json(text)
    if not isinstance(record, dict):
        raise ValueError("it is no object of keys and values")
    return [cell_text(_value(record, key)) for key in keys]


def cell_text(value: Any) -> str:
    """A value as text: null is blank, truth is `true` or `false`, what holds more values is JSON again."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _holds(record: Record, key: str) -> bool:
    return _value(record, key) is not None


def _value(record: Record, key: str) -> Any:
    """What stands under a key, or under a dotted path where no key has the whole name."""
    if key in record:
        return record[key]
    value: Any = record
    for step in key.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
