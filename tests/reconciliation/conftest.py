"""The dbt project's fixtures: this room works on what dbt derives."""

from tests.dbt.conftest import built_project, project

__all__ = ["built_project", "project"]
