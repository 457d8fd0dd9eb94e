"""Where everything is and how to log in there: the facts `turno stack up` prints and every service is started with."""

import json
import os
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from local_stack.databases import Databases
from local_stack.folder import ROOT, StateFolder
from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET, CASHFREE_CLIENT_ID
from local_stack.processes import LOOPBACK, StackError
from turno_lms.warehouse.connection import Role

SERVICES = ("postgres", "s3", "fineract", "gateways", "receiver", "airflow")
NEEDS = {"airflow": ("postgres",), "receiver": ("postgres",), "gateways": ("receiver", "postgres")}
REPLACEABLE = {"postgres": "TURNO_POSTGRES_URL", "s3": "TURNO_S3_URL", "fineract": "TURNO_FINERACT_URL"}
EXECUTORS = {"local": "LocalExecutor", "celery": "CeleryExecutor"}
REGION = "ap-south-1"
FINERACT_PATH = "/fineract-provider/api/v1"
MAPPINGS = Path(os.environ.get("TURNO_LENDER_MAPPINGS") or ROOT / "include" / "lender_mappings")
# below the ports that the system gives to outgoing connections: those may be taken at any moment
PREFERRED_PORTS = {
    "postgres": 25432,
    "s3": 25433,
    "fineract": 25434,
    "gateways": 25435,
    "receiver": 25436,
    "airflow": 28080,
    "airflow-task-logs": 28081,
    "airflow-trigger-logs": 28082,
    "airflow-task-logs-2": 28083,
    "redis": 25437,
}
_LOGINS = ("postgres", "airflow", *Role)
_CONNECTED = (Role.OWNER, Role.INGESTION, Role.RECONCILER, Role.POSTER, Role.CONSOLE)
AIRFLOW_USERS = {"admin": "admin", "operator": "op", "viewer": "viewer"}
_SECRET_BYTES = {
    **dict.fromkeys(_LOGINS, 16),
    **{f"airflow_user_{user}": 8 for user in AIRFLOW_USERS},  # typed by people
    **dict.fromkeys(("airflow_jwt", "airflow_fernet", "airflow_api", "redis"), 32),
}
_GATEWAYS = ("razorpay", "cashfree")


@dataclass(frozen=True)
class StackEnvironment:
    """The addresses and logins of one stack. `external` holds the URLs of services that are not ours.

    `executor` says who runs Airflow's tasks: `local`, the scheduler itself; `celery`, two workers behind a Redis.
    """

    folder: StateFolder
    services: frozenset[str]
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    external: Mapping[str, str]
    executor: str = "local"

    @property
    def databases(self) -> Databases:
        """The PostgreSQL server, ours or the external one."""
        own = f"postgresql://postgres:{self.secrets['postgres']}@{LOOPBACK}:{self.ports['postgres']}/postgres"
        passwords = {role: self.secrets[role] for role in _LOGINS[1:]}
        return Databases(self.external.get("postgres", own), passwords)

    @property
    def s3_url(self) -> str:
        """The S3 server's address."""
        return self.external.get("s3", self.local_url("s3"))

    @property
    def fineract_url(self) -> str:
        """Fineract's base address, without a login in it."""
        return _without_login(
            urlsplit(self.external.get("fineract", self.local_url("fineract") + FINERACT_PATH))
        )

    def local_url(self, name: str) -> str:
        """The address of one of our own web servers."""
        return f"http://{LOOPBACK}:{self.ports[name]}"

    @property
    def bucket(self) -> str:
        """The bucket lenders drop their files in."""
        return os.environ.get("TURNO_BUCKET", "turnofile")

    def variables(self) -> dict[str, str]:
        """What a shell, a test or a service needs to reach the services of this stack."""
        found = {"TURNO_HOME": str(ROOT), "TURNO_STATE": str(self.folder.path), "TURNO_BUCKET": self.bucket}
        makers: dict[str, Callable[[], dict[str, str]]] = {
            "postgres": self._postgres_variables,
            "s3": self._s3_variables,
            "fineract": self._fineract_variables,
            "gateways": self._gateways_variables,
            "receiver": lambda: {"TURNO_RECEIVER_URL": self.local_url("receiver")},
            "airflow": self._airflow_variables,
        }
        for name in SERVICES:
            if name in self.services:
                found |= makers[name]()
        return found

    def _postgres_variables(self) -> dict[str, str]:
        url = self.databases.url
        dbt = urlsplit(url("warehouse", Role.DBT))
        return {
            "TURNO_POSTGRES_URL": self.databases.admin_url,
            "TURNO_WAREHOUSE_URL": url("warehouse", Role.CONSOLE),
            "TURNO_RECEIVER_DATABASE_URL": url("warehouse", Role.RECEIVER),
            **warehouse_connections(lambda role: url("warehouse", role)),
            "TURNO_DBT_HOST": str(dbt.hostname),
            "TURNO_DBT_PORT": str(dbt.port or 5432),
            "TURNO_DBT_USER": Role.DBT,
            "TURNO_DBT_PASSWORD": self.secrets[Role.DBT],
            "TURNO_DBT_DBNAME": "warehouse",
        }

    def _s3_variables(self) -> dict[str, str]:
        key = os.environ.get("AWS_ACCESS_KEY_ID", "local")
        secret = os.environ.get("AWS_SECRET_ACCESS_KEY", "local")
        region = os.environ.get("AWS_DEFAULT_REGION", REGION)
        extra = {"endpoint_url": self.s3_url, "region_name": region}
        conn = {"conn_type": "aws", "login": key, "password": secret, "extra": extra}
        return {"TURNO_S3_URL": self.s3_url, "AIRFLOW_CONN_TURNO_S3": json.dumps(conn)}

    def _fineract_variables(self) -> dict[str, str]:
        login = urlsplit(self.external.get("fineract", ""))
        conn = {
            "conn_type": "http",
            "host": self.fineract_url,
            "login": login.username or "mifos",
            "password": login.password or os.environ.get("TURNO_FINERACT_PASSWORD", "password"),
            "extra": {"tenant": os.environ.get("TURNO_FINERACT_TENANT", "default")},
        }
        return {"TURNO_FINERACT_URL": self.fineract_url, "AIRFLOW_CONN_TURNO_FINERACT": json.dumps(conn)}

    def _gateways_variables(self) -> dict[str, str]:
        """With a connection to the stand-in for every account of a lender, as the sweep looks for them."""
        url = self.local_url("gateways")
        logins = {"razorpay": API_KEY_ID, "cashfree": CASHFREE_CLIENT_ID}
        found = {"TURNO_GATEWAYS_URL": url}
        for lender in mapped_lenders(MAPPINGS):
            for gateway, login in logins.items():
                account = {
                    "conn_type": "http",
                    "host": url,
                    "login": f"{login}_{lender}",
                    "password": API_KEY_SECRET,
                }
                found[f"AIRFLOW_CONN_TURNO_{gateway}_{lender}".upper()] = json.dumps(account)
        return found

    def _airflow_variables(self) -> dict[str, str]:
        return {
            "TURNO_AIRFLOW_URL": self.local_url("airflow"),
            "TURNO_AIRFLOW_USER": "admin",
            "TURNO_AIRFLOW_PASSWORD": self.secrets["airflow_user_admin"],
        }

    def webhook_secrets(self) -> dict[str, str]:
        """The secret of every gateway and lender, as the receiver and the gateways' stand-in read them."""
        return {
            name: os.environ.get(name) or self.secrets[name]
            for name in webhook_secret_names(mapped_lenders(MAPPINGS))
        }

    def as_shell(self) -> str:
        """The variables as lines a POSIX shell can eval."""
        return "\n".join(f"{name}={shlex.quote(value)}" for name, value in self.variables().items())


