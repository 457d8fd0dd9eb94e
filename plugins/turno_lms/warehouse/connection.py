"""Connections to the warehouse, each under the role of the program that opens it. Inside Airflow and on the command
line alike, address and secret come from the role's Airflow connection (environment or secrets backend); nothing else
knows them.
"""

from enum import StrEnum
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
WarehouseConnection = psycopg.Connection[Row]


class Role(StrEnum):
    """The logins of the warehouse, by their names in PostgreSQL. What each may do: docs/database-roles.md."""

    OWNER = "turno_owner"
    INGESTION = "turno_ingestion"
    RECONCILER = "turno_reconciler"
    POSTER = "turno_poster"
    CONSOLE = "turno_console"
    DBT = "turno_dbt"
    RECEIVER = "turno_receiver"
    FINANCE = "turno_finance"

    @property
    def conn_id(self) -> str:
        """The Airflow connection with the role's login. dbt, the receiver and people log in by other ways."""
        return self.value.replace("turno_", "turno_warehouse_")


def warehouse_url(role: Role) -> str:
    """The libpq URL of a role's Airflow connection; AirflowNotFoundException if there is none."""
    from airflow.sdk import BaseHook  # a second of imports, paid only where a connection is really looked up

    uri: str = BaseHook.get_connection(role.conn_id).get_uri()
    scheme, _, rest = uri.partition("://")
    return f"postgresql://{rest}" if scheme.startswith("postgres") else uri


def connect(
    target: Role | str, *, application_name: str = "turno_lms", autocommit: bool = False
) -> WarehouseConnection:
    """Open a connection that yields rows as dicts, in UTC: by a role's Airflow connection, or to a libpq URL."""
    return psycopg.connect(
        warehouse_url(target) if isinstance(target, Role) else target,
        application_name=application_name,
        autocommit=autocommit,
        row_factory=dict_row,
        options="-c timezone=UTC",
    )


def is_built(conn: WarehouseConnection, *tables: str) -> bool:
    """Whether dbt has made these tables (`schema.name`): not before build_warehouse's first run in a new warehouse."""
    row = conn.execute(
        "select bool_and(to_regclass(name) is not null) as is_built from unnest(%s::text[]) as name",
        (list(tables),),
    ).fetchone()
    return bool((row or {})["is_built"])
