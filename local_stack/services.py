"""The services of the stack: how each is started, and with which settings."""

import base64
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from local_stack.environment import AIRFLOW_USERS, EXECUTORS, MAPPINGS, StackEnvironment
from local_stack.folder import ROOT, write_json
from local_stack.processes import LOOPBACK, StackError
from local_stack.supervisor import Service

RECEIVER_VENV = Path(sys.prefix).with_name("receiver-venv")
AIRFLOW_COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
WORKER_SLOTS = 4
"""Tasks at the same time in one Celery worker; there are two workers."""
_WORKER_LOG_PORTS = {"1": "airflow-task-logs", "2": "airflow-task-logs-2"}
_FOREIGN = ("AIRFLOW", "DBT_", "PG", "_AIRFLOW")
_ALERTS = "AIRFLOW_CONN_TURNO_ALERTS"  # who is told is the caller's to say
# stopped from high to low: whoever runs tasks before the API server that tasks report to, the database last
_DATABASE, _STORES, _SERVERS, _RUNNERS = 0, 1, 2, 3


def base_environment(stack: StackEnvironment) -> dict[str, str]:
    """The caller's environment without settings meant for another Airflow, dbt or PostgreSQL, and with our own."""
    inherited = {
        name: value for name, value in os.environ.items() if name == _ALERTS or not name.startswith(_FOREIGN)
    }
    quiet = {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "PYTHONUNBUFFERED": "1"}
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY"), LOOPBACK, "localhost"]))
    return (
        inherited
        | quiet
        | {"NO_PROXY": direct, "no_proxy": direct, "PATH": _program_path()}
        | stack.variables()
    )


