"""Looks for every secret of a stack in whatever it has written or shows: files, both databases, the UI and the API."""

import base64
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg
import requests
from psycopg import sql

from turno_lms.los.callers import issue_token
from turno_lms.warehouse.connection import connect

PLANTED = {
    "TURNO_FINERACT_PASSWORD": "planted-fineract-5b1de0",
    "TURNO_GATEWAYS_API_SECRET": "planted-gateway-77c1a4",
}
"""Passwords of the stand-ins, which would otherwise be words that stand everywhere. The stack makes the others itself."""
# where secrets are kept on purpose, readable by their owner alone; the databases' and stand-ins' own files
_KEPT_IN = {"secrets.json", "passwords.json", "wanted.json"}
_NOT_LOOKED_AT = {"postgres", "s3", "venv", "receiver-venv", "boot"}
_TABLES = """
select schemaname as schema, tablename as name from pg_tables
where schemaname not in ('pg_catalog', 'information_schema') order by 1, 2
"""
_PAGES = (
    "/api/v2/config", "/api/v2/connections", "/api/v2/variables", "/api/v2/dags", "/api/v2/eventLogs?limit=100",
    "/api/v2/importErrors", "/api/v2/dagWarnings", "/api/v2/plugins", "/api/v2/monitor/health", "/api/v2/jobs",
    "/api/v2/dags/~/dagRuns?limit=100", "/api/v2/dags/~/dagRuns/~/taskInstances?limit=100",
    "/turno/", "/turno/files/list", "/turno/payments/list", "/turno/fineract-calls/list", "/turno/webhooks/list",
    "/turno/payment-links/list", "/turno/los/list", "/turno/switches/list", "/",
)  # fmt: skip
_DETAILS_OF = 25
"""Of so many task instances the rendered fields, the XComs and the log are read over the API."""


@dataclass
class Search:
    """Secrets by name, and what a look for them has found."""

    secrets: Mapping[str, tuple[bytes, ...]]
    places: int = 0
    size: int = 0
    hits: list[str] = field(default_factory=list)

    def look_at(self, place: str, content: bytes) -> None:
        """Search one place."""
        self.places += 1
        self.size += len(content)
        self.hits += [
            f"{name} in {place}"
            for name, forms in self.secrets.items()
            if any(form in content for form in forms)
        ]


@dataclass(frozen=True)
class Stack:
    """A running stack: its state folder and what `turno stack up` says of it."""

    state: Path
    variables: Mapping[str, str]

    @property
    def headers(self) -> dict[str, str]:
        """A login of the administrator."""
        login = {"username": "admin", "password": self.variables["TURNO_AIRFLOW_PASSWORD"]}
        answer = requests.post(f"{self.variables['TURNO_AIRFLOW_URL']}/auth/token", json=login, timeout=30)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def url(self, database: str) -> str:
        """A database, for the server's administrator."""
        return self.variables["TURNO_POSTGRES_URL"].rpartition("/")[0] + f"/{database}"


def running_stack(state: Path, environment: Mapping[str, str]) -> Stack:
    """What runs in a state folder; asks it to be up, which it is."""
    command = [sys.executable, "-m", "turno_lms.cli", "stack", "up"]
    up = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=True)
    lines = (line.partition("=") for line in up.stdout.splitlines() if "=" in line)
    return Stack(state, {name: "".join(shlex.split(value)) for name, _, value in lines})


def all_secrets(stack: Stack) -> dict[str, tuple[bytes, ...]]:
    """Every secret by name, in the forms in which it travels: as it is, in a URL, in the header of a login."""
    plain = {**json.loads((stack.state / "secrets.json").read_text(encoding="utf-8")), **PLANTED}
    plain["los_token"] = _use_a_los_token(stack)
    fernet = base64.urlsafe_b64encode(bytes.fromhex(plain["airflow_fernet"])).decode()
    plain["fernet_key"] = fernet
    logins = {"TURNO_FINERACT_PASSWORD": "mifos"}
    found = {}
    for name, secret in plain.items():
        forms = {secret, quote(secret, safe="")}
        if name in logins:
            forms.add(base64.b64encode(f"{logins[name]}:{secret}".encode()).decode())
        found[name] = tuple(form.encode() for form in forms)
    return found


def _use_a_los_token(stack: Stack) -> str:
    """Make a caller's token and call the receiver with it, rightly and wrongly."""
    from webhook_receiver.openapi import TOKEN_HEADER

    with connect(stack.variables["AIRFLOW_CONN_TURNO_WAREHOUSE_POSTER"]) as conn:
        token = issue_token(conn, "hunter", "test", overlap=timedelta(0))
    receiver, headers = stack.variables["TURNO_RECEIVER_URL"], {TOKEN_HEADER: token}
    known = requests.get(
        f"{receiver}/los/create_client/00000000-0000-4000-8000-000000000000", headers=headers, timeout=30
    )
    assert known.status_code == 404, known.text
    refused = requests.post(f"{receiver}/los/create_client", headers=headers, json={"x": 1}, timeout=30)
    assert 400 <= refused.status_code < 500, refused.text
    return token


