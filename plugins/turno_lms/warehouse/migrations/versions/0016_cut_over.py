"""What the former system had posted when this one took over."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0016"
down_revision = "0015"
upgrade = sql_beside(__file__)
downgrade = no_way_back