def _program_path() -> str:
    """Our environment's programs before those of the machine."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def services_of(stack: StackEnvironment) -> list[Service]:
    """What the supervisor is to run: every service asked for, except those that are external."""
    makers: dict[str, Callable[[], list[Service]]] = {
        "postgres": lambda: [_postgres(stack)],
        "s3": lambda: [_s3(stack)],
        "fineract": lambda: [_fineract(stack)],
        "gateways": lambda: [_gateways(stack)],
        "receiver": lambda: [_receiver(stack)],
        "airflow": lambda: _airflow(stack),
    }
    return [
        service
        for name, make in makers.items()
        if name in stack.services and name not in stack.external
        for service in make()
    ]


def _service(
    stack: StackEnvironment,
    name: str,
    command: list[str],
    *,
    url: str,
    health: str,
    layer: int,
    env: Mapping[str, str] | None = None,
    stop_signal: int = signal.SIGTERM,
) -> Service:
    return Service(
        name=name,
        command=command,
        env=base_environment(stack) | dict(env or {}),
        cwd=str(ROOT),
        log=str(stack.folder.log(name)),
        url=url,
        health=health,
        layer=layer,
        stop_signal=stop_signal,
    )


def _module(name: str, **options: object) -> list[str]:
    words = [
        word for option, value in options.items() for word in (f"--{option.replace('_', '-')}", str(value))
    ]
    return [sys.executable, "-m", name, *words]


def _postgres(stack: StackEnvironment) -> Service:
    port = stack.ports["postgres"]
    return _service(
        stack,
        "postgres",
        [sys.executable, "-m", "local_stack.postgres", str(stack.folder.path / "postgres"), str(port)],
        url=f"postgresql://{LOOPBACK}:{port}",
        health=stack.databases.admin_url,
        layer=_DATABASE,
        stop_signal=signal.SIGINT,  # "fast": sessions are ended, a checkpoint is written
    )


def _s3(stack: StackEnvironment) -> Service:
    mirror = stack.folder.path / "s3"
    command = _module("local_stack.s3", port=stack.ports["s3"], mirror=mirror, bucket=stack.bucket)
    return _service(stack, "s3", command, url=stack.s3_url, health=stack.s3_url, layer=_STORES)


def _fineract(stack: StackEnvironment) -> Service:
    state = stack.folder.path / "fineract.sqlite"
    command = _module("local_stack.fineract", host=LOOPBACK, port=stack.ports["fineract"], state=state)
    return _service(
        stack, "fineract", command, url=stack.fineract_url, health=stack.fineract_url, layer=_STORES
    )


def _gateways(stack: StackEnvironment) -> Service:
    url = stack.local_url("gateways")
    command = _module(
        "local_stack.gateways", port=stack.ports["gateways"], receiver_url=stack.local_url("receiver")
    )
    return _service(
        stack,
        "gateways",
        command,
        url=url,
        health=f"{url}/standin/health",
        layer=_SERVERS,
        env=stack.webhook_secrets(),
    )


def _receiver(stack: StackEnvironment) -> Service:
    gunicorn = RECEIVER_VENV / "bin" / "gunicorn"
    if not gunicorn.exists():
        raise StackError(
            f"the receiver's environment {RECEIVER_VENV} is missing; make it with scripts/bootstrap.sh"
        )
    url = stack.local_url("receiver")
    settings = ROOT / "webhook_receiver" / "gunicorn.conf.py"
    return _service(
        stack,
        "receiver",
        [str(gunicorn), f"--config={settings}", f"--bind={LOOPBACK}:{stack.ports['receiver']}"],
        url=url,
        health=f"{url}/health",
        layer=_SERVERS,
        env=stack.webhook_secrets()
        | {
            "TURNO_LENDER_MAPPINGS": str(MAPPINGS),
            "TURNO_RECEIVER_DATABASE_URL": stack.databases.url("warehouse", "turno_receiver"),
            "TURNO_AIRFLOW_URL": stack.local_url("airflow"),
            "TURNO_AIRFLOW_USER": "operator",
            "TURNO_AIRFLOW_PASSWORD": stack.secrets["airflow_user_operator"],
        },
    )


def _airflow(stack: StackEnvironment) -> list[Service]:
    write_passwords(stack)
    url = stack.local_url("airflow")
    health = f"{url}/api/v2/monitor/health"
    settings = airflow_settings(stack)
    options = {"api-server": ["--workers", "1"]}
    celery = [_redis(stack), *_workers(stack, settings)] if stack.executor == "celery" else []
    return celery + [
        _service(
            stack,
            f"airflow-{component}",
            [sys.executable, "-m", "airflow", component, *options.get(component, [])],
            url=url if component == "api-server" else "",
            health=health if component == "api-server" else f"{health}#{component.replace('-', '_')}",
            layer=_SERVERS if component == "api-server" else _RUNNERS,
            env=settings,
        )
        for component in AIRFLOW_COMPONENTS
    ]


def _redis(stack: StackEnvironment) -> Service:
    """The broker of Celery. It keeps nothing: what is lost with it, the scheduler queues again."""
    port, folder = stack.ports["redis"], stack.folder.path / "redis"
    server = shutil.which("redis-server", path=_program_path())
    if server is None:
        raise StackError(
            "there is no redis-server; install it (apt-get install redis-server), or use --executor local"
        )
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "redis.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f'bind {LOOPBACK}\nport {port}\nrequirepass {stack.secrets["redis"]}\ndir {folder}\nsave ""\n',
        encoding="ascii",
    )
    url = f"redis://{LOOPBACK}:{port}"
    return _service(stack, "redis", [server, str(settings)], url=url, health=url, layer=_STORES)


def _workers(stack: StackEnvironment, settings: Mapping[str, str]) -> list[Service]:
    command = [sys.executable, "-m", "airflow", "celery", "worker", "--concurrency", str(WORKER_SLOTS)]
    return [
        _service(
            stack,
            f"airflow-worker-{number}",
            [*command, "--celery-hostname", f"worker-{number}@%h"],
            url="",
            health=stack.local_url(port),  # the server of its task logs
            layer=_RUNNERS,
            env={**settings, "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(stack.ports[port])},
        )
        for number, port in _WORKER_LOG_PORTS.items()
    ]


def airflow_settings(stack: StackEnvironment) -> dict[str, str]:
    """Airflow's settings for one machine: metadata in our PostgreSQL, generated logins."""
    home = stack.folder.path / "airflow"
    url = stack.local_url("airflow")
    metadata = stack.databases.url("airflow", "airflow").replace("postgresql://", "postgresql+psycopg2://", 1)
    users = ",".join(f"{user}:{role}" for user, role in AIRFLOW_USERS.items())
    options = {
        "CORE__DAGS_FOLDER": ROOT / "dags",
        "CORE__PLUGINS_FOLDER": ROOT / "plugins",
        "CORE__EXECUTOR": EXECUTORS[stack.executor],
        "CORE__PARALLELISM": 8,
        "CELERY__BROKER_URL": f"redis://:{stack.secrets['redis']}@{LOOPBACK}:{stack.ports['redis']}/0",
        "CORE__LOAD_EXAMPLES": False,
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(bytes.fromhex(stack.secrets["airflow_fernet"])).decode(),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": users,
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": home / "passwords.json",
        "API__HOST": LOOPBACK,
        "API__PORT": stack.ports["airflow"],
        "API__BASE_URL": url,
        "API__SECRET_KEY": stack.secrets["airflow_api"],
        "API_AUTH__JWT_SECRET": stack.secrets["airflow_jwt"],
        "DATABASE__SQL_ALCHEMY_CONN": metadata,
        "DAG_PROCESSOR__REFRESH_INTERVAL": 10,  # a new DAG file is seen within seconds, not five minutes
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 300,  # each file read anew every 30 s would keep a core busy
        # tasks of a killed scheduler or machine are taken up again within a minute, not five
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": 60,
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 30,
        "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,  # a finished task gives back its slot sooner
        "LOGGING__BASE_LOG_FOLDER": stack.folder.path / "logs" / "airflow",
        "LOGGING__WORKER_LOG_SERVER_PORT": stack.ports["airflow-task-logs"],
        "LOGGING__TRIGGER_LOG_SERVER_PORT": stack.ports["airflow-trigger-logs"],
        "USAGE_DATA_COLLECTION__ENABLED": False,
        "COSMOS__ENABLE_TELEMETRY": False,
        "COSMOS__CACHE_DIR": stack.folder.path
        / "cosmos",  # not in /tmp, where another user's may stand in the way
    }
    settings = {f"AIRFLOW__{name}": str(value) for name, value in options.items()}
    return settings | {
        "AIRFLOW_HOME": str(home),
        "TURNO_DBT_MANIFEST": str(stack.folder.path / "dbt" / "manifest.json"),
    }


def use_connections(stack: StackEnvironment) -> None:
    """Have the hooks of this process find their connections as they do inside Airflow: in the environment."""
    quiet = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    os.environ.update(base_environment(stack) | airflow_settings(stack) | quiet)


def write_passwords(stack: StackEnvironment) -> None:
    """Give Airflow's users their passwords; the file is read at each login."""
    file = stack.folder.path / "airflow" / "passwords.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, {user: stack.secrets[f"airflow_user_{user}"] for user in AIRFLOW_USERS})
