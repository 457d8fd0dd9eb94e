"""`turno stack` as a person uses it: up, eval, status, up again, down."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from local_stack.folder import read_json
from turno_lms.lenders.registry import load_lenders

Turno = Callable[..., "subprocess.CompletedProcess[str]"]
REPLACED = ("TURNO_POSTGRES_URL", "TURNO_S3_URL", "TURNO_FINERACT_URL")


@pytest.fixture
def turno(tmp_path: Path) -> Iterator[Turno]:
    """Runs `turno stack` on a state folder of the test's own, which is closed to others."""
    state = tmp_path / "state"
    environment = {name: value for name, value in os.environ.items() if name not in REPLACED}
    environment["TURNO_STATE"] = str(state)

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "turno_lms.cli", "stack", *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    yield run
    run("down")


def processes_of(folder: Path) -> list[str]:
    """The command lines that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def test_up_gives_a_migrated_warehouse_and_down_leaves_nothing_running(turno: Turno, tmp_path: Path) -> None:
    up = turno("up", "--only", "postgres,s3")
    assert up.returncode == 0, up.stderr
    ask = '\nprintf "%s %s" "$TURNO_WAREHOUSE_URL" "$TURNO_S3_URL"'
    taken_over = subprocess.run(["sh", "-c", up.stdout + ask], capture_output=True, text=True, check=True)
    warehouse_url, s3_url = taken_over.stdout.split()
    assert s3_url.startswith("http://127.0.0.1:")
    with psycopg.connect(warehouse_url) as conn:
        lenders = conn.execute("select array_agg(lender order by lender) from core.core_lender").fetchone()
        assert lenders == (sorted(load_lenders()),)

    status = turno("status")
    assert status.returncode == 0, status.stdout
    assert [line.split()[0] for line in status.stdout.splitlines()] == ["service", "postgres", "s3"]

    running = read_json(tmp_path / "state" / "running.json", {})
    again = turno("up", "--only", "postgres,s3")
    assert again.stdout == up.stdout
    assert read_json(tmp_path / "state" / "running.json", {}) == running  # nothing was started anew

    down = turno("down")
    assert down.stderr.strip() == "stopped: postgres, s3"
    assert processes_of(tmp_path) == []
    assert turno("status").returncode == 1


def test_two_checkouts_do_not_collide(
    turno: Turno, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other_state = tmp_path_factory.mktemp("other") / "state"
    environment = dict(os.environ) | {"TURNO_STATE": str(other_state)}
    other = [sys.executable, "-m", "turno_lms.cli", "stack"]
    first = turno("up", "--only", "s3")
    second = subprocess.run(
        [*other, "up", "--only", "s3"], env=environment, capture_output=True, text=True, check=True
    )
    subprocess.run([*other, "down"], env=environment, capture_output=True, check=True)
    ports = [read_json(state / "ports.json", {})["s3"] for state in (tmp_path / "state", other_state)]
    assert ports[0] != ports[1]
    assert f"s3 is on port {ports[1]}: 25433 was taken" in second.stderr
    assert first.returncode == 0
    assert len(processes_of(tmp_path / "state" / "s3")) == 1  # the other's `down` did not touch it


def test_a_wrong_service_name_is_told(turno: Turno) -> None:
    up = turno("up", "--only", "redis")
    assert up.returncode == 1
    assert "no service named redis; there are postgres, s3" in up.stderr
