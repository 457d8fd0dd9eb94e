"""People log in at an identity provider, a real one over HTTP; what they may do comes from the groups in its token."""

import secrets
from collections.abc import Callable, Iterator

import oidc_provider_mock
import pytest
import requests

from local_stack.processes import wait_until
from tests.dags.production_api import Serve

CI_PASSWORD = secrets.token_hex(8)
RUNS = "/api/v2/dags/report_resolutions/dagRuns"
Employ = Callable[..., None]


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer's address."""
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture(scope="module")
def airflow_url(serve: Serve, provider: str) -> Iterator[str]:
    """A running API server that trusts the provider."""
    settings = {
        "TURNO_ADMIN_PASSWORD": secrets.token_hex(8),
        "TURNO_AIRFLOW_PASSWORD": secrets.token_hex(8),
        "TURNO_CI_PASSWORD": CI_PASSWORD,
        "AIRFLOW__FAB__CACHE_TTL": "1",
        "TURNO_OIDC_ISSUER": provider,
        "TURNO_OIDC_CLIENT_ID": "turno",
        "TURNO_OIDC_CLIENT_SECRET": "a secret of the tests",
    }
    with serve(settings) as url:
        yield url


@pytest.fixture
def employ(provider: str) -> Employ:
    """Have the provider know a person: `employ("asha", groups=["turno-finance"])`."""

    def know(name: str, **claims: object) -> None:
        known = {"preferred_username": name, "email": f"{name}@example.com", "given_name": name} | claims
        kept = {claim: value for claim, value in known.items() if value is not None}
        requests.put(f"{provider}/users/{name}", json=kept, timeout=10).raise_for_status()

    return know


def log_in(airflow_url: str, name: str) -> requests.Session:
    """Log in as a browser does: to the provider, say who one is, and back with the code. Returns what it then holds."""
    browser = requests.Session()
    at_provider = browser.get(f"{airflow_url}/auth/login/sso", timeout=30)
    assert at_provider.status_code == 200, at_provider.text
    back = browser.post(at_provider.url, data={"sub": name}, timeout=30)
    assert back.status_code < 500, back.text
    token = browser.cookies.get("_token")
    if token:
        browser.headers["Authorization"] = f"Bearer {token}"
    return browser


def test_a_group_gives_its_role_and_nothing_more(airflow_url: str, employ: Employ) -> None:
    employ("asha", groups=["turno-finance", "cricket"])
    asha = log_in(airflow_url, "asha")
    started = asha.post(airflow_url + RUNS, json={"logical_date": None}, timeout=30)
    assert started.status_code == 200, started.text
    assert started.json()["triggering_user_name"] == "asha"
    assert asha.get(f"{airflow_url}/api/v2/connections/none", timeout=30).status_code == 403
    assert asha.get(f"{airflow_url}/turno/posted/list", timeout=30).status_code == 200


def test_a_changed_group_counts_from_the_next_login(airflow_url: str, employ: Employ) -> None:
    employ("ravi", groups=["turno-finance"])
    assert log_in(airflow_url, "ravi").post(airflow_url + RUNS, json={}, timeout=30).status_code == 422
    employ("ravi", groups=["turno-viewer"])
    ravi = log_in(airflow_url, "ravi")

    def is_refused() -> bool:
        return ravi.post(airflow_url + RUNS, json={}, timeout=30).status_code == 403

    assert wait_until(is_refused, seconds=30)  # Airflow remembers a person's roles for its CACHE_TTL
    assert ravi.get(airflow_url + RUNS, timeout=30).status_code == 200


@pytest.mark.parametrize("groups", [None, [], ["cricket"], ["turno-boss"]])
def test_who_is_in_none_of_our_groups_sees_nothing(
    airflow_url: str, employ: Employ, groups: list[str] | None
) -> None:
    employ("visitor", groups=groups)
    visitor = log_in(airflow_url, "visitor")
    assert visitor.get(airflow_url + RUNS, timeout=30).status_code in {401, 403}
    assert visitor.get(f"{airflow_url}/turno/posted/list", timeout=30).status_code in {401, 403}


def test_a_token_without_a_name_logs_nobody_in(airflow_url: str, employ: Employ) -> None:
    employ("nameless", preferred_username=None, groups=["turno-finance"])
    assert log_in(airflow_url, "nameless").cookies.get("_token") is None


@pytest.mark.parametrize("account", ["admin", "receiver", "ci"])
def test_nobody_takes_over_a_programs_account(airflow_url: str, employ: Employ, account: str) -> None:
    employ(account, groups=["turno-admin"])
    assert log_in(airflow_url, account).cookies.get("_token") is None


def test_programs_keep_their_passwords(airflow_url: str) -> None:
    body = {"username": "ci", "password": CI_PASSWORD}
    assert requests.post(f"{airflow_url}/auth/token", json=body, timeout=30).status_code == 201
