"""The report of forgiven rupees: its unit test, and its contract against the state tables as they are."""

from tests.dbt.project import DbtProject


def test_forgiven_rupees_are_counted_once_by_lender_and_month(project: DbtProject) -> None:
    results = project.dbt("build", "--select", "core_resolution_report")
    assert {"model", "unit_test"} <= {result.node.resource_type for result in results}
    assert project.rows("core.core_resolution_report") == []
