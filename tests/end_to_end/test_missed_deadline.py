"""A run that has not ended in its time is told by the triggerer that runs, to the address that people read."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from local_stack.demo.airflow_api import AirflowApi
from local_stack.demo.pipelines import wait_for_dags
from local_stack.folder import read_json
from local_stack.processes import LOOPBACK, wait_until
from tests.end_to_end.conftest import Stack, new_demo, running_stack, stack_environment
from tests.end_to_end.secret_hunt import PLANTED
from tests.observe.test_who_is_told import Chat

pytestmark = [pytest.mark.long, pytest.mark.end_to_end, pytest.mark.timeout(900)]

_SECONDS = 180
# the hour that post_repayments has, as if it were over
_AN_HOUR_LATER = """
update deadline set deadline_time = deadline_time - interval '1 hour'
where dagrun_id = (select id from dag_run where run_id = 'late')
"""
_LINE = "Posting is behind: post_repayments, run late. What to do: docs/runbooks/posting-behind.md"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack that tells its alerts to a chat of ours."""
    Chat.said.clear()
    server = ThreadingHTTPServer((LOOPBACK, 0), Chat)
    Thread(target=server.serve_forever, daemon=True).start()
    address = {"conn_type": "http", "host": f"http://{LOOPBACK}:{server.server_port}"}
    monkeypatch.setitem(PLANTED, "AIRFLOW_CONN_TURNO_ALERTS", json.dumps(address))
    state = new_demo(tmp_path).state
    yield running_stack(state)
    command = [sys.executable, "-m", "turno_lms.cli", "stack", "down"]
    subprocess.run(command, env=stack_environment(state), check=False)
    server.shutdown()


def test_a_repayment_run_that_has_not_ended_in_an_hour_is_told_with_its_runbook(stack: Stack) -> None:
    variables = stack.variables
    api = AirflowApi(*(variables[f"TURNO_AIRFLOW_{name}"] for name in ("URL", "USER", "PASSWORD")))
    wait_for_dags(api)
    port, password = (
        read_json(stack.state / f"{file}.json", {})[name]
        for file, name in (("ports", "postgres"), ("secrets", "airflow"))
    )
    with psycopg.connect(
        f"postgresql://airflow:{password}@{LOOPBACK}:{port}/airflow", autocommit=True
    ) as conn:
        conn.execute("update dag set is_paused = true where dag_id = 'post_repayments'")  # it never ends
        api.trigger("post_repayments", "late")
        assert conn.execute(_AN_HOUR_LATER).rowcount == 1

    assert wait_until(lambda: {"text": _LINE} in Chat.said, seconds=_SECONDS), Chat.said
    assert api.run("post_repayments", "late").state == "queued"
    print(f"\n{_LINE}")
