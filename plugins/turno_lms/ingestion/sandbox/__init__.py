"""Opening what cannot be read as plain text (archives, workbooks, HTML, JSON) in a process of its own.

Whatever such a file holds, it can at worst end that process: memory, processor time, run time and what it may write are
limited, and a crash inside a parser's C or Rust code is a refusal like any other. The process gets its task as JSON on
standard input (a password too, so that it stands in no list of processes), writes plain rows or bytes into a folder and
answers in JSON; `python -m turno_lms.ingestion.sandbox` is its program.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError

Job = Literal["unzip", "workbook", "html", "json"]


@dataclass(frozen=True)
class Limits:
    """What one task may use, and the largest files it takes."""

    whole_bytes: int = 50_000_000
    """A workbook, page or JSON document: they are read whole."""
    unpacked_bytes: int = 500_000_000
    """What a workbook may unpack to, and what the rows of one file may take as text."""
    member_bytes: int = 20_000_000_000
    """What a member of a zip archive may unpack to: it is then read as a stream."""
    ratio: int = 200
    """How many bytes one byte of an archive may become; tables of payments stay below fifty."""
    cells: int = 20_000_000
    """Cells of all sheets of a workbook, or of all tables of a page."""
    memory_bytes: int = 2_000_000_000
    processor_seconds: int = 300
    run_seconds: int = 900


LIMITS = Limits()
"""What holds in production."""


def run_job(job: Job, path: Path, folder: Path, name: str, limits: Limits, **task: Any) -> Any:
    """Let the process do `job` with the file at `path` and write into `folder`; returns its answer.

    `name` is what messages call the file. Raises FileRefusedError, whatever the file does to the process.
    """
    order = {
        "job": job,
        "path": str(path),
        "folder": str(folder),
        "name": name,
        "limits": asdict(limits),
        **task,
    }
    search_path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(  # noqa: S603  # this interpreter, our own module
            [sys.executable, "-m", __name__],
            input=json.dumps(order).encode(),
            capture_output=True,
            env=search_path,
            cwd=folder,
            timeout=limits.run_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _unreadable(name, f"was not read within {limits.run_seconds} seconds") from error
    if done.returncode:
        raise _unreadable(name, _ending(done.returncode))
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise FileRefusedError(FileError(answer["refused"]), answer["message"])
    return answer["done"]


def _unreadable(name: str, found: str) -> FileRefusedError:
    advice = "Is it damaged, or made to do harm? Ask the lender for it as CSV"
    return FileRefusedError(FileError.UNREADABLE_FILE, f"{name} {found}. {advice}")


def _ending(code: int) -> str:
    if -code == signal.SIGXCPU:
        return "takes more processor time to read than any file of payments"
    ended = signal.Signals(-code).name if code < 0 else f"status {code}"
    return f"cannot be read: its reader ended with {ended}, perhaps for want of memory"
