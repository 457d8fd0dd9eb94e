"""A failed or late run posts one line to the alerts' address, and to nobody where there is none."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from local_stack.processes import LOOPBACK
from turno_lms.orchestration.alerts import Alert, late

RUN = {"dag_run": SimpleNamespace(dag_id="post_repayments", run_id="scheduled__1")}
RUN_IN_TRIGGERER = {"dag_run": {"dag_id": "post_repayments", "dag_run_id": "scheduled__1"}}
"""As a deadline's callback gets it: the run as the API shows it."""
LINE = "Posting failed: post_repayments, run scheduled__1. What to do: docs/runbooks/posting-behind.md"


class Chat(BaseHTTPRequestHandler):
    """A chat service's address."""

    said: list[dict[str, Any]] = []  # noqa: RUF012  one address in this file

    def do_POST(self) -> None:
        self.said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    Chat.said.clear()
    server = ThreadingHTTPServer((LOOPBACK, 0), Chat)
    Thread(target=server.serve_forever, daemon=True).start()
    address = {"conn_type": "http", "host": f"http://{LOOPBACK}:{server.server_port}"}
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_ALERTS", json.dumps(address))
    yield Chat.said
    server.shutdown()


def test_a_failed_run_is_told_with_its_runbook(chat: list[dict[str, Any]]) -> None:
    Alert("Posting failed", "posting-behind.md")(dict(RUN))
    assert chat == [{"text": LINE}]


def test_a_missed_deadline_is_told_as_the_triggerer_does_it(chat: list[dict[str, Any]]) -> None:

    alert = late("Posting failed", "posting-behind.md", hours=1)
    assert alert.callback.path == "turno_lms.orchestration.alerts.Alert"

    async def as_the_triggerer() -> None:
        await Alert(**alert.callback.kwargs, context=dict(RUN_IN_TRIGGERER))

    asyncio.run(as_the_triggerer())
    assert chat == [{"text": LINE}]


def test_without_an_address_nobody_is_told(
    chat: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_ALERTS", "")
    Alert("Posting failed", "posting-behind.md")(dict(RUN))
    assert chat == []
