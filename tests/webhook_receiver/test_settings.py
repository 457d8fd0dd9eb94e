"""What the receiver reads before it starts, and what it refuses to start with."""

from pathlib import Path

import pytest

from tests.webhook_receiver.receiver_process import SECRETS, make_mappings
from webhook_receiver.settings import Account, Secrets, SettingsError, read_settings

DATABASE = {"TURNO_RECEIVER_DATABASE_URL": "postgresql://receiver@db/warehouse"}
AIRFLOW = {
    "TURNO_AIRFLOW_URL": "http://airflow:8080/",
    "TURNO_AIRFLOW_USER": "receiver",
    "TURNO_AIRFLOW_PASSWORD": "hidden",
}


def test_accounts_are_the_gateways_of_the_mappings(tmp_path: Path) -> None:
    mappings = {"TURNO_LENDER_MAPPINGS": str(make_mappings(tmp_path))}
    settings = read_settings(DATABASE | SECRETS | mappings)
    assert settings.accounts == {
        Account("razorpay", "axle"): Secrets(b"axle-current", b"axle-previous"),
        Account("cashfree", "axle"): Secrets(b"axle-current"),
        Account("razorpay", "gb"): Secrets(b"gb-current"),
        Account("razorpay", "bare"): None,
    }
    assert (settings.airflow, settings.wake_seconds) == (None, 5)


def test_the_projects_own_mappings_are_read_by_default() -> None:
    assert {Account("razorpay", "axle"), Account("razorpay", "gb")} <= set(read_settings(DATABASE).accounts)


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from-a-file\n", encoding="utf-8")
    mappings = {"TURNO_LENDER_MAPPINGS": str(make_mappings(tmp_path))}
    name = "TURNO_WEBHOOK_SECRET_RAZORPAY_BARE"
    settings = read_settings(
        DATABASE | mappings | {f"{name}_FILE": str(file), f"{name}_PREVIOUS_FILE": str(file)}
    )
    assert settings.accounts[Account("razorpay", "bare")] == Secrets(b"from-a-file", b"from-a-file")
    for wrong in ({f"{name}_FILE": "/nowhere"}, {f"{name}_FILE": str(file), name: "both"}):
        with pytest.raises(SettingsError, match=name):
            read_settings(DATABASE | mappings | wrong)


def test_each_kind_of_event_wakes_its_dag_unless_told_otherwise() -> None:
    assert read_settings(DATABASE).wake_dags == {
        "razorpay": "build_warehouse", "cashfree": "build_warehouse", "los": "run_los_operations",
    }  # fmt: skip
    told = read_settings(DATABASE | {"TURNO_WAKE_DAGS": "los=run_los_operations"})
    assert told.wake_dags == {"los": "run_los_operations"}


def test_secrets_do_not_show(tmp_path: Path) -> None:
    mappings = {"TURNO_LENDER_MAPPINGS": str(make_mappings(tmp_path))}
    shown = repr(read_settings(DATABASE | SECRETS | mappings | AIRFLOW))
    for secret in ("axle-current", "axle-previous", "hidden", "postgresql://"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TURNO_RECEIVER_DATABASE_URL": ""}, "TURNO_RECEIVER_DATABASE_URL is not set"),
        ({"TURNO_LENDER_MAPPINGS": "/nowhere"}, "no folder of lender mappings at /nowhere"),
        ({"TURNO_AIRFLOW_URL": "http://airflow:8080"}, "TURNO_AIRFLOW_USER is not set"),
        ({"TURNO_WAKE_SECONDS": "0"}, "TURNO_WAKE_SECONDS is '0'"),
        ({"TURNO_WAKE_DAGS": "paytm=build_warehouse"}, "TURNO_WAKE_DAGS holds 'paytm=build_warehouse'"),
        ({"TURNO_WAKE_DAGS": "los=no dag"}, "TURNO_WAKE_DAGS holds 'los=no dag'"),
        ({"TURNO_WAKE_SECONDS": "five"}, "TURNO_WAKE_SECONDS is 'five'"),
    ],
)
def test_a_missing_or_odd_setting_is_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        read_settings(DATABASE | environment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: Axle\n", "`lender` must name the lender"),
        ("lender: axle\ngateways: {paytm: {}}\n", "`gateways` may have the keys razorpay, cashfree"),
        ("lender: axle\ngateways: [razorpay]\n", "`gateways` may have the keys razorpay, cashfree"),
        ("lender: [", "not YAML"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "axle.yml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=f"axle.yml: {message}"):
        read_settings(DATABASE | {"TURNO_LENDER_MAPPINGS": str(tmp_path)})
