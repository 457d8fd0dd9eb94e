"""What webhooks need besides landing: swept payments, dead letters with a fate, replays, LOS submissions."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0003"
down_revision = "0002"
upgrade = sql_beside(__file__)
downgrade = no_way_back
