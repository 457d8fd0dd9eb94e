"""What the identity step has read, where it froze nothing."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0019"
down_revision = "0018"
upgrade = sql_beside(__file__)
downgrade = no_way_back
