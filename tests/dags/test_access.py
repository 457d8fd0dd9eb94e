"""Who may do what in Airflow: every cell of docs/access.md, asked of a running API server with the production auth manager."""

import re
import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.dags.production_api import ROOT, Serve

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DOCUMENT = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
NOBODY = "nobody"
WHO = ("operations", "finance", "engineer", "viewer", "service_receiver", "service_ci", NOBODY)
ROWS = {
    cells[0]: dict(zip(WHO, (cell == "yes" for cell in cells[1:]), strict=True))
    for line in DOCUMENT.splitlines()
    if re.search(r"\| (yes|-) \|$", line)
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
RUN = "dags/settle_loan/dagRuns/none"
# of what is not there, a person with the right is told so, and anyone else that they may not ask
RIGHTS: dict[str, tuple[str, str, Any]] = {
    "see DAGs": ("GET", "/api/v2/dags/post_repayments", None),
    "see runs": ("GET", "/api/v2/dags/post_repayments/dagRuns", None),
    "see import errors": ("GET", "/api/v2/importErrors", None),
    "read a log": ("GET", f"/api/v2/{RUN}/taskInstances/approve/logs/1", None),
    "read an XCom": ("GET", f"/api/v2/{RUN}/taskInstances/approve/xcomEntries/return_value", None),
    "read the audit log": ("GET", "/api/v2/eventLogs", None),
    "open the console": ("GET", "/turno/posted/list", None),
    "clear a task": ("POST", "/api/v2/dags/build_warehouse/clearTaskInstances", {"dag_run_id": "none"}),
    "answer an approval": ("PATCH", f"/api/v2/{RUN}/taskInstances/approve/-1/hitlDetails", {"chosen_options": ["Approve"]}),
    "edit pools": ("PATCH", "/api/v2/pools/none", {"pool": "none", "slots": 1}),
    "read variables": ("GET", "/api/v2/variables/none", None),
    "edit variables": ("POST", "/api/v2/variables", {"key": "planted", "value": "x"}),
    "read connections": ("GET", "/api/v2/connections/none", None),
    "edit connections": ("POST", "/api/v2/connections", {"connection_id": "planted", "conn_type": "http"}),
    "delete a DAG": ("DELETE", "/api/v2/dags/no_such_dag", None),
    "make users": ("GET", "/auth/fab/v1/users", None),
}  # fmt: skip
REFUSED = {401, 403}
Ask = Callable[..., requests.Response]


@pytest.fixture(scope="module")
def airflow_url(serve: Serve, passwords: dict[str, str]) -> Iterator[str]:
    """A running API server with one account of each role."""
    settings = {
        "TURNO_ADMIN_PASSWORD": passwords["admin"],
        "TURNO_AIRFLOW_PASSWORD": passwords["receiver"],
        "TURNO_CI_PASSWORD": passwords["ci"],
    }
    with serve(settings) as url:
        yield url


@pytest.fixture(scope="module")
def passwords() -> dict[str, str]:
    """A password for every account."""
    return {name: secrets.token_hex(8) for name in (*WHO, "admin", "receiver", "ci")}


@pytest.fixture(scope="module")
def ask(airflow_url: str, passwords: dict[str, str]) -> Ask:
    """Send a request as somebody: `ask("finance", "GET", path)`."""
    accounts = {"service_receiver": "receiver", "service_ci": "ci"}
    tokens = {NOBODY: None, "admin": token_of(airflow_url, "admin", passwords["admin"])}

    def as_somebody(who: str, method: str, path: str, body: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {tokens[who]}"} if tokens[who] else {}
        return requests.request(method, airflow_url + path, headers=headers, json=body, timeout=30)

    for who in WHO[:4]:
        person = {
            "username": who, "first_name": who, "last_name": "person", "email": f"{who}@turno.invalid",
            "password": passwords[who], "roles": [{"name": who}],
        }  # fmt: skip
        made = as_somebody("admin", "POST", "/auth/fab/v1/users", person)
        assert made.ok, made.text
    for who in WHO[:-1]:
        account = accounts.get(who, who)
        tokens[who] = token_of(airflow_url, account, passwords[account])
    return as_somebody


def token_of(url: str, username: str, password: str) -> str:
    """Log in."""
    body = {"username": username, "password": password}
    answer = requests.post(f"{url}/auth/token", json=body, timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["access_token"])


@pytest.mark.parametrize("right", RIGHTS)
def test_a_right_is_where_the_document_says(ask: Ask, right: str) -> None:
    found = {who: ask(who, *RIGHTS[right]).status_code for who in WHO}
    assert {who: status not in REFUSED for who, status in found.items()} == ROWS[right], found
    assert all(status < 500 for status in found.values()), found


@pytest.mark.parametrize("who", WHO)
def test_a_dag_is_started_by_whom_the_document_names(ask: Ask, dag_bag: "DagBag", who: str) -> None:
    """A body without a date is refused as wrong only where the person may start the DAG."""
    found = {
        dag_id: ask(who, "POST", f"/api/v2/dags/{dag_id}/dagRuns", {}).status_code
        for dag_id in dag_bag.dag_ids
    }
    stated = {dag_id: ROWS[re.sub("^ingest__.+", "ingest__&lt;lender&gt;", dag_id)][who] for dag_id in found}
    assert {dag_id: status == 422 for dag_id, status in found.items()} == stated, found


def test_the_document_names_every_dag_and_no_other(dag_bag: "DagBag") -> None:
    dags = {re.sub("^ingest__.+", "ingest__&lt;lender&gt;", dag_id) for dag_id in dag_bag.dag_ids}
    assert set(ROWS) == dags | set(RIGHTS)


def test_a_started_run_bears_the_name_of_the_person(ask: Ask) -> None:
    runs = "/api/v2/dags/report_resolutions/dagRuns"
    assert ask("viewer", "POST", runs, {"logical_date": None}).status_code == 403
    started = ask("finance", "POST", runs, {"logical_date": None})
    assert started.status_code == 200, started.text
    assert started.json()["triggering_user_name"] == "finance"
    assert ask("admin", "DELETE", f"{runs}/{started.json()['dag_run_id']}").status_code == 204


def test_a_wrong_password_and_a_forged_token_open_nothing(ask: Ask, airflow_url: str) -> None:
    wrong = {"username": "finance", "password": "wrong"}
    assert requests.post(f"{airflow_url}/auth/token", json=wrong, timeout=30).status_code == 401
    forged = {"Authorization": "Bearer forged"}
    assert requests.get(f"{airflow_url}/api/v2/dags", headers=forged, timeout=30).status_code in REFUSED


def test_the_console_shows_a_button_to_whom_may_start_its_dag(ask: Ask) -> None:
    pages = {who: ask(who, "GET", "/turno/switches/list") for who in ("operations", "viewer", "service_ci")}
    assert {who: page.status_code == 200 for who, page in pages.items()} == {
        "operations": True, "viewer": True, "service_ci": False,
    }  # fmt: skip
    assert "set_switch" in pages["operations"].text
    assert "set_switch" not in pages["viewer"].text
