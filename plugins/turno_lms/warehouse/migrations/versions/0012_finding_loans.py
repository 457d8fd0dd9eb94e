"""Looking for a loan by its client, and for what hangs on it."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0012"
down_revision = "0011"
upgrade = sql_beside(__file__)
downgrade = no_way_back
