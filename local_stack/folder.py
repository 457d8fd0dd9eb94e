"""The state folder: everything a checkout's stack keeps (`.turno`, or TURNO_STATE), removed by `make clean`."""

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_stack.processes import StackError, is_port_free

ROOT = Path(os.environ.get("TURNO_HOME") or Path(__file__).resolve().parents[1]).resolve()


@dataclass(frozen=True)
class StateFolder:
    """Paths, secrets and ports of one stack."""

    path: Path

    @classmethod
    def default(cls) -> "StateFolder":
        """The folder named by TURNO_STATE, else `.turno` in the checkout."""
        return cls(Path(os.environ.get("TURNO_STATE") or ROOT / ".turno").resolve())

    def log(self, name: str) -> Path:
        """Where a service writes its log."""
        return self.path / "logs" / f"{name}.log"

    @property
    def wanted(self) -> Path:
        """What the supervisor should keep running."""
        return self.path / "wanted.json"

    @property
    def running(self) -> Path:
        """What the supervisor does keep running."""
        return self.path / "running.json"

    def secrets(self, names: Mapping[str, int]) -> dict[str, str]:
        """The secrets of these names, each made of so many random bytes on first use and written in hexadecimal."""
        file = self.path / "secrets.json"
        known: dict[str, str] = read_json(file, {})
        missing = {name: secrets.token_hex(size) for name, size in names.items() if name not in known}
        if missing:
            known |= missing
            write_json(file, known)
        return known

    def ports(self, preferred: Mapping[str, int], ours: Collection[str]) -> dict[str, int]:
        """A port for each name: the remembered one, else the preferred one, else the next that is free.

        The ports of `ours` are kept without looking: our own services listen there.
        """
        file = self.path / "ports.json"
        remembered: dict[str, int] = read_json(file, {})
        chosen: dict[str, int] = {}
        for name, port in preferred.items():
            wish = remembered.get(name, port)
            not_these = (set(preferred.values()) | set(remembered.values()) | set(chosen.values())) - {
                wish,
                port,
            }
            chosen[name] = wish if name in ours else _next_free(wish, not_these)
        if chosen != remembered:
            write_json(file, chosen)
        return chosen

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the folder while starting or stopping; a second command waits its turn."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def read_json(file: Path, default: Any) -> Any:
    """The content of a JSON file of ours, or `default` when there is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except json.JSONDecodeError as error:
        raise StackError(f"{file} is damaged ({error}); remove it and try again") from error


def write_json(file: Path, content: Any) -> None:
    """Replace a JSON file at one stroke; only its owner may read it."""
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as draft:
        json.dump(content, draft, indent=1)
    Path(draft.name).replace(file)


def check_disk_space(folder: Path, megabytes: int) -> None:
    """Refuse to start where the database would soon stop for want of space."""
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < megabytes:
        raise StackError(f"only {free} MB are free under {folder}; the stack needs {megabytes} MB")


def _next_free(wish: int, not_these: set[int]) -> int:
    for port in range(wish, wish + 200):
        if port not in not_these and is_port_free(port):
            return port
    raise StackError(f"no free port from {wish} to {wish + 199}")
