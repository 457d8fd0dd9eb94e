"""Counters in the Prometheus text format, shared by all worker processes: any of them can answer a scrape."""

import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Iterable, Mapping

_NUMBER = struct.Struct("=Q")


class SharedCounters:
    """Whole numbers that only grow, shared with the processes forked after it was made.

    They lie in a file in memory that all of them map. The lock is on that file, too: the system takes it back when
    its holder is killed.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._offsets = {name: position * _NUMBER.size for position, name in enumerate(names)}
        self._file = os.memfd_create("turno_webhook_counters")
        size = max(len(self._offsets), 1) * _NUMBER.size
        os.ftruncate(self._file, size)
        self._numbers = mmap.mmap(self._file, size)
        self._among_threads = threading.Lock()

    def add(self, name: str, amount: int = 1) -> None:
        """Add to a counter, one of those named at the start."""
        offset = self._offsets[name]
        with self._among_threads:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                (number,) = _NUMBER.unpack_from(self._numbers, offset)
                _NUMBER.pack_into(self._numbers, offset, number + amount)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def values(self) -> dict[str, int]:
        """Every counter's value now."""
        return {name: _NUMBER.unpack_from(self._numbers, offset)[0] for name, offset in self._offsets.items()}


def series(family: str, **labels: str) -> str:
    """A series' name with its labels. Label values here are slugs and enum values, which need no escaping."""
    pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{family}{{{pairs}}}"


def exposition(families: Mapping[str, str], values: Mapping[str, int]) -> str:
    """The text format: every family with its help, then its series."""
    lines = []
    for family, text in families.items():
        lines += [f"# HELP {family} {text}", f"# TYPE {family} counter"]
        lines += [f"{name} {value}" for name, value in values.items() if name.partition("{")[0] == family]
    return "\n".join(lines) + "\n"
