"""The process that opens one file: takes the task from standard input, answers on standard output."""

import json
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.sandbox import archives, documents, pages, workbooks
from turno_lms.ingestion.sandbox.tasks import Task, unreadable

JOBS: Mapping[str, Callable[[Task], Any]] = {
    "unzip": archives.unzip,
    "workbook": workbooks.write_sheets,
    "html": pages.write_tables,
    "json": documents.write_records,
}


def main() -> None:
    """Do the task. Everything a file can cause here, a panic of a parser included, is told as a refusal."""
    order = json.load(sys.stdin)
    limits = order.pop("limits")
    _limit(limits)
    job = JOBS[order.pop("job")]
    path, folder, name = Path(order.pop("path")), Path(order.pop("folder")), order.pop("name")
    task = Task(path, folder, name, limits, order)
    try:
        answer = {"done": job(task)}
    except FileRefusedError as refusal:
        answer = {"refused": refusal.code, "message": refusal.message}
    except MemoryError:
        answer = _refused(task, "needs more memory to read than any file of payments")
    except BaseException as error:  # a panic in Rust is no Exception
        answer = _refused(task, f"cannot be read: {type(error).__name__}: {str(error)[:200]}")
    json.dump(answer, sys.stdout)


def _limit(limits: Mapping[str, int]) -> None:
    seconds = limits["processor_seconds"]
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["unpacked_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _refused(task: Task, found: str) -> dict[str, Any]:
    refusal = unreadable(f"{task.name} {found}. Is it damaged? Ask the lender for it as CSV")
    return {"refused": refusal.code, "message": refusal.message}


if __name__ == "__main__":
    main()
