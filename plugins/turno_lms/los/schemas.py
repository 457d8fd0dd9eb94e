"""The JSON Schemas of the operations, as files and forms are checked against them.

The receiver checks the same files in an environment of its own (webhook_receiver/los_schemas.py); a test holds that
both say the same.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from turno_lms.los.registry import REGISTRY

_DEFINITIONS = "definitions"
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field of a submission; `field` is dotted, and empty for the whole."""

    field: str
    message: str


def schema_folder() -> Path:
    """TURNO_LOS_OPERATIONS, or include/los_operations under the project's root (TURNO_HOME)."""
    home = Path(os.environ.get("TURNO_HOME") or Path(__file__).parents[3])
    return Path(os.environ.get("TURNO_LOS_OPERATIONS") or home / "include" / "los_operations")


@cache
def schema_of(operation: str) -> dict[str, Any]:
    """An operation's schema with the definitions that all may refer to. Raises KeyError for what is no operation."""
    folder = schema_folder()
    definitions = json.loads((folder / f"{_DEFINITIONS}.json").read_bytes())
    schema: dict[str, Any] = json.loads((folder / f"{REGISTRY[operation].name}.json").read_bytes())
    return schema | {"$defs": definitions}


def problems(operation: str, item: object) -> list[Problem]:
    """What is wrong with `item` as a submission of `operation`: nothing, or its first problems.

    The messages of JSON Schema quote the value: they belong in the landing tables, not in a log.
    """
    found: Iterator[ValidationError] = _validator(operation).iter_errors(item)
    return [
        Problem(".".join(map(str, error.absolute_path)) or _missing(error), error.message[:300])
        for error in islice(found, _MOST_PROBLEMS)
    ]


def _missing(error: ValidationError) -> str:
    """Of a field that is not there at all, the field: for a person who looks for a column."""
    named = re.match(r"'(\w+)' is a required property", error.message)
    return named[1] if named and error.validator == "required" else ""


@cache
def _validator(operation: str) -> Any:
    return _Validator(schema_of(operation), format_checker=FormatChecker(["date"]))


@cache
def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\$$", r"\\Z", pattern))


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    """JSON Schema's `$` is the end of the text; Python's would let a line break follow."""
    if isinstance(instance, str) and not _whole(pattern).search(instance):
        yield ValidationError(f"does not match {pattern}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
