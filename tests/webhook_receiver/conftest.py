"""A receiver from its own locked requirements, and the warehouse it writes to."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_stack.databases import Databases
from tests.webhook_receiver.receiver_database import prepare_receiver_database
from tests.webhook_receiver.receiver_process import PROJECT, Receiver, receiver_requirements, start_receiver
from turno_lms.warehouse.connection import WarehouseConnection, connect


@pytest.fixture(scope="session")
def receiver_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of the receiver's environment: the stack's if it is up to date, else a new one."""
    python = PROJECT / ".turno" / "receiver-venv" / "bin" / "python"
    if _has_requirements(python):
        return python
    uv = PROJECT / ".turno" / "boot" / "bin" / "uv"
    folder = tmp_path_factory.mktemp("receiver-venv")
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    lock = PROJECT / "webhook_receiver" / "requirements.txt"
    install = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", lock]
    subprocess.run(install, check=True)
    return python


def _has_requirements(python: Path) -> bool:
    if not python.exists():
        return False
    code = "import importlib.metadata as m; print(*(f'{d.name.lower()}=={d.version}' for d in m.distributions()))"
    installed = subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    wanted = {pin for pin in receiver_requirements() if not pin.startswith("tzdata")}  # Windows only
    return wanted <= {name.replace("_", "-") for name in installed}


@pytest.fixture(scope="session")
def receiver_database(postgres_server: Databases, warehouse_template: str) -> str:
    """The name of the warehouse the session's receivers write to; tests keep apart by their event ids."""
    prepare_receiver_database(postgres_server, "receiver", warehouse_template)
    return "receiver"


@pytest.fixture(scope="session")
def receiver_url(postgres_server: Databases, receiver_database: str) -> str:
    """The URL of that warehouse for the receiver's role."""
    return postgres_server.url(receiver_database, "turno_receiver")


@pytest.fixture(scope="session")
def receiver(
    receiver_python: Path, receiver_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Receiver]:
    """A running receiver with no Airflow to wake."""
    running = start_receiver(receiver_python, tmp_path_factory.mktemp("receiver"), receiver_url)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def receiver_admin_url(postgres_server: Databases, receiver_database: str) -> str:
    """The URL of that warehouse for the superuser."""
    return postgres_server.url(receiver_database)


@pytest.fixture
def raw(receiver_admin_url: str) -> Iterator[WarehouseConnection]:
    """A connection (superuser, dict rows) to the receivers' warehouse."""
    with connect(receiver_admin_url, autocommit=True) as conn:
        yield conn
