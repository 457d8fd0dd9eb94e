"""The dbt project inside Airflow: one task per model, drawn from the manifest.

Each model belongs to one DAG by its tag and runs as `dbt build --select <model>`, its data tests included, so a model
whose tests fail stops what follows. All of these tasks share the pool `dbt` of one slot, whichever DAG they are in:
there is never a second dbt process on the warehouse. Between two models the slot goes to the task with the highest
weight, so that build_warehouse waits for one reporting model at most and never for a whole report.

Mode LOCAL, since for models of this number and size it is also the fastest: seven models in two groups took 24 to 27 s
on two quiet cores, mode WATCHER 36 to 41 s (one producer and a waiting task or two per model, twice), and in LOCAL the
state of a task is what happened to its model, without a detour.
"""

import os
from pathlib import Path

from airflow.sdk import TaskGroup
from cosmos.airflow.task_group import DbtTaskGroup
from cosmos.config import ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior

from turno_lms.orchestration.defaults import LONG, OWNER, Pool

URGENT, ROUTINE = 10, 1
"""Priorities in the pool `dbt`: what posting waits for, and what it does not."""


def project_folder() -> Path:
    """include/dbt of the project that runs."""
    home = os.environ.get("TURNO_HOME") or Path(__file__).resolve().parents[3]
    return Path(home) / "include" / "dbt"


def manifest() -> Path:
    """The project as dbt parsed it; raises FileNotFoundError with the command that makes it."""
    path = Path(os.environ.get("TURNO_DBT_MANIFEST") or project_folder() / "target" / "manifest.json")
    if not path.is_file():
        folder = project_folder()
        raise FileNotFoundError(
            f"{path} is missing; make it with: dbt parse --project-dir {folder} --profiles-dir {folder}"
        )
    return path


def dbt_group(group_id: str, *, tag: str, weight: int) -> TaskGroup:
    """The models with `tag` as a task group of the current DAG, in the order of their references."""
    folder = project_folder()
    group: TaskGroup = DbtTaskGroup(
        group_id=group_id,
        project_config=ProjectConfig(
            dbt_project_path=folder, manifest_path=manifest(), install_dbt_deps=False
        ),
        profile_config=ProfileConfig("turno", "warehouse", profiles_yml_filepath=folder / "profiles.yml"),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            select=[f"tag:{tag}"],
            test_behavior=TestBehavior.BUILD,
            emit_datasets=False,  # their names would hold the database's host and port; assets.py has ours
            enable_owner_inheritance=False,
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.LOCAL, invocation_mode=InvocationMode.DBT_RUNNER
        ),
        operator_args={
            "owner": OWNER,
            "pool": Pool.DBT,
            "priority_weight": weight,
            "weight_rule": "absolute",
            "execution_timeout": LONG,
            "install_deps": False,
            # unit tests prove the SQL, not the data: they run before a deploy
            "dbt_cmd_flags": ["--exclude-resource-type", "unit_test"],
        },
    )
    return group
