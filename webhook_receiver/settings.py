"""What the receiver is told: its environment, and which lenders take which gateway.

Secrets come from the environment, as TURNO_WEBHOOK_SECRET_<GATEWAY>_<LENDER>, or from a file that the same name with
_FILE points at. While one is being changed the old one stays under the same with _PREVIOUS: gateways sign what they
send again with the secret of its first sending.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

GATEWAYS = ("razorpay", "cashfree")
LOS = "los"
DEFAULT_WAKE_SECONDS = 5
DEFAULT_WAKE_DAGS = "razorpay=build_warehouse,cashfree=build_warehouse,los=run_los_operations"
_WAKE = re.compile(r"\s*(?P<kind>[a-z]+)\s*=\s*(?P<dag_id>[A-Za-z0-9_.-]+)\s*")
_PROJECT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """The receiver cannot start; the message names the variable or file and what it should be."""


@dataclass(frozen=True)
class Account:
    """A gateway as one lender uses it; each has a URL of its own, /webhooks/<gateway>/<lender>."""

    gateway: str
    lender: str


@dataclass(frozen=True)
class Secrets:
    """The secrets an account's webhooks may be signed with."""

    current: bytes = field(repr=False)
    previous: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AirflowLogin:
    """Where Airflow's API is, and as whom to ask it."""

    url: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Everything configurable. An account without secrets is known, but its webhooks are refused."""

    database_url: str = field(repr=False)
    accounts: Mapping[Account, Secrets | None]
    airflow: AirflowLogin | None
    wake_seconds: int
    wake_dags: Mapping[str, str]
    """Of a kind of event (a gateway, or `los`) the DAG that it wakes; a kind without one is left to the schedule."""
    los_operations: Path
    """The folder of the JSON Schemas of the operations that may be submitted."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables and the lender mappings; raises SettingsError."""
    folder = Path(environment.get("TURNO_LENDER_MAPPINGS") or _PROJECT / "include" / "lender_mappings")
    return Settings(
        database_url=_required(environment, "TURNO_RECEIVER_DATABASE_URL"),
        accounts={account: _secrets(environment, account) for account in _accounts(folder)},
        airflow=_airflow(environment),
        wake_seconds=_wake_seconds(environment),
        wake_dags=dict(_wake_dags(environment)),
        los_operations=Path(
            environment.get("TURNO_LOS_OPERATIONS") or _PROJECT / "include" / "los_operations"
        ),
    )


def _accounts(folder: Path) -> Iterator[Account]:
    if not folder.is_dir():
        raise SettingsError(f"no folder of lender mappings at {folder}; set TURNO_LENDER_MAPPINGS")
    for path in sorted(folder.glob("*.y*ml")):
        yield from _accounts_of(path)


def _accounts_of(path: Path) -> Iterator[Account]:
    """The accounts a mapping names. The rest of it is checked by `turno lenders check`, not here."""
    try:
        mapping = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not YAML: {error}") from error
    if not isinstance(mapping, dict) or not isinstance(mapping.get("lender"), str):
        raise SettingsError(f"{path}: `lender` must name the lender; run turno lenders check")
    gateways = mapping.get("gateways") or {}
    if not isinstance(gateways, dict) or not set(gateways) <= set(GATEWAYS):
        raise SettingsError(
            f"{path}: `gateways` may have the keys {', '.join(GATEWAYS)}; run turno lenders check"
        )
    for gateway in gateways:
        yield Account(gateway, mapping["lender"])


def _secrets(environment: Mapping[str, str], account: Account) -> Secrets | None:
    name = f"TURNO_WEBHOOK_SECRET_{account.gateway}_{account.lender}".upper()
    current = _secret(environment, name)
    previous = _secret(environment, f"{name}_PREVIOUS")
    if not current:
        return None
    return Secrets(current.encode(), previous.encode() or None)


def _secret(environment: Mapping[str, str], name: str) -> str:
    """A secret from its variable or its file, without the line break that editors add; empty if there is none."""
    text, path = environment.get(name, ""), environment.get(f"{name}_FILE", "")
    if text and path:
        raise SettingsError(f"{name} and {name}_FILE are both set: one secret, one place")
    if not path:
        return text
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}_FILE is {path}, which cannot be read: {error}") from error


def _airflow(environment: Mapping[str, str]) -> AirflowLogin | None:
    if not environment.get("TURNO_AIRFLOW_URL"):
        return None
    return AirflowLogin(
        environment["TURNO_AIRFLOW_URL"].rstrip("/"),
        _required(environment, "TURNO_AIRFLOW_USER"),
        _required(environment, "TURNO_AIRFLOW_PASSWORD"),
    )


def _wake_seconds(environment: Mapping[str, str]) -> int:
    text = environment.get("TURNO_WAKE_SECONDS") or str(DEFAULT_WAKE_SECONDS)
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingsError(
            f"TURNO_WAKE_SECONDS is {text!r}; it must be a whole number of seconds, at least 1"
        )
    return int(text)


def _wake_dags(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for entry in filter(None, environment.get("TURNO_WAKE_DAGS", DEFAULT_WAKE_DAGS).split(",")):
        wake = _WAKE.fullmatch(entry)
        if wake is None or wake["kind"] not in {*GATEWAYS, LOS}:
            raise SettingsError(
                f"TURNO_WAKE_DAGS holds {entry!r}; it must be <kind>=<DAG id>, of the kinds "
                f"{', '.join(GATEWAYS)}, {LOS}"
            )
        yield wake["kind"], wake["dag_id"]


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise SettingsError(f"{name} is not set")
    return value
