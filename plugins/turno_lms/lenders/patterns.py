"""Regular expressions of a mapping: only what means the same to every engine that will run them.

A pattern is run by polars over whole columns, a loan id's also by PostgreSQL. Both work in linear time, which
look-around and back-references would end; counted groups would blow a pattern up to megabytes.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

MAX_COUNT = 64
_FOREIGN = re.compile(r"\(\?(?!:)|\\[1-9]")
_KNOWN_ESCAPE = re.compile(r"\\(?![dDsSwWbB])[A-Za-z0-9]")
_EDGE = re.compile(r"\\[bB]|(?<!\\)[\^$]")
_COUNT = re.compile(r"(?<!\\)\{(\d*),?(\d*)\}")
_COUNTED_GROUP = re.compile(r"(?<!\\)\)[?*+]?\{")
_REPEATED_TWICE = re.compile(r"(?<!\\)[*+?}][*+{]")
_ODD_SET = re.compile(r"\[[^\]]*(?:\[|&&|--|~~|\|\|)")


def check_pattern(pattern: str) -> str:
    """Return `pattern` when every engine reads it alike; raise ValueError saying what to leave out otherwise."""
    if _FOREIGN.search(pattern):
        raise ValueError("look-around, flags and back-references differ between our engines; leave them out")
    for found, complaint in (
        (
            _KNOWN_ESCAPE.search(pattern),
            "is no escape known here: use \\d, \\s, \\w, \\b or a plain character",
        ),
        (_COUNTED_GROUP.search(pattern), "counts a whole group: write the group out as often as needed"),
        (_REPEATED_TWICE.search(pattern), "repeats a repetition: leave one of them out"),
        (_ODD_SET.search(pattern), "has no plain meaning inside [ ]: put a backslash before [ and the like"),
    ):
        if found:
            raise ValueError(f"{found.group()!r} in {pattern!r} {complaint}")
    _check_counts(pattern)
    try:
        re.compile(pattern)
    except (re.error, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return pattern


def check_extraction(pattern: str) -> str:
    """`check_pattern`, for a pattern that takes a part out of a text: at most one group, which is then the part."""
    check_pattern(pattern)
    groups = re.compile(pattern).groups
    if groups > 1:
        raise ValueError(
            f"{pattern!r} has {groups} groups; keep ( ) for the part that is wanted, and (?: ) elsewhere"
        )
    if _can_match_nothing(pattern):
        raise ValueError(f"{pattern!r} matches nothing at all everywhere; ask for at least one character")
    return pattern


def _can_match_nothing(pattern: str) -> bool:
    """Whether a match may be empty, at the edge of a word perhaps: our engines count empty matches differently."""
    try:
        return re.compile(_EDGE.sub("", pattern)).match("") is not None
    except re.error:  # nothing is left to repeat: an edge was repeated
        return True


def _check_counts(pattern: str) -> None:
    for found in _COUNT.finditer(pattern):
        if max(int(number or 0) for number in found.groups()) > MAX_COUNT:
            raise ValueError(f"{found.group()} in {pattern!r}: a count goes up to {MAX_COUNT}")


_Short = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Pattern = Annotated[_Short, AfterValidator(check_pattern)]
"""A pattern that a text is compared with."""
Extraction = Annotated[_Short, AfterValidator(check_extraction)]
"""A pattern that must match exactly once inside a text."""
