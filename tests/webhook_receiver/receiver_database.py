"""The warehouse as the receiver meets it."""

from psycopg import sql

from local_stack.databases import Databases
from turno_lms.warehouse.connection import connect

ACCOUNTS = (("axle", "razorpay"), ("axle", "cashfree"), ("gb", "razorpay"), ("bare", "razorpay"))


def prepare_receiver_database(server: Databases, name: str, template: str) -> str:
    """A migrated database with the partitions that `turno lenders apply` makes; the URL of the receiver's role."""
    server.ensure_database(name, template=template)
    with connect(server.url(name), autocommit=True) as conn:
        for lender, gateway in ACCOUNTS:
            statement = sql.SQL("create table raw.{} partition of raw.{} for values in ({})")
            partition = sql.Identifier(f"raw_{lender}_{gateway}_api")
            parent = sql.Identifier(f"raw_{gateway}_api")
            conn.execute(statement.format(partition, parent, sql.Literal(lender)))
    return server.url(name, "turno_receiver")
