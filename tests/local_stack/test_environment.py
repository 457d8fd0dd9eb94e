"""What `turno stack up` prints: a shell can take it over, and another machine's services can replace ours."""

import json
import subprocess
from pathlib import Path

import pytest

from local_stack.environment import StackEnvironment, load_environment, with_needs
from local_stack.folder import StateFolder
from local_stack.processes import StackError
from local_stack.services import services_of

REPLACED = ("TURNO_POSTGRES_URL", "TURNO_S3_URL", "TURNO_FINERACT_URL")


@pytest.fixture(autouse=True)
def no_external_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REPLACED:
        monkeypatch.delenv(name, raising=False)


def load(folder: Path, *services: str) -> StackEnvironment:
    return load_environment(StateFolder(folder), with_needs(services), supervised=())


def test_a_shell_takes_over_every_value_unchanged(tmp_path: Path) -> None:
    stack = load(tmp_path / "it's a folder", "postgres", "s3", "fineract")
    script = stack.as_shell() + '\nprintf "%s\\n%s" "$AIRFLOW_CONN_TURNO_S3" "$TURNO_STATE"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    conn, state = done.stdout.split("\n")
    assert json.loads(conn)["extra"]["endpoint_url"] == stack.s3_url
    assert state == str(tmp_path / "it's a folder")


def test_only_what_is_asked_for_and_needed_is_printed(tmp_path: Path) -> None:
    names = load(tmp_path, "receiver").variables().keys()
    assert {"TURNO_RECEIVER_URL", "TURNO_WAREHOUSE_URL"} <= names  # the receiver needs the database
    assert not {"TURNO_S3_URL", "TURNO_AIRFLOW_URL", "TURNO_FINERACT_URL"} & names


def test_an_unknown_service_is_refused_by_name() -> None:
    with pytest.raises(StackError, match="no service named redis; there are postgres, s3"):
        with_needs(["postgres", "redis"])


def test_external_services_replace_the_stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "TURNO_POSTGRES_URL", "postgresql://admin:secret@db.example:6432/postgres?sslmode=require"
    )
    monkeypatch.setenv("TURNO_S3_URL", "http://s3.example:9000")
    monkeypatch.setenv("TURNO_FINERACT_URL", "https://lms:pass@fineract.example/fineract-provider/api/v1")
    stack = load(tmp_path, "postgres", "s3", "fineract")
    found = stack.variables()
    assert services_of(stack) == []
    password = stack.secrets["turno_console"]
    assert found["TURNO_WAREHOUSE_URL"] == (
        f"postgresql://turno_console:{password}@db.example:6432/warehouse?sslmode=require"
    )
    fineract = json.loads(found["AIRFLOW_CONN_TURNO_FINERACT"])
    assert (fineract["login"], fineract["password"]) == ("lms", "pass")
    assert fineract["host"] == "https://fineract.example/fineract-provider/api/v1"


def test_addresses_taken_over_from_an_earlier_up_are_still_our_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = load(tmp_path, "postgres", "s3", "fineract").variables()
    for name in REPLACED:
        monkeypatch.setenv(name, printed[name])
    stack = load_environment(StateFolder(tmp_path), with_needs(["postgres", "s3", "fineract"]), supervised=())
    assert [service.name for service in services_of(stack)] == ["postgres", "s3", "fineract"]


def test_another_airflows_settings_do_not_leak_into_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("PGPORT", "1")
    (service,) = services_of(load(tmp_path, "postgres"))
    assert not {"AIRFLOW__CORE__EXECUTOR", "PGPORT"} & service.env.keys()


def test_airflows_signing_secret_is_long_enough_for_its_algorithm(tmp_path: Path) -> None:
    services = {service.name: service for service in services_of(load(tmp_path, "airflow"))}
    assert len(services["airflow-scheduler"].env["AIRFLOW__API_AUTH__JWT_SECRET"].encode()) >= 64  # HS512
