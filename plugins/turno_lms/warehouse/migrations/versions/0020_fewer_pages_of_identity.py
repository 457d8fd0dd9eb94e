"""What a new payment writes into the indexes of identities, and reads of manual entries."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0020"
down_revision = "0019"
upgrade = sql_beside(__file__)
downgrade = no_way_back
