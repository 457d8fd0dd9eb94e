"""A YAML file as plain data, with the line of every key, so that each complaint can name its place."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML without libyaml: the same result, ten times slower
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]  # same interface

_TEXT = "tag:yaml.org,2002:str"

KeyPath = tuple[str | int, ...]


class _Loader(_SafeLoader):
    """The safe loader, which looks up the type of a word once: 500 mappings repeat the same few."""

    resolve = staticmethod(lru_cache(4096)(_SafeLoader("").resolve))


UNDECIDED = "DECIDE"
"""What a draft holds where only a person can say; no mapping passes with it."""


@dataclass(frozen=True)
class Problem:
    """One complaint about a mapping: where, what, and what to do."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class MappingError(ValueError):
    """Lender mappings that cannot be used; the message has one line `file:line: complaint` per problem."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """A parsed file."""

    path: Path
    data: Any
    node: yaml.Node

    @cached_property
    def lines(self) -> dict[KeyPath, int]:
        """The line of every key and item; only complaints need them."""
        lines: dict[KeyPath, int] = {(): 1}
        list(_note_lines(self.node, (), lines, set()))
        return lines

    def problem(self, place: KeyPath, message: str) -> Problem:
        """A complaint about `place`, or about the nearest part around it that is written in the file."""
        known = next(place[:length] for length in range(len(place), -1, -1) if place[:length] in self.lines)
        return Problem(self.path, self.lines[known], message)


class _OddNodeError(ValueError):
    """Something in a file that plain data could not show: its lines are gone through for a complaint."""


def read_document(path: Path) -> Document:
    """Parse one file. Raises MappingError for text that is not YAML, repeated keys, anchors and odd values."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        raise MappingError([Problem(path, 1, f"is not UTF-8 text: {error}")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise MappingError(
            [Problem(path, mark.line + 1 if mark else 1, f"is not valid YAML: {error}")]
        ) from error
    if node is None:
        raise MappingError([Problem(path, 1, "is empty; start from another lender's file")])
    try:
        return Document(path, _plain(node, _Loader(""), set()), node)
    except _OddNodeError as error:
        noted = _note_lines(node, (), {(): 1}, set())
        raise MappingError([Problem(path, line, message) for line, message in noted]) from error
    except (yaml.YAMLError, ValueError) as error:
        raise MappingError([Problem(path, 1, f"holds a value that cannot be read: {error}")]) from error


def _plain(node: yaml.Node, loader: Any, seen: set[yaml.Node]) -> Any:
    """What a node holds: the loader's values, in half the loader's time (500 mappings a parse).

    Raises _OddNodeError for what `_note_lines` complains about.
    """
    if node in seen:
        raise _OddNodeError
    seen.add(node)
    if isinstance(node, yaml.MappingNode):
        if len({_name(key) for key, _ in node.value}) < len(node.value):
            raise _OddNodeError
        return {_value(key, loader): _plain(value, loader, seen) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, loader, seen) for item in node.value]
    if node.value == UNDECIDED:
        raise _OddNodeError
    return _value(node, loader)


def _name(key: yaml.Node) -> str:
    if not isinstance(key, yaml.ScalarNode) or key.value == UNDECIDED:
        raise _OddNodeError
    return str(key.value)


def _value(node: yaml.Node, loader: Any) -> Any:
    return node.value if node.tag == _TEXT else loader.construct_object(node)


def read_draft(text: str) -> dict[str, Any]:
    """The text of a mapping that may not be decided yet, as plain data; empty if it is no YAML mapping."""
    try:
        data = yaml.load(text, Loader=_SafeLoader)
    except (yaml.YAMLError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _note_lines(
    node: yaml.Node, place: KeyPath, lines: dict[KeyPath, int], seen: set[int]
) -> Iterator[tuple[int, str]]:
    """Fill `lines`; yield (line, complaint) for what plain data could not show."""
    if id(node) in seen:
        yield node.start_mark.line + 1, "anchors and aliases are not used in mappings: write the value out"
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode) and node.value == UNDECIDED:
        yield node.start_mark.line + 1, _to_decide(place)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[*place, index] = item.start_mark.line + 1
            yield from _note_lines(item, (*place, index), lines, seen)
    if isinstance(node, yaml.MappingNode):
        yield from _note_keys(node, place, lines, seen)


def _note_keys(
    node: yaml.MappingNode, place: KeyPath, lines: dict[KeyPath, int], seen: set[int]
) -> Iterator[tuple[int, str]]:
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            yield line, "a key must be plain text"
            continue
        if (*place, key.value) in lines:
            yield line, f"key {key.value} is repeated; the first is on line {lines[*place, key.value]}"
        if key.value == UNDECIDED:
            yield line, _to_decide(place)
        lines[*place, key.value] = line
        yield from _note_lines(value, (*place, key.value), lines, seen)


def _to_decide(place: KeyPath) -> str:
    what = ".".join(map(str, place)) or "the file"
    return f"{what} is not decided yet: the comment beside {UNDECIDED} says what is asked"
