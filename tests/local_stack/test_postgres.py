"""The embedded PostgreSQL: who it runs as, what it refuses, and that it comes back after every kind of death."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from local_stack import postgres
from local_stack.postgres import PostgresServer
from local_stack.processes import LOOPBACK, ProcessId, StackError, free_port, wait_until

PASSWORDS = {"postgres": "of-the-test"}
Start = Callable[[PostgresServer], "subprocess.Popen[bytes]"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops its rights")


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as initdb makes it, to be copied by tests."""
    data = tmp_path_factory.mktemp("initialised") / "data"
    PostgresServer(data, free_port(), PASSWORDS, durable=False).prepare()
    return data


@pytest.fixture
def server(initialised: Path, tmp_path: Path) -> PostgresServer:
    """A server with durability, not yet started, under a parent that nobody else may enter."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    data = home / "data"
    subprocess.run(["cp", "-a", str(initialised), str(data)], check=True)
    return PostgresServer(data, free_port(), PASSWORDS, dies_with_parent=True)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers, and stops those that still run after the test."""
    started = []

    def run(server: PostgresServer) -> "subprocess.Popen[bytes]":
        started.append(server.start(tmp_path / "postgres.log"))
        return started[-1]

    yield run
    for process in started:
        postgres.stop(process)


def write_a_row(server: PostgresServer) -> None:
    with psycopg.connect(server.databases.admin_url, autocommit=True) as conn:
        conn.execute("create table kept (n int)")
        conn.execute("insert into kept values (7)")


def row_is_there(server: PostgresServer) -> bool:
    with psycopg.connect(server.databases.admin_url) as conn:
        return conn.execute("select n from kept").fetchall() == [(7,)]


@needs_root
def test_as_root_it_runs_without_root_and_leaves_the_parent_closed(
    server: PostgresServer, start: Start
) -> None:
    process = start(server)
    assert os.stat(f"/proc/{process.pid}").st_uid == server.data.stat().st_uid != 0
    assert stat.S_IMODE(server.data.parent.stat().st_mode) == 0o700


def test_as_an_ordinary_user_it_makes_and_runs_a_server(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from local_stack import postgres
from local_stack.processes import free_port
folder = Path(sys.argv[1])
server = postgres.PostgresServer(folder / "data", free_port(), {"postgres": "of-the-test"}, durable=False)
process = server.start(folder / "log")
print(Path(f"/proc/{process.pid}").stat().st_uid)
postgres.stop(process)
"""
    folder = tmp_path / "of_the_user"
    folder.mkdir()
    user = os.geteuid() or 65534
    # the interpreter may lie in root's home: the user may read everything, but owns nothing of it
    words = ["--reuid", str(user), "--regid", str(user), "--clear-groups"]
    words += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    as_user = ["setpriv", *words, "--"] if os.geteuid() == 0 else []
    shutil.chown(folder, user)
    done = subprocess.run(
        [*as_user, sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(user), done.stderr


def test_nobody_gets_in_without_the_password(server: PostgresServer, start: Start) -> None:
    start(server)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"postgresql://postgres@{LOOPBACK}:{server.port}/postgres")


def test_a_killed_server_comes_back_with_what_was_committed(server: PostgresServer, start: Start) -> None:
    first = start(server)
    write_a_row(server)
    first.kill()
    first.wait()
    start(server)
    assert row_is_there(server)


def test_a_dead_server_that_was_not_reaped_does_not_block_the_next(
    server: PostgresServer, start: Start
) -> None:
    first = start(server)
    write_a_row(server)
    os.kill(first.pid, signal.SIGKILL)
    # dead, but never waited for: it stays in the process table, its number in the lock file
    assert wait_until(lambda: ProcessId.of(first.pid) is None, seconds=10)
    start(server)
    assert row_is_there(server)


def test_a_lock_whose_number_went_to_another_program_is_removed(server: PostgresServer, start: Start) -> None:
    owner = server.data.stat().st_uid
    with subprocess.Popen(["sleep", "60"], user=owner) as other:
        lock = server.data / "postmaster.pid"
        lock.write_text(f"{other.pid}\n{server.data}\n{int(time.time())}\n{server.port}\n\n{LOOPBACK}\n")
        shutil.chown(lock, owner)
        start(server)
        other.kill()
    assert server.databases.is_ready()


def test_a_second_server_on_the_same_data_is_refused(server: PostgresServer, start: Start) -> None:
    process = start(server)
    with pytest.raises(StackError, match=f"process {process.pid}.*turno stack down"):
        PostgresServer(server.data, free_port(), PASSWORDS).prepare()
    assert server.databases.is_ready()


def test_a_taken_port_is_told_with_the_log(
    server: PostgresServer, start: Start, tmp_path: Path, initialised: Path
) -> None:
    start(server)
    other = PostgresServer(initialised, server.port, {"postgres": "another"})
    with pytest.raises(StackError, match=r"did not start on port \d+; its log says why: .*postgres.log"):
        other.start(tmp_path / "postgres.log")


def test_an_interrupted_initdb_is_made_again(tmp_path: Path, start: Start) -> None:
    half = tmp_path / "data.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("16\n")
    server = PostgresServer(tmp_path / "data", free_port(), PASSWORDS, durable=False)
    start(server)
    assert server.databases.is_ready()
    assert not half.exists()


def test_durability_is_on_unless_a_test_turns_it_off(server: PostgresServer, start: Start) -> None:
    start(server)
    with psycopg.connect(server.databases.admin_url) as conn:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert conn.execute(f"show {setting}").fetchone() == ("on",)
