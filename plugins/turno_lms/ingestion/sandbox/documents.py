"""JSON documents: their records, one a line."""

import json
from typing import Any

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.sandbox.tasks import Task, unreadable


def write_records(task: Task) -> int:
    """Write the records to `records`, a line each; returns how many."""
    try:
        document = exact_json(task.path.read_bytes().decode("utf-8-sig"))
    except RecursionError as error:
        raise unreadable(f"{task.name} is nested deeper than any list of payments") from error
    except ValueError as error:
        raise unreadable(f"{task.name} cannot be read as JSON: {error}") from error
    records = _records(document, task)
    if len(records) > task.limits["cells"]:
        raise unreadable(f"{task.name} holds more than {task.limits['cells']} records, the cap; ask for CSV")
    with (task.folder / "records").open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record))
            file.write("\n")
    return len(records)


def exact_json(text: str) -> Any:
    """A JSON document with its numbers as text, every digit as it is written.

    Raises ValueError for what is no JSON, for NaN and for an object that has a key twice; RecursionError for nesting
    without end.
    """
    return json.loads(
        text, parse_float=str, parse_int=str, parse_constant=_no_number, object_pairs_hook=_keys_once
    )


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:100]!r} stands twice in one object")
    return record


def _records(document: Any, task: Task) -> list[Any]:
    path = task.options["records"]
    for key in path.split(".") if path else ():
        if not isinstance(document, dict) or key not in document:
            message = f"{task.name} has no {key!r} where the mapping's records path {path} looks for it"
            raise FileRefusedError(FileError.HEADING_NOT_FOUND, message)
        document = document[key]
    if not isinstance(document, list):
        place = f"under {path}" if path else "at its top"
        raise FileRefusedError(FileError.HEADING_NOT_FOUND, f"{task.name} holds no list of records {place}")
    return document
