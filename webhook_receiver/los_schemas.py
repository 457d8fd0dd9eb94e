"""The operations that the loan origination system may submit: one published JSON Schema each, and nothing else."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from webhook_receiver.settings import SettingsError

DEFINITIONS = "definitions"
MOST_PROBLEMS = 20
_NAME = re.compile(r"[a-z]+(_[a-z]+)*")


class Submitted(StrEnum):
    """What became of one submission."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The same was submitted before, under the same reference."""
    CONFLICT = "conflict"
    """Something else was submitted before under the same reference."""
    REFUSED = "refused"
    """Not a submission by its schema."""


class Progress(StrEnum):
    """How far a stored submission is."""

    RECEIVED = "received"
    WAITING = "waiting"
    """For what it depends on; it goes on by itself."""
    IN_PROGRESS = "in_progress"
    HELD = "held"
    """A person looks at it."""
    DONE = "done"
    REFUSED = "refused"
    DROPPED = "dropped"
    """A person decided that it shall not be done."""


STATES = {
    "queued": Progress.RECEIVED,
    "in_flight": Progress.IN_PROGRESS,
    "unknown": Progress.IN_PROGRESS,
    **{state.value: state for state in Progress},
}
"""The state of a submission's row to what its caller is told."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field of a submission; `field` is dotted, and empty for the whole."""

    field: str
    message: str


class Operations:
    """The operations by name, each with its schema."""

    def __init__(self, schemas: Mapping[str, dict[str, Any]]) -> None:
        self.schemas = schemas
        checker = FormatChecker(["date"])
        self._validators = {
            name: _Validator(schema, format_checker=checker) for name, schema in schemas.items()
        }

    def problems(self, operation: str, item: object) -> list[Problem]:
        """What is wrong with `item` as a submission of `operation`: nothing, or its first problems."""
        found: Iterator[ValidationError] = self._validators[operation].iter_errors(item)
        return [
            Problem(".".join(map(str, error.absolute_path)), error.message[:300])
            for error, _ in zip(found, range(MOST_PROBLEMS), strict=False)
        ]


def read_operations(folder: Path) -> Operations:
    """Every schema of a folder, each with the definitions that all may refer to. Raises SettingsError."""
    if not (folder / f"{DEFINITIONS}.json").is_file():
        raise SettingsError(f"no {DEFINITIONS}.json in {folder}; set TURNO_LOS_OPERATIONS")
    documents = {path.stem: _read(path) for path in sorted(folder.glob("*.json"))}
    definitions = documents.pop(DEFINITIONS)
    schemas = {name: document | {"$defs": definitions} for name, document in documents.items()}
    for name, schema in schemas.items():
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{folder / name}.json: an operation's name is lower-case words joined by _")
        Draft202012Validator.check_schema(schema)
    return Operations(schemas)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise SettingsError(f"{path}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: a schema is a JSON object")
    return document


@cache
def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    """JSON Schema's `$` is the end of the text; Python's would let a line break follow."""
    if isinstance(instance, str) and not _whole(pattern).search(instance):
        yield ValidationError(f"does not match {pattern}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
