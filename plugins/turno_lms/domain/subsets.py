"""Which records of a small group belong together, where only the sums can say: accepted only if there is one answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

MOST_RECORDS = 12
"""Records of one side that are searched: 4096 subsets. A larger group waits for a person."""


@dataclass(frozen=True, order=True)
class Split:
    """Records of the two sides that add up to the same paise; one side has exactly one record."""

    files: tuple[str, ...]
    gateways: tuple[str, ...]


def unique_splits(files: Mapping[str, int], gateways: Mapping[str, int]) -> list[Split]:
    """The parts of a group (record to paise, all positive) that agree and that nothing else could explain.

    A part is one record of a side and some of the other whose sum is the same. It counts only if none of its records
    is in any other such part: whatever could be read in two ways is left alone. The order of the records is of no
    consequence. Nothing is found in a group with more than MOST_RECORDS on a side.
    """
    if max(len(files), len(gateways)) > MOST_RECORDS:
        return []
    found = {Split((one,), many) for one, many in _parts(files, gateways)}
    found |= {Split(many, (one,)) for one, many in _parts(gateways, files)}
    return sorted(split for split in found if not any(_share(split, other) for other in found - {split}))


def _parts(singles: Mapping[str, int], others: Mapping[str, int]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each record of one side with each set of the other side's that adds up to it."""
    names = sorted(others)
    for size in range(1, len(names) + 1):
        for subset in combinations(names, size):
            total = sum(others[name] for name in subset)
            for one, paise in singles.items():
                if paise == total:
                    yield one, subset


def _share(split: Split, other: Split) -> bool:
    return bool(set(split.files) & set(other.files) or set(split.gateways) & set(other.gateways))
