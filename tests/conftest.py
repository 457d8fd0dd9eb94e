"""Services for tests: real ones, started once a session and clean for each test that asks."""

import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from local_stack import postgres
from local_stack.databases import Databases
from local_stack.health import answers
from local_stack.processes import LOOPBACK, free_port, spawn, stop_child, wait_until
from tests.dbt.project import DbtProject, dbt_project
from turno_lms.los.apply import apply_operations
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect
from turno_lms.warehouse.migrate import migrate

BUCKET = "turnofile"
REGION = "ap-south-1"
_START_SECONDS = 60.0
_database_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first: whoever shares the work with other processes must not begin it last."""
    items.sort(key=lambda item: item.get_closest_marker("end_to_end") is None)


def start_server(command: list[str], url: str, log: Path) -> "subprocess.Popen[bytes]":
    """Start a web server and return when it answers at `url`."""
    process = spawn(command, log=log)
    if not wait_until(lambda: process.poll() is not None or answers(url), seconds=_START_SECONDS):
        stop_child(process)
    assert process.poll() is None, f"{command} did not start:\n{log.read_text(encoding='utf-8')}"
    return process


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """A PostgreSQL server for the session, without durability. `.url(dbname, role="postgres")` gives addresses."""
    folder = tmp_path_factory.mktemp("postgres")
    passwords = {role: secrets.token_hex(8) for role in (postgres.SUPERUSER, *Role)}
    server = postgres.PostgresServer(
        folder / "data", free_port(), passwords, durable=False, dies_with_parent=True
    )
    process = server.start(folder / "postgres.log")
    yield server.databases
    postgres.stop(process)


@pytest.fixture(scope="session")
def warehouse_template(postgres_server: Databases) -> str:
    """The name of a migrated, empty warehouse that fresh ones are cloned from."""
    name = "warehouse_template"
    postgres_server.ensure_database(name)
    migrate(postgres_server.url(name))
    for role in Role:
        postgres_server.ensure_role(role)
    with connect(postgres_server.url(name), autocommit=True) as conn:
        apply_operations(conn)
    return name


@pytest.fixture
def warehouse_database(postgres_server: Databases, warehouse_template: str) -> Iterator[str]:
    """The name of a fresh, migrated database, dropped after the test."""
    name = f"warehouse_{next(_database_numbers)}"
    postgres_server.ensure_database(name, template=warehouse_template)
    yield name
    with connect(postgres_server.url("postgres"), autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")


@pytest.fixture
def warehouse_url(postgres_server: Databases, warehouse_database: str) -> str:
    """The postgresql:// URL (superuser) of a fresh, migrated warehouse."""
    return postgres_server.url(warehouse_database)


@pytest.fixture
def warehouse_role_url(postgres_server: Databases, warehouse_database: str) -> Callable[[str], str]:
    """Of a role to its URL of the test's warehouse."""
    return lambda role: postgres_server.url(warehouse_database, role)


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[WarehouseConnection]:
    """An open connection (superuser, dict rows) to the test's warehouse."""
    with connect(warehouse_url) as conn:
        yield conn


@pytest.fixture(scope="session")
def built_project(
    postgres_server: Databases, warehouse_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DbtProject]:
    """The dbt project on one warehouse of the session, every model built once. Several rooms work on what it derives."""
    with dbt_project(postgres_server, warehouse_template, tmp_path_factory.mktemp("dbt")) as project:
        yield project


@pytest.fixture
def project(built_project: DbtProject) -> DbtProject:
    """The session's dbt project, emptied."""
    built_project.empty()
    return built_project


@pytest.fixture(scope="session")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server for the session."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", LOOPBACK, "-p", str(port)]
    process = start_server(command, f"{url}/moto-api/", tmp_path_factory.mktemp("s3") / "s3.log")
    yield url
    stop_child(process)


@pytest.fixture
def s3(s3_url: str) -> Iterator[Any]:
    """An S3 client; the server holds one empty bucket, `turnofile`."""
    import boto3
    import requests

    requests.post(f"{s3_url}/moto-api/reset", timeout=10).raise_for_status()
    client: Any = boto3.client(
        "s3", endpoint_url=s3_url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield client
    client.close()


@pytest.fixture
def fineract_url(tmp_path: Path) -> Iterator[str]:
    """The base URL (ending in /fineract-provider/api/v1) of a Fineract stand-in of the test's own, with empty state.

    It answers from a thread: a process of its own would spend a second on imports, for each of some two hundred tests.
    """
    import uvicorn

    from local_stack.fineract.server import Api, StandInProtocol
    from local_stack.fineract.store import Store

    port = free_port()
    config = uvicorn.Config(
        lambda: Api(Store(tmp_path / "fineract.sqlite")).application(),
        factory=True,  # made in the thread, which alone may use the store
        host=LOOPBACK,
        port=port,
        http=StandInProtocol,
        lifespan="off",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    assert wait_until(lambda: server.started, seconds=_START_SECONDS)
    yield f"http://{LOOPBACK}:{port}/fineract-provider/api/v1"
    server.should_exit = True
    thread.join()
