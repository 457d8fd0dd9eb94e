"""A demo that is watched: a real Prometheus has an answer for the dashboard, and a missed deadline is told to people."""

import json
import secrets
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
import requests
import yaml
from playwright.sync_api import Browser

from local_stack.demo.airflow_api import AirflowApi
from local_stack.folder import read_json
from local_stack.processes import LOOPBACK, free_port, spawn, stop_child, wait_until
from tests.end_to_end.conftest import Demo, Finished, Stack, new_demo, running_stack
from tests.end_to_end.secret_hunt import PLANTED
from tests.observe.test_alerts_and_dashboard import DASHBOARD, OBSERVE
from tests.observe.test_who_is_told import Chat
from tests.programs import program

pytestmark = [pytest.mark.long, pytest.mark.end_to_end, pytest.mark.timeout(1700)]

_SECONDS = 180
# pushed by Airflow over OpenTelemetry, which the distribution's Prometheus does not take
_OF_AIRFLOW = "airflow_"
# what the demo has none of
_SILENT = {"Files late, refused, halted, failed: 0", "Lag until built, and webhooks that never came: 1"}
_DRAWN = {
    "Rupees not yet posted: 0", "Queue: 0", "Held rupees: 0", "Open exceptions: 0", "Rows per hour: 0",
    "Webhooks per minute: 0", "Time per call: 0",
}  # fmt: skip
"""For the picture: the distribution's page takes no label's value, and no more than ten graphs."""
# the hour that post_repayments has, as if it were over
_AN_HOUR_LATER = """
update deadline set deadline_time = deadline_time - interval '1 hour'
where dagrun_id = (select id from dag_run where run_id = 'late')
"""
_LINE = "Posting is behind: post_repayments, run late. What to do: docs/runbooks/posting-behind.md"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that has not begun, whose alerts go to a chat of ours and whose figures can be read with a token."""
    Chat.said.clear()
    server = ThreadingHTTPServer((LOOPBACK, 0), Chat)
    Thread(target=server.serve_forever, daemon=True).start()
    address = {"conn_type": "http", "host": f"http://{LOOPBACK}:{server.server_port}"}
    with pytest.MonkeyPatch.context() as planted:
        planted.setitem(PLANTED, "AIRFLOW_CONN_TURNO_ALERTS", json.dumps(address))
        planted.setitem(PLANTED, "TURNO_METRICS_TOKEN", secrets.token_hex(16))
        yield new_demo(tmp_path_factory.mktemp("watched"))
    server.shutdown()


@pytest.fixture(scope="module")
def prometheus(watched: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus with our configuration, reading the demo's two sources from before it begins."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((OBSERVE / "prometheus.yaml").read_text(encoding="utf-8"))
    ports = read_json(watched.state / "ports.json", {})
    del config["otlp"]
    config["global"] = {"scrape_interval": "5s", "evaluation_interval": "5s"}
    config["rule_files"] = [str(OBSERVE / "alerts.yaml")]
    for job, service in zip(config["scrape_configs"], ("airflow", "receiver"), strict=True):
        job["static_configs"] = [{"targets": [f"{LOOPBACK}:{ports[service]}"]}]
    token = folder / "token"
    token.write_text(PLANTED["TURNO_METRICS_TOKEN"])
    config["scrape_configs"][0] |= {
        "scrape_timeout": "5s",
        "authorization": {"credentials_file": str(token)},
    }
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    address = f"{LOOPBACK}:{free_port()}"
    process = spawn(
        [program("prometheus"), f"--config.file={file}", f"--web.listen-address={address}", f"--storage.tsdb.path={folder}/data"],
        log=folder / "log",
    )  # fmt: skip
    yield f"http://{address}"
    stop_child(process)


@pytest.fixture(scope="module")
def shown(watched: Demo, prometheus: str) -> Iterator[Finished]:
    """The demo, watched by Prometheus; it stays up."""
    yield from watched.stay()


@pytest.fixture(scope="module")
def stack(watched: Demo, shown: Finished) -> Stack:
    assert shown.status == 0, shown.output
    return running_stack(watched.state)


def panels() -> Iterator[tuple[str, str]]:
    """Each expression of the dashboard under its panel's title and place."""
    for panel in DASHBOARD["panels"]:
        for place, target in enumerate(panel.get("targets", [])):
            if _OF_AIRFLOW not in target["expr"]:
                yield f"{panel['title']}: {place}", target["expr"]


def answer(prometheus: str, expr: str) -> list[dict[str, Any]]:
    """What Prometheus answers; the last minutes, for a rate needs some."""
    query = {"query": f"last_over_time(({expr})[15m:5s])"}
    found = requests.get(f"{prometheus}/api/v1/query", params=query, timeout=30).json()
    assert found["status"] == "success", (expr, found)
    return list(found["data"]["result"])


@pytest.mark.usefixtures("stack")
def test_every_panel_of_the_dashboard_has_an_answer(
    prometheus: str, browser: Browser, screenshots: Path
) -> None:
    silent = {title for title, expr in panels() if not answer(prometheus, expr)}
    assert silent == _SILENT

    page = browser.new_page(viewport={"width": 1000, "height": 3200})
    drawn = [expr for title, expr in panels() if title in _DRAWN]
    graphs = [
        (f"g{place}.{name}", value)
        for place, expr in enumerate(drawn)
        for name, value in (("expr", expr), ("tab", "0"), ("range_input", "15m"))
    ]
    page.goto(f"{prometheus}/graph/?{urlencode(graphs, quote_via=quote)}")
    page.wait_for_timeout(5000)  # its graphs are drawn one by one
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=screenshots / "dashboard.png", full_page=True)


def test_a_repayment_run_that_has_not_ended_in_an_hour_is_told_with_its_runbook(stack: Stack) -> None:
    variables = stack.variables
    api = AirflowApi(*(variables[f"TURNO_AIRFLOW_{name}"] for name in ("URL", "USER", "PASSWORD")))
    port = read_json(stack.state / "ports.json", {})["postgres"]
    password = read_json(stack.state / "secrets.json", {})["airflow"]
    with psycopg.connect(
        f"postgresql://airflow:{password}@{LOOPBACK}:{port}/airflow", autocommit=True
    ) as conn:
        conn.execute("update dag set is_paused = true where dag_id = 'post_repayments'")  # it never ends
        api.trigger("post_repayments", "late")
        assert conn.execute(_AN_HOUR_LATER).rowcount == 1

    assert wait_until(lambda: {"text": _LINE} in Chat.said, seconds=_SECONDS), Chat.said
    assert api.run("post_repayments", "late").state == "queued"
    print(f"\n{_LINE}")
