"""What the warehouse needs for the operations: of each its partition of submissions and its partition of results.

One deploy step under the owner's role, safe to repeat: a second run changes nothing and says so.
"""

from psycopg import sql

from turno_lms.los.registry import REGISTRY
from turno_lms.warehouse.connection import WarehouseConnection

_LOCK = "select pg_advisory_xact_lock(hashtextextended('turno los apply', 0))"
_ATTACHED = """
select child.relname as name
from pg_inherits
inner join pg_class as child on child.oid = pg_inherits.inhrelid
where pg_inherits.inhparent in ('raw.raw_los_submission'::regclass, 'core.core_los_processed'::regclass)
"""
_PARENTS = {
    ("raw", "raw_los_submission"): "raw_{operation}_los",
    ("core", "core_los_processed"): "core_{operation}_los_processed",
}


def apply_operations(conn: WarehouseConnection) -> list[str]:
    """Make the partitions that are missing; returns one line per table, none when all are there."""
    changes: list[str] = []
    with conn.transaction():
        conn.execute(_LOCK)
        attached = {row["name"] for row in conn.execute(_ATTACHED)}
        for operation in REGISTRY:
            for (schema, parent), pattern in _PARENTS.items():
                table = pattern.format(operation=operation)
                if table not in attached:
                    _create_partition(conn, schema, table, parent, operation)
                    changes.append(f"{operation}: partition {schema}.{table}")
    return changes


def _create_partition(
    conn: WarehouseConnection, schema: str, table: str, parent: str, operation: str
) -> None:
    """Create, then attach: attaching does not block readers and writers of the other operations' partitions."""
    names = {
        "table": sql.Identifier(schema, table),
        "parent": sql.Identifier(schema, parent),
        "operation": sql.Literal(operation),
    }
    create = "create table {table} (like {parent} including defaults including constraints)"
    conn.execute(sql.SQL(create).format(**names))
    attach = "alter table {parent} attach partition {table} for values in ({operation})"
    conn.execute(sql.SQL(attach).format(**names))
