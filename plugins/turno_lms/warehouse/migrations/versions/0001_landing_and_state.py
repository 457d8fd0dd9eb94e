"""Landing and state tables, roles and grants."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0001"
down_revision = None
upgrade = sql_beside(__file__)
downgrade = no_way_back
