"""What the console counts and shows of loans without reading what is over."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0018"
down_revision = "0017"
upgrade = sql_beside(__file__)
downgrade = no_way_back
