"""What every job of the sandbox gets, and how it writes rows."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError


@dataclass(frozen=True)
class Task:
    """A file to open; `name` is what messages call it, `folder` where the results go."""

    path: Path
    folder: Path
    name: str
    limits: Mapping[str, int]
    options: Mapping[str, Any]

    @property
    def password(self) -> str | None:
        """The password that opens the file; never part of a message."""
        return self.options.get("password")


def unreadable(message: str) -> FileRefusedError:
    """The refusal of a file that cannot be read."""
    return FileRefusedError(FileError.UNREADABLE_FILE, message)


class RowFiles:
    """Tables written as files of one JSON array a row, `0.rows`, `1.rows`, ...; counts their cells."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._cells = 0
        self.names: list[str] = []

    def write(self, name: str, rows: Iterable[Sequence[str]]) -> None:
        """Write one table. Raises FileRefusedError when there are more cells than any file of payments has."""
        with (self._task.folder / f"{len(self.names)}.rows").open("w", encoding="utf-8") as file:
            for row in rows:
                self._cells += max(len(row), 1)
                if self._cells > self._task.limits["cells"]:
                    cap = f"{self._task.limits['cells']} cells, the cap"
                    raise unreadable(f"{self._task.name} holds more than {cap}; ask for CSV")
                file.write(json.dumps(row))
                file.write("\n")
        self.names.append(name)
