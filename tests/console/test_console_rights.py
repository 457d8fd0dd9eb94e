"""Who may see and do what in the console: every route, asked for by everybody, held against docs/console-rights.md.

After a page or a button was added, write the table anew: TURNO_WRITE_MATRIX=1 and this file's tests.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from tests.console.conftest import STRANGER
from turno_lms.console.pages import PAGES
from turno_lms.console.pages.dags import sql_pages
from turno_lms.console.plugin import LazyConsole
from turno_lms.console.sql_page import SqlPage

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tests.console.conftest import SignIn

HOME = "/turno"
ROLES = (None, STRANGER, "viewer", "user", "op", "admin")
MATRIX = Path(__file__).resolve().parents[2] / "docs" / "console-rights.md"
TOKEN = "starlette_admin_csrftoken"
BUILT_IN = {"view", "export"}
PLACES = {"{key}": "files", "{path:path}": "js/confirm.js"}
PAGES_BY_KEY: dict[str, SqlPage] = {str(page.key): page for page in sql_pages(PAGES)}


@dataclass(frozen=True)
class Ask:
    """One request: what it is called in the table, and what it needs."""

    name: str
    needs: str
    method: str
    path: str


def routes(of: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every method and path that is mounted, the static files as one."""
    for each in of:
        if isinstance(each, Mount) and each.routes:
            yield from routes(list(each.routes), prefix + each.path)
        elif isinstance(each, Mount):
            yield "GET", f"{prefix}{each.path}/{{path:path}}"
        elif isinstance(each, Route):
            yield from ((method, prefix + each.path) for method in sorted(each.methods or ()))


def mounted(app: "FastAPI") -> list[tuple[str, str]]:
    """The console's routes as Airflow serves them."""
    (console,) = [
        each for each in app.routes if isinstance(each, Mount) and isinstance(each.app, LazyConsole)
    ]
    found = list(routes(list(console.routes), HOME))
    assert len(found) > 12, "the walk found no routes"
    return found


def concrete(path: str) -> str:
    for place, value in PLACES.items():
        path = path.replace(place, value)
    return path


def asks() -> Iterator[Ask]:
    """Every page, export and button."""
    for key, page in PAGES_BY_KEY.items():
        sees = f"sees `{page.dag_id}`" if key != "operator-actions" else "reads Airflow's audit log"
        yield Ask(f"{key}: list", sees, "GET", f"{HOME}/{key}/list")
        yield Ask(f"{key}: one row", sees, "GET", f"{HOME}/{key}/detail?pk=0")
        yield Ask(f"{key}: what a choice comes to", sees, "GET", f"{HOME}/_api/{key}/radius")
        for name in page.actions or ():
            path = f"{HOME}/_api/{key}/action?name={name}&all=1"
            yield Ask(f"{key}: {name}", needs(page, name, sees), "POST", path)
        for name in page.row_actions or ():
            if name not in BUILT_IN:
                path = f"{HOME}/_api/{key}/row-action?name={name}&pk=0"
                yield Ask(f"{key}: {name}, one row", needs(page, name, sees), "POST", path)
    yield Ask("today", "sees `post_repayments`", "GET", f"{HOME}/")
    yield Ask("a DAG's page", "sees the DAG", "GET", f"{HOME}/dag?dag=post_repayments")
    yield Ask("a run's page", "sees the DAG", "GET", f"{HOME}/run?dag=post_repayments&run=none")
    yield Ask("static files", "is logged in", "GET", f"{HOME}/static/js/confirm.js")


def needs(page: SqlPage, name: str, sees: str) -> str:
    return sees if name in BUILT_IN else f"starts `{page.starts[name]}`"


def send(browser: TestClient, ask: Ask) -> int:
    """The status of a request as a page of the console would send it."""
    return browser.request(
        ask.method,
        ask.path,
        headers={"X-CSRFToken": browser.cookies.get(TOKEN) or "", "Sec-Fetch-Site": "same-origin"},
        follow_redirects=False,
    ).status_code


def signed_in(sign_in: "SignIn", role: str | None) -> TestClient:
    browser = sign_in(role)
    browser.get(f"{HOME}/files/list")
    return browser


def test_every_route_wants_a_login_and_every_answer_has_the_policy(
    airflow_app: "FastAPI", sign_in: "SignIn"
) -> None:
    nobody = sign_in(None)
    for method, path in mounted(airflow_app):
        answer = nobody.request(method, concrete(path), follow_redirects=False)
        assert answer.status_code == 401, (method, path)
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"], (method, path)


