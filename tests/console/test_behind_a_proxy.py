"""The console under a path of its own, behind a proxy that speaks TLS to the browser: every address it gives still leads home."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from local_stack.processes import free_port
from tests.console.conftest import _token
from tests.dbt.project import DbtProject
from turno_lms.warehouse.connection import Role

PUBLIC = "https://lms.example/ops"
BEHIND = {"Host": "lms.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
_SECONDS = 120


@pytest.fixture
def server(airflow_app: object, rows: None, project: DbtProject) -> Iterator[str]:
    """Airflow's API server as it is started in production, told of its public address; returns its own one."""
    port = free_port()
    environment = os.environ | {
        "AIRFLOW__API__BASE_URL": PUBLIC,
        "AIRFLOW_CONN_TURNO_WAREHOUSE_CONSOLE": project.url(Role.CONSOLE),
    }
    command = [
        sys.executable,
        "-m",
        "airflow",
        "api-server",
        "--workers",
        "1",
        "--apps",
        "core",
        "--proxy-headers",
    ]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}/ops"
    try:
        deadline = time.monotonic() + _SECONDS
        while not answers(f"{url}/api/v2/version"):
            assert process.poll() is None, "the API server ended"
            assert time.monotonic() < deadline, "the API server never answered"
            time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False


def test_links_assets_and_forms_stay_under_the_public_address(server: str) -> None:
    person = requests.Session()
    person.headers.update(BEHIND)
    person.cookies.set("_token", _token("op"))

    def fetch(path: str) -> requests.Response:
        return person.get(f"{server}{path}", timeout=60, allow_redirects=False)

    page = fetch("/turno/exceptions/list")
    assert page.status_code == 200
    found = set(re.findall(r"""(?:href|src|action)=["']([^"'#]+)["']""", page.text))
    found |= set(re.findall(r"""(?:actionUrl|rowActionUrl): ["']([^"']+)["']""", page.text))
    addresses = {address.replace("&amp;", "&") for address in found if not address.startswith("data:")}
    assert len(addresses) > 20
    for address in addresses:
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc) in {("https", "lms.example"), ("", "")}, address
        if parts.netloc:
            assert parts.path.startswith("/ops/turno"), address
        path = parts.path.removeprefix("/ops") + (f"?{parts.query}" if parts.query else "")
        if "/_api/" not in path and path.startswith("/turno"):
            assert fetch(path).status_code in {200, 302, 307}, address

    token = person.cookies.get("starlette_admin_csrftoken") or ""
    # the cookie is for TLS alone, which ends at the proxy: a browser sends it to the public address
    cookies = f"_token={_token('op')}; starlette_admin_csrftoken={token}"
    pressed = requests.post(
        f"{server}/turno/_api/queue/action?name=post_now",
        headers={**BEHIND, "Cookie": cookies, "X-CSRFToken": token, "Origin": "https://lms.example"},
        timeout=60,
    )
    assert pressed.status_code == 200, pressed.text
    assert pressed.json()["redirect"].startswith(f"{PUBLIC}/turno/run?")