def hunt(stack: Stack, secrets: Mapping[str, tuple[bytes, ...]]) -> dict[str, Search]:
    """Look everywhere; the findings by kind of place."""
    found = {kind: Search(secrets) for kind in ("files", "airflow database", "warehouse", "ui and api")}
    for path in _files(stack.state):
        found["files"].look_at(str(path.relative_to(stack.state)), path.read_bytes())
    for kind, database in (("airflow database", "airflow"), ("warehouse", "warehouse")):
        for table, content in _tables(stack.url(database)):
            found[kind].look_at(table, content)
    for page, content in _shown(stack):
        found["ui and api"].look_at(page, content)
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in _NOT_LOOKED_AT:
            yield from _files(path)
        elif path.is_file() and path.name not in _KEPT_IN:
            yield path


def _tables(url: str) -> Iterator[tuple[str, bytes]]:
    """Every table as text: XComs, rendered fields, audit log and serialized DAGs among them; bodies decoded."""
    with psycopg.connect(url) as conn:
        conn.execute("set bytea_output = 'escape'")
        for schema, name in conn.execute(_TABLES).fetchall():
            query = sql.SQL("copy (select each::text from {} as each) to stdout")
            with conn.cursor().copy(query.format(sql.Identifier(schema, name))) as rows:
                yield f"{schema}.{name}", b"".join(bytes(row) for row in rows)


def _shown(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Pages of the UI and answers of the API, as the administrator sees them."""
    session, base = requests.Session(), stack.variables["TURNO_AIRFLOW_URL"]
    session.headers.update(stack.headers)
    for page in (*_PAGES, *_details(session, base)):
        answer = session.get(base + page, timeout=60)
        assert answer.status_code < 500, f"{page}: {answer.status_code} {answer.text[:300]}"
        yield page, answer.content


def _details(session: requests.Session, base: str) -> Iterator[str]:
    """What the API shows of task instances: of every task one, up to some."""
    listed = session.get(f"{base}/api/v2/dags/~/dagRuns/~/taskInstances?limit=100", timeout=60).json()
    one_each = {(row["dag_id"], row["task_id"]): row for row in listed["task_instances"]}
    for row in list(one_each.values())[:_DETAILS_OF]:
        run = f"/api/v2/dags/{row['dag_id']}/dagRuns/{quote(row['dag_run_id'])}"
        task = f"{run}/taskInstances/{quote(row['task_id'])}"
        mapped = f"{task}/{row['map_index']}" if row["map_index"] >= 0 else task
        yield mapped
        yield f"{task}/xcomEntries"
        yield f"{task}/logs/{max(row['try_number'], 1)}?map_index={row['map_index']}"


def assert_no_secret_is_found(state: Path, environment: Mapping[str, str]) -> None:
    """Hunt on a running stack, then plant a leak in every kind of place and see that it is found. Prints the counts."""
    stack = running_stack(state, environment)
    secrets = all_secrets(stack)
    found = hunt(stack, secrets)
    for kind, search in found.items():
        print(
            f"secret hunt: {kind} places={search.places} bytes={search.size} secrets={len(secrets)} hits={len(search.hits)}"
        )
    assert [hit for search in found.values() for hit in search.hits] == []
    assert len(secrets) > 20
    assert all(search.places > 5 and search.size > 10_000 for search in found.values())
    _assert_a_leak_is_found(stack, secrets)


def _assert_a_leak_is_found(stack: Stack, secrets: Mapping[str, tuple[bytes, ...]]) -> None:
    """The hunt itself is tried: one leak in each kind of place."""
    leak = secrets["TURNO_FINERACT_PASSWORD"]
    file = stack.state / "logs" / "planted.log"
    file.write_bytes(b"Authorization: Basic " + leak[-1] + b" " + leak[0])
    with psycopg.connect(stack.url("warehouse"), autocommit=True) as conn:
        conn.execute("create table public.planted as select %s as leak", (leak[0].decode(),))
    variable = {"key": "planted", "value": "x", "description": leak[0].decode()}
    api = f"{stack.variables['TURNO_AIRFLOW_URL']}/api/v2/variables"
    requests.post(api, json=variable, headers=stack.headers, timeout=30).raise_for_status()
    hits = {kind: search.hits for kind, search in hunt(stack, secrets).items()}
    file.unlink()
    with psycopg.connect(stack.url("warehouse"), autocommit=True) as conn:
        conn.execute("drop table public.planted")
    requests.delete(f"{api}/planted", headers=stack.headers, timeout=30).raise_for_status()
    name = "TURNO_FINERACT_PASSWORD"
    assert hits["files"] == [f"{name} in logs/planted.log"]
    assert hits["warehouse"] == [f"{name} in public.planted"]
    assert f"{name} in public.variable" in hits["airflow database"]
    assert f"{name} in /api/v2/variables" in hits["ui and api"]
