"""Done settlements can be taken back."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0017"
down_revision = "0016"
upgrade = sql_beside(__file__)
downgrade = no_way_back
