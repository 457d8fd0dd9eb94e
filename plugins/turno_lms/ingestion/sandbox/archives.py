"""Zip archives, with or without a password: one member, checked before and while it is unpacked."""

import zipfile
import zlib
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import pyzipper  # type: ignore[import-untyped]  # ships no types

from turno_lms.ingestion.sandbox.tasks import Task, unreadable

_BLOCK = 1 << 20
_SMALL = 1_000_000
"""Below this size a member may be as well packed as it likes."""


def unzip(task: Task) -> str:
    """Unpack the one member that fits the pattern to `member`; returns its name in the archive."""
    try:
        with pyzipper.AESZipFile(task.path) as archive:
            member = _member(archive, task)
            if member.flag_bits & 1:
                archive.setpassword(_password(task))
            with archive.open(member) as source, (task.folder / "member").open("wb") as target:
                _copy(source, target, min(member.compress_size, task.path.stat().st_size), task)
    except (zipfile.BadZipFile, pyzipper.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise unreadable(f"{task.name} cannot be read as a zip archive: {error}") from error
    except RuntimeError as error:  # what both libraries raise for a wrong password
        raise unreadable(f"{task.name}: the password of {_connection(task)} does not open it") from error
    return str(member.filename)


def _member(archive: Any, task: Task) -> Any:
    """The member that counts: folders and what macOS adds do not. Raises FileRefusedError unless there is one."""
    pattern = task.options["member"]
    files = [entry for entry in archive.infolist() if not entry.is_dir() and "__MACOSX" not in entry.filename]
    fitting = [entry for entry in files if fnmatchcase(PurePosixPath(entry.filename).name, pattern)]
    if len(fitting) != 1:
        there = ", ".join(entry.filename[:100] for entry in files[:10]) or "nothing"
        found = f"{len(fitting)} members fit {pattern!r}, which must be exactly one"
        raise unreadable(f"{task.name}: {found}; the archive holds {there}")
    return fitting[0]


def _password(task: Task) -> bytes:
    if task.password is None:
        message = (
            f"{task.name} is protected by a password, and the mapping names no password_connection under zip"
        )
        raise unreadable(message)
    return task.password.encode()


def _connection(task: Task) -> str:
    return f"the connection {task.options.get('password_connection')}"


def _copy(source: BinaryIO, target: BinaryIO, packed: int, task: Task) -> None:
    """Copy, counting what really comes out: what the archive says of itself may be a lie."""
    size, cap = 0, task.limits["unpacked_bytes"]
    while block := source.read(_BLOCK):
        size += len(block)
        if size > cap:
            raise unreadable(f"{task.name} unpacks to more than {cap // 1_000_000} MB, the cap for archives")
        if size > max(_SMALL, packed * task.limits["ratio"]):
            found = f"unpacks to more than {task.limits['ratio']} times its size, as only a trap does"
            raise unreadable(f"{task.name} {found}; ask for it without zip")
        target.write(block)
