"""${message}."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
upgrade = sql_beside(__file__)
downgrade = no_way_back
