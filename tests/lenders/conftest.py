"""Mappings to break: a directory that holds copies of three shipped ones."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from turno_lms.lenders.registry import MappingError, load_lenders, mappings_directory

THREE = ("gb", "ugro", "axle")


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A directory of its own with copies of the mappings of GB, UGRO and Axle."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    for slug in THREE:
        shutil.copy(mappings_directory() / f"{slug}.yml", folder)
    return folder


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
