"""The warehouse as the receiver meets it."""

import hashlib

from psycopg import sql

from local_stack.databases import Databases
from turno_lms.warehouse.connection import connect

LOS_TOKENS = {
    "los-current": ("los", None),
    "los-old": ("los", "2020-01-01"),
    "partner-token": ("partner", None),
}
"""Token to its caller, and the moment after which it does not stand any more."""
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
        for token, (caller, not_after) in LOS_TOKENS.items():
            conn.execute(
                "insert into core.core_los_caller_token (token_sha256, caller, created_by, not_after)"
                " values (%s, %s, 'test', %s)",
                (hashlib.sha256(token.encode()).hexdigest(), caller, not_after),
            )
    return server.url(name, "turno_receiver")
