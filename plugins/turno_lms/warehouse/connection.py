"""Connections to the warehouse. Inside Airflow and on the command line alike, the address and the secret come from
the Airflow connection `turno_warehouse` (environment or secrets backend); nothing else knows them.
"""

from typing import Any

import psycopg
from psycopg.rows import dict_row

WAREHOUSE_CONN_ID = "turno_warehouse"
OWNER_CONN_ID = "turno_warehouse_owner"

Row = dict[str, Any]
WarehouseConnection = psycopg.Connection[Row]


def warehouse_url(conn_id: str = WAREHOUSE_CONN_ID) -> str:
    """The libpq URL of an Airflow connection of type postgres; AirflowNotFoundException if there is none."""
    from airflow.sdk import BaseHook  # a second of imports, paid only where a connection is really looked up

    uri: str = BaseHook.get_connection(conn_id).get_uri()
    scheme, _, rest = uri.partition("://")
    return f"postgresql://{rest}" if scheme.startswith("postgres") else uri


def connect(
    url: str | None = None, *, application_name: str = "turno_lms", autocommit: bool = False
) -> WarehouseConnection:
    """Open a connection that yields rows as dicts, in UTC. Without `url` the Airflow connection is used."""
    return psycopg.connect(
        url or warehouse_url(),
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
