"""What an identity remembers of its channel, one founder per posting key, and the cluster whose ids the rows carry."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0005"
down_revision = "0004"
upgrade = sql_beside(__file__)
downgrade = no_way_back
