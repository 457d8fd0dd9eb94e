"""The stand-in's state: one SQLite file, one writer, durable against the death of the process.

The write-ahead log with synchronous=NORMAL keeps every committed transaction through kill -9; only the
machine's own crash could take the last ones.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

Value = str | int | bytes | None
_SCHEMA: Final = (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8")
_UNIQUE_FAILURE: Final = "UNIQUE constraint failed: "


class DuplicateError(Exception):
    """A value that a unique constraint forbids; `column` is `table.column`."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class Store:
    """The state file, opened. Not for use by several threads at once."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode = wal", "synchronous = normal", "foreign_keys = on"):
            self._connection.execute(f"pragma {pragma}")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; must not span an await, for other requests use the same connection."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def rows(self, sql: str, *values: Value) -> list[sqlite3.Row]:
        """Every row of a query."""
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Value) -> sqlite3.Row | None:
        """The first row of a query, if any."""
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def run(self, sql: str, *values: Value) -> int:
        """Run a statement and return the id of the row it inserted, if it did; raises DuplicateError."""
        try:
            return self._connection.execute(sql, values).lastrowid or 0
        except sqlite3.IntegrityError as error:
            raise _translated(error) from error

    def run_many(self, sql: str, values: Sequence[tuple[Value, ...]]) -> None:
        """Run a statement once for each set of values."""
        self._connection.executemany(sql, values)


def _translated(error: sqlite3.IntegrityError) -> Exception:
    text = str(error)
    return DuplicateError(text.removeprefix(_UNIQUE_FAILURE)) if text.startswith(_UNIQUE_FAILURE) else error
