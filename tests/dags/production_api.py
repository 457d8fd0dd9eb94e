"""Airflow's API server as production runs it: FAB's auth manager, deploy/webserver_config.py, our roles and accounts."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local_stack.databases import Databases
from local_stack.environment import warehouse_connections
from local_stack.processes import LOOPBACK, free_port, stop_child
from tests.conftest import start_server

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

ROOT = Path(__file__).resolve().parents[2]
_WAREHOUSE = "access_warehouse"
Serve = Callable[[Mapping[str, str]], AbstractContextManager[str]]
"""Starts the server with settings of its own, and gives its address."""


@contextmanager
def production_api(
    databases: Databases,
    warehouse_template: str,
    dag_bag: "DagBag",
    settings: Mapping[str, str],
    folder: Path,
) -> Iterator[str]:
    """A running API server that knows our DAGs, roles and accounts, in a folder for its log; gives its address."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db

    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(dag_bag, "dags-folder", None)
    databases.ensure_database(_WAREHOUSE, template=warehouse_template)
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"
    environment = {
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__FAB__CONFIG_FILE": str(ROOT / "deploy" / "webserver_config.py"),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__SECRET_KEY": "a secret of the tests",
        "AIRFLOW__API_AUTH__JWT_SECRET": "another secret of the tests, " * 3,
        **warehouse_connections(lambda role: databases.url(_WAREHOUSE, role)),
        **settings,
    }
    assert "roles=6" in deploy(environment, "-m", "turno_lms.cli", "access", "apply")
    server = ["-m", "airflow", "api-server", "--workers", "1", "--host", LOOPBACK, "--port", str(port)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        process = start_server(
            [sys.executable, *server], f"{url}/api/v2/monitor/health", folder / "api-server.log"
        )
        # once more, beside the running server, as the next deploy does
        assert deploy(environment, "-m", "turno_lms.cli", "access", "apply").endswith("changes=0")
    yield url
    stop_child(process)


def deploy(environment: Mapping[str, str], *words: str) -> str:
    """Run a deploy step; returns its last line."""
    run = subprocess.run(
        [sys.executable, *words],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.strip().rpartition("\n")[2]
