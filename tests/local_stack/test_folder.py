"""The state folder: ports that are free and stay the same, secrets that stay secret."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.folder import StateFolder, read_json, write_json
from local_stack.processes import LOOPBACK, StackError, free_port


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port somebody else listens on."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_preferred_port_that_is_free_is_taken_and_remembered(folder: StateFolder) -> None:
    port = free_port()
    assert folder.ports({"s3": port}, ours=()) == {"s3": port}
    assert read_json(folder.path / "ports.json", {}) == {"s3": port}


def test_a_taken_port_gives_the_next_free_one_that_nobody_else_prefers(
    folder: StateFolder, taken: int
) -> None:
    chosen = folder.ports({"postgres": taken, "s3": taken + 1}, ours=())
    assert chosen["postgres"] > taken + 1


def test_the_chosen_port_is_kept_after_the_preferred_one_is_free_again(folder: StateFolder) -> None:
    preferred = free_port()
    with socket.socket() as listener:
        listener.bind((LOOPBACK, preferred))
        listener.listen()
        chosen = folder.ports({"s3": preferred}, ours=())
    assert folder.ports({"s3": preferred}, ours=()) == chosen != {"s3": preferred}


def test_a_port_our_own_service_listens_on_is_kept(folder: StateFolder, taken: int) -> None:
    write_json(folder.path / "ports.json", {"s3": taken})
    assert folder.ports({"s3": taken}, ours={"s3"}) == {"s3": taken}


def test_secrets_stay_the_same_differ_from_each_other_and_are_for_the_owner_only(folder: StateFolder) -> None:
    first = folder.secrets({"one": 16, "two": 16})
    assert first["one"] != first["two"]
    assert len(first["one"]) == 32  # 16 bytes in hexadecimal
    second = folder.secrets({"one": 16, "three": 8})
    assert second["one"] == first["one"]
    assert (folder.path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_a_damaged_file_is_named(folder: StateFolder) -> None:
    (folder.path / "secrets.json").write_text('{"one": ')
    with pytest.raises(StackError, match=r"secrets\.json is damaged"):
        folder.secrets({"one": 16})
