"""Health is asked of the service as it runs now, not of what it was."""

import json
import os
import shutil
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local_stack.health import answers, is_healthy
from local_stack.processes import LOOPBACK, free_port, spawn, stop_child, wait_until

BEAT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
REPORT = {
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": BEAT.isoformat()},
    "triggerer": {"status": "unhealthy", "latest_triggerer_heartbeat": BEAT.isoformat()},
    "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
}


class Monitor(BaseHTTPRequestHandler):
    """Answers as Airflow's /api/v2/monitor/health does; /refused and /failed by their names."""

    def do_GET(self) -> None:
        self.send_response({"/refused": 401, "/failed": 503}.get(self.path, 200))
        self.end_headers()
        self.wfile.write(json.dumps(REPORT).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Monitor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.mark.parametrize(
    ("component", "started", "healthy"),
    [
        ("scheduler", BEAT.timestamp() - 1, True),
        ("scheduler", BEAT.timestamp() + 1, False),  # the heartbeat of the process before this one
        ("triggerer", BEAT.timestamp() - 1, False),
        ("dag_processor", BEAT.timestamp() - 1, False),
    ],
)
def test_an_airflow_component_is_well_when_its_present_process_beats(
    url: str, component: str, started: float, healthy: bool
) -> None:
    assert is_healthy(f"{url}#{component}", started) is healthy


def test_a_refusal_is_an_answer_and_a_failure_is_none(url: str) -> None:
    assert is_healthy(f"{url}/refused", time.time())
    assert not is_healthy(f"{url}/failed", time.time())
    assert not is_healthy("http://127.0.0.1:1", time.time())


class Echo(socketserver.BaseRequestHandler):
    """Sends back what it gets, as a port does that was connected to itself."""

    def handle(self) -> None:
        self.request.sendall(self.request.recv(4096))


def test_a_port_that_echoes_is_no_server() -> None:
    """A client that asks a free port over and over can be given that very port for its own end."""
    with socketserver.TCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        assert not answers(url)
        assert not is_healthy(f"{url}#scheduler", time.time())
        server.shutdown()


def test_a_redis_that_asks_for_a_password_is_well_while_it_runs(tmp_path: Path) -> None:
    server = shutil.which("redis-server", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert server is not None, "no redis-server in the environment or on the path"
    port = free_port()
    address = f"redis://{LOOPBACK}:{port}"
    assert not is_healthy(address, 0)
    process = spawn(
        [server, "--port", str(port), "--requirepass", "x", "--save", ""], log=tmp_path / "redis.log"
    )
    assert wait_until(lambda: is_healthy(address, 0), seconds=30)
    stop_child(process)
    assert not is_healthy(address, 0)
