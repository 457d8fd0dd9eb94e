"""The lenders: every mapping in include/lender_mappings, checked alone and against each other."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from turno_lms.domain.names import check_slug
from turno_lms.lenders.documents import Document, KeyPath, MappingError, Problem, read_document, read_draft
from turno_lms.lenders.schema import Lender

__all__ = [
    "LenderRegistry",
    "MappingError",
    "load_lender",
    "load_lenders",
    "mappings_directory",
    "read_lenders",
    "read_mapping",
]

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


def mapping_files(folder: Path) -> list[Path]:
    """The mappings of a directory by their names, unread; a lender's file is named after its slug."""
    return sorted(entry for entry in folder.iterdir() if entry.suffix in _SUFFIXES)


def load_lender(path: Path) -> Lender:
    """Read and check one mapping. Raises MappingError with file, line and hint of every problem."""
    return _lender(read_document(path))


def read_mapping(text: str) -> Lender:
    """Check a mapping that is in no file yet, such as a draft. Raises MappingError with every problem and its line."""
    try:
        name = check_slug(str(read_draft(text).get("lender")))
    except ValueError:
        name = "draft"  # the slug is one of the problems that are told
    with TemporaryDirectory(prefix="turno-") as folder:
        path = Path(folder) / f"{name}.yml"
        path.write_text(text, encoding="utf-8")
        return load_lender(path)


def load_lenders(directory: Path | None = None) -> LenderRegistry:
    """Read and check every mapping of a directory. Raises MappingError listing all problems of all files."""
    lenders, problems = read_lenders(directory)
    if problems:
        raise MappingError(problems)
    return lenders


def read_lenders(directory: Path | None = None) -> tuple[LenderRegistry, list[Problem]]:
    """The mappings of a directory that can be used, and what is wrong with the others.

    Two mappings that claim the same place or product are both left out: which one is right is not ours to guess.
    """
    folder = directory or mappings_directory()
    if not folder.is_dir():
        return {}, [Problem(folder, 1, "no such directory; set TURNO_LENDER_MAPPINGS")]
    loaded: dict[str, tuple[Lender, Document]] = {}
    problems: list[Problem] = []
    for path in mapping_files(folder):
        try:
            document = read_document(path)
            lender = _lender(document)
        except MappingError as error:
            problems.extend(error.problems)
        else:
            loaded[lender.slug] = (lender, document)
    conflicts = list(_conflicts(loaded.values()))
    problems.extend(conflict.problem for conflict in conflicts)
    unusable = {slug for conflict in conflicts for slug in conflict.slugs}
    return {slug: lender for slug, (lender, _) in loaded.items() if slug not in unusable}, problems


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


@dataclass(frozen=True)
class _Conflict:
    """Two lenders (or two kinds of one) that claim the same thing; told with the line of the later one."""

    problem: Problem
    slugs: tuple[str, str]


@dataclass(frozen=True)
class _Place:
    """A file kind's prefix; `number` is its mapping's place in the order of files."""

    number: int
    prefix: str
    kind: str
    lender: Lender
    document: Document


def _conflicts(loaded: Iterable[tuple[Lender, Document]]) -> Iterable[_Conflict]:
    """What two mappings may not share: a Fineract product, and a place in S3. Kinds of one lender count too."""
    entries = list(loaded)
    owners: dict[int, Lender] = {}
    for lender, document in entries:
        owner = owners.setdefault(lender.fineract.product_id, lender)
        if owner is not lender:
            message = f"product {lender.fineract.product_id} belongs to lender {owner.slug} already"
            problem = document.problem(("fineract", "product_id"), message)
            yield _Conflict(problem, (owner.slug, lender.slug))
    yield from _overlaps(entries)


def _overlaps(entries: Iterable[tuple[Lender, Document]]) -> Iterable[_Conflict]:
    """Prefixes that cover others. In the order of their text, a prefix stands before all that it covers."""
    places = [
        _Place(number, spec.s3.prefix, kind, lender, document)
        for number, (lender, document) in enumerate(entries)
        for kind, spec in lender.files.items()
    ]
    widest: _Place | None = None
    for place in sorted(places, key=lambda place: (place.prefix, place.number)):
        if widest is None or not place.prefix.startswith(widest.prefix):
            widest = place
            continue
        earlier, later = (widest, place) if widest.number <= place.number else (place, widest)
        of = f"{earlier.lender.slug}.{earlier.kind}"
        message = f"prefix {later.prefix} overlaps {earlier.prefix} of {of}: a file would belong to both"
        problem = later.document.problem(("files", later.kind, "s3", "prefix"), message)
        yield _Conflict(problem, (earlier.lender.slug, later.lender.slug))
