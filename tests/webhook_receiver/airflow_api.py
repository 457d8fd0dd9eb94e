"""Airflow's REST API as far as the receiver uses it, as documented: it records who asked for which run.

As a process of its own (`python -m tests.webhook_receiver.airflow_api PORT`) it prints each run, and can be killed.
"""

import json
import re
import secrets
import sys
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local_stack.processes import LOOPBACK

USER = "receiver"
PASSWORD = "airflow-password"
_RUNS = re.compile(r"/api/v2/dags/([^/]+)/dagRuns")
_RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]+")


def receiver_environment(port: int) -> dict[str, str]:
    """What a receiver needs to wake the Airflow on this port."""
    return {
        "TURNO_AIRFLOW_URL": f"http://{LOOPBACK}:{port}",
        "TURNO_AIRFLOW_USER": USER,
        "TURNO_AIRFLOW_PASSWORD": PASSWORD,
        "TURNO_WAKE_SECONDS": "1",
    }


class AirflowApi:
    """A server on a port of its own. Runs stay queued until `start_runs` is set, as when another run goes on."""

    def __init__(self, port: int = 0) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.dags = {"build_warehouse"}
        self.conflicts = 0
        self.tokens: set[str] = set()
        self.tokens_given = 0
        self.refused_token_status = 401
        self.start_runs = True
        self.delay_seconds = 0.0
        self._server = _Server((LOOPBACK, port), _Handler)
        self._server.api = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def environment(self) -> dict[str, str]:
        return receiver_environment(self.port)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def give_token(self, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if asked != {"username": USER, "password": PASSWORD}:
            return 401, {"detail": "Invalid credentials"}
        token = secrets.token_hex(16)
        self.tokens.add(token)
        self.tokens_given += 1
        return 201, {"access_token": token}

    def create_run(self, dag_id: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "logical_date" not in asked:
            return 422, {"detail": "logical_date: field required"}
        run_id = asked["dag_run_id"]
        if not _RUN_ID.fullmatch(run_id):
            return 400, {"detail": f"invalid run id {run_id}"}
        if run_id in self.runs:
            self.conflicts += 1
            return 409, {"detail": "Unique constraint violation"}
        self.runs[run_id] = {**asked, "dag_id": dag_id, "received_at": time.time()}
        print(run_id, flush=True)
        return 200, self.runs[run_id]

    def queued_runs(self, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        since = datetime.fromisoformat(query["run_after_gte"][0])
        queued = [
            run
            for run_id, run in self.runs.items()
            if run_id.startswith(query["run_id_prefix_pattern"][0])
            and datetime.fromisoformat(run["run_after"]) >= since
            and not self.start_runs
        ]
        return 200, {"dag_runs": queued[: int(query["limit"][0])], "total_entries": len(queued)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: AirflowApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        api = self.server.api
        time.sleep(api.delay_seconds)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/auth/token":
            self._answer(*api.give_token(asked))
        elif dag_id := self._dag(self.path):
            self._answer(*api.create_run(dag_id, asked))

    def do_GET(self) -> None:
        time.sleep(self.server.api.delay_seconds)
        address = urlsplit(self.path)
        if self._dag(address.path):
            self._answer(*self.server.api.queued_runs(parse_qs(address.query)))

    def _dag(self, path: str) -> str | None:
        """The DAG of a path, if there is one and the caller may ask for it; otherwise this answers."""
        api = self.server.api
        found = _RUNS.fullmatch(path)
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in api.tokens:
            self._answer(api.refused_token_status, {"detail": "Invalid token"})
            return None
        if found is None or found[1] not in api.dags:
            self._answer(404, {"detail": "no such DAG"})
            return None
        return found[1]

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


if __name__ == "__main__":
    AirflowApi(int(sys.argv[1]))
    threading.Event().wait()