def test_who_has_no_right_gets_nothing_but_the_static_files(
    airflow_app: "FastAPI", sign_in: "SignIn"
) -> None:
    stranger = signed_in(sign_in, STRANGER)
    headers = {"X-CSRFToken": stranger.cookies.get(TOKEN) or ""}
    for method, path in mounted(airflow_app):
        if "/static/" in path or method == "HEAD":
            continue
        answer = stranger.request(method, concrete(path), headers=headers, follow_redirects=False)
        assert answer.status_code == 403, (method, path, answer.text[:200])
        assert "content-security-policy" in answer.headers


def test_every_right_is_in_the_table_of_the_docs(sign_in: "SignIn", monkeypatch: pytest.MonkeyPatch) -> None:
    def only_asked(*_: object, **__: object) -> None:
        raise ValueError("nothing is started by asking")

    monkeypatch.setattr("airflow.api.common.trigger_dag.trigger_dag", only_asked)
    browsers = [signed_in(sign_in, role) for role in ROLES]
    lines = []
    for ask in asks():
        statuses = [send(browser, ask) for browser in browsers]
        assert 500 not in statuses, ask
        refused = [str(status) if status in {401, 403} else "yes" for status in statuses]
        lines.append(f"| {ask.name} | {ask.method} | {ask.needs} | " + " | ".join(refused) + " |")
        assert refused[0] == "401", ask
        may_act = ask.method == "GET" or "sees" in ask.needs or "audit log" in ask.needs
        assert refused[2] == ("yes" if may_act else "403"), f"a viewer: {ask}"
    text = MATRIX.read_text(encoding="utf-8") if MATRIX.exists() else ""
    head, _, _ = text.partition("<!-- the table -->\n")
    columns = ["what", "request", "needs who", "no login", "no right", *(str(role) for role in ROLES[2:])]
    ruler = "| " + " | ".join(["---"] * len(columns)) + " |"
    table = "\n".join(["| " + " | ".join(columns) + " |", ruler, *lines, ""])
    wanted = f"{head}<!-- the table -->\n{table}"
    if os.environ.get("TURNO_WRITE_MATRIX"):
        MATRIX.write_text(wanted, encoding="utf-8")
    assert text == wanted, (
        "docs/console-rights.md is not what is served: write it anew (see this file's head)"
    )


def test_every_button_names_the_dag_that_it_starts() -> None:
    for page in PAGES_BY_KEY.values():
        buttons = {*(page.actions or ()), *(page.row_actions or ())} - BUILT_IN
        assert buttons == set(page.starts), page.key


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Origin": "http://airflow.test"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind-a-proxy.example"}, 200),
    ],
)
def test_what_another_site_sends_is_refused_even_with_the_right_token(
    sign_in: "SignIn", headers: dict[str, str], status: int
) -> None:
    operator = signed_in(sign_in, "op")
    with_token = {"X-CSRFToken": operator.cookies[TOKEN], **headers}
    answer = operator.post(f"{HOME}/_api/queue/action?name=post_now", headers=with_token)
    assert answer.status_code == status


def test_a_post_without_the_pages_token_is_refused(sign_in: "SignIn") -> None:
    operator = signed_in(sign_in, "op")
    for headers in ({}, {"X-CSRFToken": "guessed"}, {"Sec-Fetch-Site": "same-origin"}):
        assert operator.post(f"{HOME}/_api/queue/action?name=post_now", headers=headers).status_code == 403


def test_a_page_that_fails_says_so_under_the_policy(
    sign_in: "SignIn", monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = signed_in(sign_in, "viewer")
    viewer = TestClient(signed.app, base_url="http://airflow.test", raise_server_exceptions=False)
    viewer.cookies = signed.cookies
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_WAREHOUSE_CONSOLE", "postgresql://nobody@127.0.0.1:1/none")
    answer = viewer.get(f"{HOME}/files/list")
    assert answer.status_code == 500
    assert "This page failed" in answer.text
    assert "postgresql://" not in answer.text
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]


def test_a_dags_page_in_airflow_leads_to_where_its_work_is(sign_in: "SignIn") -> None:
    viewer = signed_in(sign_in, "viewer")

    def leads_to(dag_id: str) -> str:
        answer = viewer.get(f"{HOME}/dag", params={"dag": dag_id}, follow_redirects=False)
        return re.sub(r"^https?://[^/]+", "", answer.headers["location"])

    assert leads_to("reconcile_transactions") == "/turno/exceptions/list"
    assert leads_to("decide_held_payment") == "/turno/held/list"
    assert leads_to("ingest__gb") == "/turno/files/list?filter=lender__is%3Dgb"
    assert leads_to("show_loan") == "/turno/"
