"""One dbt project for the session; `project` is empty for every test."""

from collections.abc import Iterator

import pytest

from local_stack.databases import Databases
from tests.dbt.project import DbtProject, dbt_project


@pytest.fixture(scope="session")
def built_project(
    postgres_server: Databases, warehouse_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DbtProject]:
    with dbt_project(postgres_server, warehouse_template, tmp_path_factory.mktemp("dbt")) as project:
        yield project


@pytest.fixture
def project(built_project: DbtProject) -> DbtProject:
    built_project.empty()
    return built_project
