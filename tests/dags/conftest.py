"""Airflow for tests: a home of its own, its database in the session's PostgreSQL, our DAGs loaded once."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local_stack.databases import Databases
from local_stack.environment import warehouse_connections
from tests.dags.production_api import Serve, production_api
from turno_lms.warehouse.connection import Role

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
DBT = ROOT / "include" / "dbt"

# before anything imports airflow, which reads its home once
_HOME = tempfile.TemporaryDirectory(prefix="turno-airflow-")
os.environ.update(
    {
        "AIRFLOW_HOME": _HOME.name,
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
)


def dbt_settings(url: str) -> dict[str, str]:
    """The environment in which dbt's profile points at the database of a postgresql:// URL."""
    parts = urlsplit(url)
    return {
        "TURNO_DBT_HOST": parts.hostname or "",
        "TURNO_DBT_PORT": str(parts.port),
        "TURNO_DBT_USER": parts.username or "",
        "TURNO_DBT_PASSWORD": parts.password or "",
        "TURNO_DBT_DBNAME": parts.path.lstrip("/"),
    }


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dbt's manifest of the project as it is, in a folder of its own. Parsing opens no connection."""
    target = tmp_path_factory.mktemp("dbt")
    where = ["--project-dir", str(DBT), "--profiles-dir", str(DBT)]
    out = ["--target-path", str(target), "--log-path", str(target)]
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "parse", *where, *out]
    environment = os.environ | dbt_settings("postgresql://none:none@127.0.0.1:1/none")
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return target / "manifest.json"


@pytest.fixture(scope="session")
def airflow_database(postgres_server: Databases) -> Iterator[str]:
    """Airflow's metadata in a database of the test server; this process uses it until the session ends."""
    from airflow import settings
    from airflow.utils.db import initdb

    postgres_server.ensure_database("airflow")
    url = postgres_server.url("airflow").replace("postgresql://", "postgresql+psycopg2://", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
        settings.configure_vars()
        settings.reconfigure_orm()
        initdb()
        yield url
        settings.dispose_orm()


@pytest.fixture(scope="session")
def dag_bag(manifest: Path, airflow_database: str) -> Iterator["DagBag"]:
    """Our DAGs, parsed from the folder as the DAG processor does."""
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TURNO_DBT_MANIFEST", str(manifest))
        yield DagBag(DAGS)


@pytest.fixture(scope="module")
def serve(
    airflow_database: str,
    dag_bag: "DagBag",
    manifest: Path,
    postgres_server: Databases,
    warehouse_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Serve:
    """Airflow's API server as production runs it: `with serve({"TURNO_CI_PASSWORD": ...}) as url`."""
    known = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_database, "TURNO_DBT_MANIFEST": str(manifest)}
    folder = tmp_path_factory.mktemp("api-server")
    return lambda settings: production_api(
        postgres_server, warehouse_template, dag_bag, known | dict(settings), folder
    )


@dataclass(frozen=True)
class Finished:
    """How a DAG run ended: its state, its tasks' states by id and map index, and the assets it emitted."""

    run_id: str
    state: str
    tasks: dict[str, str]
    labels: dict[str, str]
    assets: set[str]


_EMPTY_FORMS: dict[str, dict[str, Any]] = {}
RunDag = Callable[..., Finished]
Answer = Callable[[str | None, str], None]


@pytest.fixture
def run_dag(dag_bag: "DagBag", connections: None, monkeypatch: pytest.MonkeyPatch) -> RunDag:
    """Run a DAG from start to end in this process, without a second try: `run_dag("ingest__gb", key=...)`."""

    def run(dag_id: str, *, marked_as_success: str | None = None, **conf: Any) -> Finished:
        dag = dag_bag.dags[dag_id]
        for task in dag.tasks:
            monkeypatch.setattr(task, "retries", 0)
        monkeypatch.setattr(
            dag, "deadline", None
        )  # only a scheduler can make one: dag.test() asks for a row it did not write
        # in one process the values of an earlier form would still be there
        defaults = {name: dag.params.get_param(name).value for name in dag.params}
        empty_form = _EMPTY_FORMS.setdefault(dag_id, defaults)
        return _finished(dag.test(run_conf=empty_form | conf, mark_success_pattern=marked_as_success))

    return run


def _finished(run: Any) -> Finished:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session

    with create_session() as session:
        instances = run.get_task_instances(session=session)
        emitted = session.query(AssetModel.name).join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
        assets = {name for (name,) in emitted.filter(AssetEvent.source_run_id == run.run_id)}
    names = {
        one: one.task_id if one.map_index < 0 else f"{one.task_id}[{one.map_index}]" for one in instances
    }
    return Finished(
        run_id=run.run_id,
        state=str(run.state),
        tasks={name: str(one.state) for one, name in names.items()},
        labels={name: one.rendered_map_index for one, name in names.items() if one.rendered_map_index},
        assets=assets,
    )


@pytest.fixture
def connections(
    monkeypatch: pytest.MonkeyPatch,
    warehouse_role_url: Callable[[str], str],
    s3: Any,
    s3_url: str,
    fineract_url: str,
) -> None:
    """The connections and settings of production, pointing at the test's warehouse, bucket and Fineract."""
    aws = {"endpoint_url": s3_url, "region_name": "ap-south-1"}
    s3_connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": aws}
    fineract = {"conn_type": "http", "host": fineract_url, "login": "mifos", "password": "password"}
    values = {
        **warehouse_connections(warehouse_role_url),
        "AIRFLOW_CONN_TURNO_S3": json.dumps(s3_connection),
        "AIRFLOW_CONN_TURNO_FINERACT": json.dumps(fineract),
        **dbt_settings(warehouse_role_url(Role.DBT)),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """What the page of Required Actions would bring: who answered the approval task, and what."""
    from airflow.providers.standard.operators.hitl import HITLOperator

    def answer(person: str | None, option: str) -> None:
        event = {
            "chosen_options": [option], "params_input": {}, "responded_at": datetime.now(UTC),
            "responded_by_user": {"id": person, "name": person} if person else None,
        }  # fmt: skip
        monkeypatch.setattr(
            HITLOperator, "execute", lambda self, context: self.execute_complete(context, event)
        )

    return answer
