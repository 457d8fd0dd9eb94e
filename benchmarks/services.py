"""The services an area measures against: started for it alone, with the durability of production."""

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from local_stack import postgres
from local_stack.databases import Databases
from local_stack.health import answers
from local_stack.processes import LOOPBACK, StackError, free_port, spawn, stop_child, wait_until
from turno_lms.warehouse.connection import Role

REGION = "ap-south-1"
POSTGRES = {"shared_buffers": "1536MB", "random_page_cost": "1.1", "wal_compression": "on"}
"""As docker-compose.yaml has them."""
_START_SECONDS = 60.0


@contextmanager
def postgres_server() -> Iterator[Databases]:
    """A PostgreSQL server with fsync on and production's settings."""
    passwords = {role: secrets.token_hex(8) for role in (postgres.SUPERUSER, *Role)}
    with TemporaryDirectory(prefix="turno-bench-") as folder:
        server = postgres.PostgresServer(
            Path(folder) / "data", free_port(), passwords, dies_with_parent=True, settings=POSTGRES
        )
        process = server.start(Path(folder) / "postgres.log")
        try:
            yield server.databases
        finally:
            postgres.stop(process)


def warehouse(databases: Databases, name: str = "warehouse") -> str:
    """The address (superuser) of a migrated, empty warehouse whose roles can log in."""
    from turno_lms.los.apply import apply_operations
    from turno_lms.warehouse.connection import connect
    from turno_lms.warehouse.migrate import migrate

    databases.ensure_database(name)
    migrate(databases.url(name))
    with connect(databases.url(name)) as conn:
        apply_operations(conn)
    for role in Role:
        databases.ensure_role(role)
    return databases.url(name)


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 server without buckets."""
    with TemporaryDirectory(prefix="turno-bench-") as folder:
        port = free_port()
        url = f"http://{LOOPBACK}:{port}"
        log = Path(folder) / "s3.log"
        command = [str(Path(sys.executable).with_name("moto_server")), "-H", LOOPBACK, "-p", str(port)]
        process = spawn(command, log=log)
        try:
            if not wait_until(lambda: answers(f"{url}/moto-api/"), seconds=_START_SECONDS):
                raise StackError(f"the S3 server did not start:\n{log.read_text(encoding='utf-8')}")
            yield url
        finally:
            stop_child(process)
