"""The executors that the documentation offers can be loaded from the locked environment."""

import subprocess
import sys

CODE = """
from airflow.executors.executor_loader import ExecutorLoader

for name in ("LocalExecutor", "CeleryExecutor", "KubernetesExecutor"):
    print(ExecutorLoader.import_executor_cls(ExecutorLoader.lookup_executor_name_by_str(name))[0].__name__)
"""


def test_every_executor_on_offer_can_be_loaded() -> None:
    names = "LocalExecutor,CeleryExecutor,KubernetesExecutor"
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=False,
        env={"AIRFLOW__CORE__EXECUTOR": names, "PATH": ""},
    )
    assert run.returncode == 0, run.stderr
    assert set(names.split(",")) <= set(run.stdout.split())
