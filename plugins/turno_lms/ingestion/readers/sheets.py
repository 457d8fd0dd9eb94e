"""Tables that the sandbox has written out: sheets of a workbook, tables of a page."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from turno_lms.ingestion.tables import Chunk, NumberedRow, RowsChunk, TextRow, check_width


class SheetFile:
    """One table, from its top: first `records`, as many as are wanted, then the rest as `chunks`."""

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._number = 0
        self._rows = self._read(path)

    def records(self) -> Iterator[NumberedRow]:
        """The rows with their numbers, one by one."""
        for row in self._rows:
            yield self._number, row

    def chunks(self, chunk_rows: int) -> Iterator[Chunk]:
        """The rows that were not yet read."""
        first = self._number + 1
        while rows := list(islice(self._rows, chunk_rows)):
            yield RowsChunk(first, rows)
            first += len(rows)

    def _read(self, path: Path) -> Iterator[TextRow]:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row: TextRow = json.loads(line)
                self._number += 1
                check_width(len(row), self._number, self._name)
                yield row
