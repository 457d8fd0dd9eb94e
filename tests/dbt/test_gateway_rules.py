"""The unit tests of the models that read gateways' events, each rule by its own rows."""

from tests.dbt.project import DbtProject


def test_the_rules_about_gateway_events_hold(project: DbtProject) -> None:
    models = ("base_razorpay_event", "base_cashfree_event", "base_gateway_payment")
    results = project.unit_tests(*models)
    assert len(results) >= len(models)
