"""The server under test: the one at TURNO_CONTRACT_FINERACT_URL (its v1 base), else a stand-in for the whole session.

The `/standin` tests always run against stand-ins of their own.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests

from local_stack.processes import LOOPBACK, free_port, spawn, stop_child
from tests.contracts.fineract.contract_client import Borrower, Fineract

_START_SECONDS = 60
_POLL_SECONDS = 0.05


@contextmanager
def _standin(folder: Path) -> Iterator[tuple[Fineract, "subprocess.Popen[bytes]"]]:
    port = free_port()
    where = ["--host", LOOPBACK, "--port", str(port), "--state", str(folder / "fineract.sqlite")]
    log = folder / "fineract.log"
    process = spawn([sys.executable, "-m", "local_stack.fineract", *where], log=log)
    root = f"http://{LOOPBACK}:{port}/fineract-provider"
    try:
        assert _is_up(f"{root}/actuator/health", process), log.read_text(encoding="utf-8")
        yield Fineract(f"{root}/api/v1"), process
    finally:
        stop_child(process)


def _is_up(url: str, process: "subprocess.Popen[bytes]") -> bool:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            return requests.get(url, timeout=10).ok
        except requests.ConnectionError:
            time.sleep(_POLL_SECONDS)
    return False


@pytest.fixture(scope="session")
def fineract(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fineract]:
    """The server under test."""
    url = os.environ.get("TURNO_CONTRACT_FINERACT_URL")
    if url:
        yield Fineract(url.rstrip("/"))
        return
    with _standin(tmp_path_factory.mktemp("fineract")) as (server, _):
        yield server


@pytest.fixture(scope="session")
def borrower(fineract: Fineract) -> Borrower:
    """A client with a product of twelve monthly installments."""
    return Borrower(fineract, fineract.client(), fineract.product())


@pytest.fixture(scope="session")
def one_standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fineract]:
    """A stand-in shared by the `/standin` tests."""
    with _standin(tmp_path_factory.mktemp("standin")) as (server, _):
        yield server


@pytest.fixture
def standin(one_standin: Fineract) -> Iterator[Fineract]:
    """The stand-in of the `/standin` tests, without rules and with short pauses between its own tries."""
    root = one_standin.base.partition("/fineract-provider")[0]
    one_standin.session.put(f"{root}/standin/settings", json={"retry_pauses_ms": [20, 40]}, timeout=10)
    yield one_standin
    one_standin.session.delete(f"{root}/standin/rules", timeout=10)


@pytest.fixture
def start_standin() -> Callable[[Path], AbstractContextManager[tuple[Fineract, "subprocess.Popen[bytes]"]]]:
    """Starts a stand-in whose state lives in a folder; gives its client and its process."""
    return _standin