def warehouse_connections(url_of: Callable[[Role], str]) -> dict[str, str]:
    """The Airflow connections of the roles that our code opens the warehouse with."""
    return {f"AIRFLOW_CONN_{role.conn_id.upper()}": url_of(role) for role in _CONNECTED}


def with_needs(names: Iterable[str]) -> frozenset[str]:
    """The named services and those they cannot do without. Raises StackError for an unknown name."""
    asked = set(names)
    if unknown := asked - set(SERVICES):
        raise StackError(f"no service named {', '.join(sorted(unknown))}; there are {', '.join(SERVICES)}")
    return frozenset(asked.union(*(NEEDS.get(name, ()) for name in asked)))


def load_environment(
    folder: StateFolder, services: frozenset[str], supervised: Collection[str], executor: str = "local"
) -> StackEnvironment:
    """The environment for `services`, with ports and secrets made where there are none yet.

    `supervised` names our own services that hold their remembered ports already. Raises StackError for an
    executor that is none of EXECUTORS.
    """
    if executor not in EXECUTORS:
        raise StackError(f"no executor named {executor}; there are {', '.join(EXECUTORS)}")
    families = {name.partition("-")[0] for name in supervised}  # airflow-scheduler holds a port of airflow's
    folder.path.mkdir(parents=True, exist_ok=True)
    webhooks = dict.fromkeys(webhook_secret_names(mapped_lenders(MAPPINGS)), 32)
    plain = StackEnvironment(
        folder=folder,
        services=services,
        ports=folder.ports(
            PREFERRED_PORTS, {name for name in PREFERRED_PORTS if name.partition("-")[0] in families}
        ),
        secrets=folder.secrets(_SECRET_BYTES | webhooks),
        external={},
    )
    # what an earlier `up` printed and a shell took over is our own address, not an external one
    ours = plain.databases.admin_url, plain.s3_url, plain.fineract_url
    external = {
        name: os.environ[variable] for name, variable in REPLACEABLE.items() if os.environ.get(variable)
    }
    return StackEnvironment(
        folder,
        services,
        plain.ports,
        plain.secrets,
        {name: url for name, url in external.items() if url not in ours},
        executor,
    )


def moved_ports(ports: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """The services that are not on their preferred port: name -> (preferred, actual)."""
    return {name: (wish, ports[name]) for name, wish in PREFERRED_PORTS.items() if ports[name] != wish}


def mapped_lenders(mappings: Path) -> list[str]:
    """The slugs of the lenders that have a mapping file."""
    return sorted(file.stem for file in mappings.glob("*.yml"))


def webhook_secret_names(lenders: Iterable[str]) -> list[str]:
    """The environment variables of the webhook secrets of these lenders."""
    return [
        f"TURNO_WEBHOOK_SECRET_{gateway.upper()}_{lender.upper()}"
        for lender in lenders
        for gateway in _GATEWAYS
    ]


def _without_login(url: SplitResult) -> str:
    return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
