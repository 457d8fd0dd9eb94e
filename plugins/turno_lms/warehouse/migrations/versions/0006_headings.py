"""The headings of loaded files."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0006"
down_revision = "0005"
upgrade = sql_beside(__file__)
downgrade = no_way_back
