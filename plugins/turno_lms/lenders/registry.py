"""The lenders: every mapping in include/lender_mappings, checked alone and against each other."""

import os
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from turno_lms.lenders.documents import Document, KeyPath, MappingError, Problem, read_document
from turno_lms.lenders.schema import Lender

__all__ = ["LenderRegistry", "MappingError", "load_lender", "load_lenders", "mappings_directory"]

LenderRegistry = Mapping[str, Lender]
"""Lender slug to its mapping."""

_SUFFIXES = (".yml", ".yaml")
_HINTS = {
    "missing": "add it",
    "string_type": "put it in quotes",
    "int_type": "write a whole number without quotes",
    "bool_type": "write true or false",
    "date_type": "write a date as 2026-01-31",
    "dict_type": "write keys and values below it",
    "tuple_type": "write a list: [a, b]",
}


def mappings_directory() -> Path:
    """TURNO_LENDER_MAPPINGS, or include/lender_mappings under the project's root (TURNO_HOME)."""
    home = Path(os.environ.get("TURNO_HOME") or Path(__file__).parents[3])
    return Path(os.environ.get("TURNO_LENDER_MAPPINGS") or home / "include" / "lender_mappings")


def load_lender(path: Path) -> Lender:
    """Read and check one mapping. Raises MappingError with file, line and hint of every problem."""
    return _lender(read_document(path))


def load_lenders(directory: Path | None = None) -> LenderRegistry:
    """Read and check every mapping of a directory. Raises MappingError listing all problems of all files."""
    folder = directory or mappings_directory()
    if not folder.is_dir():
        raise MappingError([Problem(folder, 1, "no such directory; set TURNO_LENDER_MAPPINGS")])
    loaded: dict[str, tuple[Lender, Document]] = {}
    problems: list[Problem] = []
    for path in sorted(entry for entry in folder.iterdir() if entry.suffix in _SUFFIXES):
        try:
            document = read_document(path)
            lender = _lender(document)
        except MappingError as error:
            problems.extend(error.problems)
        else:
            loaded[lender.slug] = (lender, document)
    problems.extend(_conflicts(loaded.values()))
    if problems:
        raise MappingError(problems)
    return {slug: lender for slug, (lender, _) in loaded.items()}


def _lender(document: Document) -> Lender:
    try:
        lender = Lender.model_validate(document.data)
    except ValidationError as error:
        raise MappingError([_problem(document, details) for details in error.errors()]) from error
    if document.path.stem != lender.slug:
        message = (
            f"lender is {lender.slug}, so the file must be named {lender.slug}.yml, not {document.path.name}"
        )
        raise MappingError([document.problem(("lender",), message)])
    return lender


def _problem(document: Document, details: ErrorDetails) -> Problem:
    place = _place(document.data, (*details["loc"], *details.get("ctx", {}).get("place", ())))
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "unknown_key":
        return document.problem((*place, details["ctx"]["key"]), f"{_dotted(place)}{message}")
    if details["type"] == "missing":
        return document.problem(place, f"{_dotted(place)}{details['loc'][-1]} is missing: add it")
    hint = _HINTS.get(details["type"])
    return document.problem(place, f"{_dotted(place)}{message}{f' ({hint})' if hint else ''}")


def _place(data: Any, loc: Iterable[str | int]) -> KeyPath:
    """The part of pydantic's location that is really in the file: without the tags of unions and the like."""
    place: list[str | int] = []
    for step in loc:
        inside = data.get(step) if isinstance(data, dict) else None
        if isinstance(data, list) and isinstance(step, int):
            inside = data[step]
        if inside is not None:
            data = inside
            place.append(step)
    return tuple(place)


def _dotted(place: KeyPath) -> str:
    return f"{'.'.join(map(str, place))}: " if place else ""


def _conflicts(loaded: Iterable[tuple[Lender, Document]]) -> Iterable[Problem]:
    """What two mappings may not share: a Fineract product, and a place in S3. Kinds of one lender count too."""
    entries = list(loaded)
    for (first, _), (second, document) in combinations(entries, 2):
        if first.fineract.product_id == second.fineract.product_id:
            message = f"product {second.fineract.product_id} belongs to lender {first.slug} already"
            yield document.problem(("fineract", "product_id"), message)
    places = [
        (lender, kind, spec.s3.prefix, document)
        for lender, document in entries
        for kind, spec in lender.files.items()
    ]
    for (lender, kind, prefix, _), (_, other_kind, other, document) in combinations(places, 2):
        if prefix.startswith(other) or other.startswith(prefix):
            message = f"prefix {other} overlaps {prefix} of {lender.slug}.{kind}: a file would belong to both"
            yield document.problem(("files", other_kind, "s3", "prefix"), message)
