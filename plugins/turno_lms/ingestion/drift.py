"""Headings that changed since the last file of a kind: told with the change of the mapping that would take them.

A mapping reads its columns by heading, so a file with a column more or less can be read. It is refused all the same: a
column that nobody has looked at may be the one that says which payments were taken back.
"""

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import Headings, same_heading
from turno_lms.lenders.formats import FixedWidthFormat, JsonFormat, JsonLinesFormat
from turno_lms.lenders.schema import FileKind

_WITHOUT_HEADINGS = (FixedWidthFormat, JsonFormat, JsonLinesFormat)
"""Fields that the mapping itself names; records leave out the keys that they have nothing for."""


@dataclass(frozen=True)
class LastFile:
    """The file of the same kind that was loaded last."""

    key: str
    headings: tuple[str, ...]


def headings_to_keep(headings: Headings, kind: FileKind) -> list[str] | None:
    """The heading row the next file is held against; None where the format has none of its own."""
    if isinstance(kind.format, _WITHOUT_HEADINGS) or not headings.texts:
        return None
    return [_shown(text) for text in headings.texts]


def check_drift(headings: Headings, last: LastFile | None, kind: FileKind, name: str, place: str) -> None:
    """Raise FileRefusedError (HEADINGS_CHANGED) where a file's headings are not those of the last file.

    Aliases of mapped columns and `ignored_headings` may come and go. `name` is the kind's, `place` the file's.
    """
    now = headings_to_keep(headings, kind)
    if last is None or now is None:
        return
    gone, new = _changed(last.headings, now, kind)
    told = [*_told(gone, new), *_moved(last.headings, now, kind)]
    if told:
        listed = json.dumps([*gone.values(), *new.values()], ensure_ascii=False)
        patch = f"files: {{ {name}: {{ ignored_headings: {listed} }} }}" if gone or new else "position: ..."
        message = f"{place}: the headings are not those of the last file, {last.key}: {'; '.join(told)}"
        advice = f"If that is of no account, say so in the mapping: {patch}; if it is, map it"
        raise FileRefusedError(
            FileError.HEADINGS_CHANGED, f"{message}. {advice}. Nothing is changed by itself"
        )


def since(refusal: FileRefusedError, last: LastFile | None) -> FileRefusedError:
    """A refusal for missing headings, with what changed since the last file."""
    if last is None or not refusal.headings:
        return refusal
    gone, new = _differing(last.headings, refusal.headings)
    told = "; ".join(_told(gone, new))
    if not told:
        return refusal
    return FileRefusedError(refusal.code, f"{refusal.message}. Since the last file, {last.key}: {told}")


def _changed(
    last: Sequence[str], now: Sequence[str], kind: FileKind
) -> tuple[dict[str, str], dict[str, str]]:
    """The headings that are gone and those that are new, but for those the mapping knows."""
    counted = {
        same_heading(alias) for column in kind.headed.values() if column.nth for alias in column.heading
    }
    mapped = {same_heading(alias) for column in kind.headed.values() for alias in column.heading}
    known = (mapped - counted) | set(map(same_heading, kind.ignored_headings))
    gone, new = _differing(last, now)
    return _without(gone, known), _without(new, known)


def _differing(last: Iterable[str], now: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    before, after = ([(same_heading(text), _shown(text)) for text in texts] for texts in (last, now))
    counts = Counter(same for same, _ in before), Counter(same for same, _ in after)
    return (
        {same: text for same, text in before if same and counts[0][same] > counts[1][same]},
        {same: text for same, text in after if same and counts[1][same] > counts[0][same]},
    )


def _without(headings: Mapping[str, str], known: set[str]) -> dict[str, str]:
    return {same: text for same, text in headings.items() if same not in known}


def _told(gone: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    left = dict(new)
    told = []
    for same, text in gone.items():
        close = difflib.get_close_matches(same, left, n=1)
        told.append(f"{text!r} is now {left.pop(close[0])!r}" if close else f"{text!r} is gone")
    return told + [f"{text!r} is new" for text in left.values()]


def _moved(last: Sequence[str], now: Sequence[str], kind: FileKind) -> list[str]:
    """Columns that are taken by position and stand under another heading now."""
    places = {name: column.position for name, column in kind.mapped.items() if column.position}
    under = {name: (_at(last, place), _at(now, place)) for name, place in places.items()}
    return [
        f"column {places[name]}, taken for {name}, stood under {before!r} and stands under {after!r}"
        for name, (before, after) in under.items()
        if same_heading(before) != same_heading(after)
    ]


def _at(headings: Sequence[str], place: int) -> str:
    return headings[place - 1] if place <= len(headings) else ""


def _shown(text: str) -> str:
    return " ".join(text.split()).replace("\0", "\u2400")
