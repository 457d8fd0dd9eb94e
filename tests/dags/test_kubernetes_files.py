"""deploy/kubernetes: the chart's values have the form that the chart takes, and tasks in pods get what tasks in Compose get."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
VALUES: dict[str, Any] = yaml.safe_load((FOLDER / "values.yaml").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))

_SWITCH = {"type": "object", "properties": {"enabled": {"type": "boolean"}}, "required": ["enabled"]}
_QUANTITIES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["cpu", "memory"],
    "properties": {
        "cpu": {"type": "string", "pattern": r"^\d+m?$"},
        "memory": {"type": "string", "pattern": r"^\d+[MG]i$"},
    },
}
_RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["requests", "limits"],
    "properties": {"requests": _QUANTITIES, "limits": _QUANTITIES},
}
_COMPONENT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["resources"],
    "properties": {
        "enabled": {"type": "boolean"},
        "replicas": {"type": "integer", "minimum": 1},
        "resources": _RESOURCES,
        "defaultUser": _SWITCH,
    },
}
_NAME = {"type": "string", "minLength": 1}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "executor": {"enum": ["LocalExecutor", "CeleryExecutor", "KubernetesExecutor"]},
        "airflowVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "airflowHome": {"type": "string"},
        "images": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "airflow": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "repository": {"type": "string"},
                        "tag": {"type": "string"},
                        "pullPolicy": {"enum": ["Always", "Never", "IfNotPresent"]},
                    },
                }
            },
        },
        "data": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"metadataSecretName": _NAME},
        },
        **dict.fromkeys(("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName"), _NAME),
        "env": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name", "value"],
                "properties": {"name": _NAME, "value": {"type": "string"}},
            },
        },
        "extraEnvFrom": {"type": "string"},
        "dags": {"type": "object", "properties": {"persistence": _SWITCH, "gitSync": _SWITCH}},
        "config": {
            "type": "object",
            "additionalProperties": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        **dict.fromkeys(("workers", "scheduler", "dagProcessor", "triggerer", "apiServer"), _COMPONENT),
        **dict.fromkeys(("migrateDatabaseJob", "postgresql", "redis", "statsd", "flower"), _SWITCH),
        "createUserJob": {"type": "object", "properties": {"defaultUser": _SWITCH}},
    },
}
"""The form of what we set, as the chart's own schema (values.schema.json) has it; what we do not set is not here."""

FROM_THE_CHART = {
    "AIRFLOW__CORE__EXECUTOR": "executor",
    "AIRFLOW__CORE__FERNET_KEY": "fernetKeySecretName",
    "AIRFLOW__API__SECRET_KEY": "apiSecretKeySecretName",
    "AIRFLOW__API_AUTH__JWT_SECRET": "jwtSecretName",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "data",
}
"""Settings that the chart makes of its values."""
BY_THE_CHART = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"}
COMPOSE_ONLY = re.compile(r"AIRFLOW__CELERY__")
SECRET = re.compile(r"^AIRFLOW_CONN_|PASSWORD|SECRET|TOKEN|_KEY$")


def test_the_values_have_the_form_that_the_chart_takes() -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(VALUES)


def test_a_task_in_a_pod_gets_what_a_task_in_compose_gets() -> None:
    compose = set(COMPOSE["x-airflow"]["environment"])
    given = {entry["name"] for entry in VALUES["env"]}
    missing = {
        name
        for name in compose - given - BY_THE_CHART
        if not COMPOSE_ONLY.search(name)
        and not SECRET.search(name)
        and FROM_THE_CHART.get(name, "") not in VALUES
    }
    assert missing == set()


def test_the_values_hold_no_secret() -> None:
    assert [entry["name"] for entry in VALUES["env"] if SECRET.search(entry["name"])] == []


def test_the_image_holds_what_the_chart_is_told_of() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    environment = {entry["name"]: entry["value"] for entry in VALUES["env"]}
    assert f"AIRFLOW__CORE__DAGS_FOLDER={environment['AIRFLOW__CORE__DAGS_FOLDER']}" in dockerfile
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert f"apache-airflow-core=={VALUES['airflowVersion']} " in lock
    assert "apache-airflow-providers-cncf-kubernetes==" in lock


def test_the_job_and_the_receiver_run_without_root_and_with_limits() -> None:
    documents = [
        document
        for name in ("init-job.yaml", "receiver.yaml")
        for document in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))
        if document["kind"] in {"Job", "Deployment"}
    ]
    assert {document["kind"] for document in documents} == {"Job", "Deployment"}
    for document in documents:
        pod = document["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert {str(pod["securityContext"]["runAsUser"])} <= set(
            re.findall(r"USER (\d+)", (ROOT / "Dockerfile").read_text())
        )
        jsonschema.validate(pod["containers"][0]["resources"], _RESOURCES)
