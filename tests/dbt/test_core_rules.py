"""The unit tests of core_transaction_data and of what it reads, each rule by its own rows."""

from tests.dbt.project import DbtProject


def test_the_rules_about_payments_hold(project: DbtProject) -> None:
    models = ("core_payment_sighting", "core_transaction_data")
    results = project.unit_tests(*models)
    assert len(results) >= len(models)
