"""Mappings to break: a directory that holds copies of the shipped ones."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from turno_lms.lenders.registry import MappingError, load_lenders, mappings_directory


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A directory of its own with copies of the shipped mappings."""
    return Path(shutil.copytree(mappings_directory(), tmp_path / "mappings"))


@pytest.fixture
def complaints(mappings: Path) -> Callable[[str, str, str], list[str]]:
    """Replace text in one mapping and return what the registry then says, one `file:line: message` each."""

    def broken(slug: str, old: str, new: str) -> list[str]:
        path = mappings / f"{slug}.yml"
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {path.name}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(MappingError) as caught:
            load_lenders(mappings)
        return str(caught.value).replace(f"{mappings}/", "").splitlines()

    return broken
