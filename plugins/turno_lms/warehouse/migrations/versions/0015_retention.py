"""Retention: one function that may remove what is old and proves nothing (docs/retention.md)."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0015"
down_revision = "0014"
upgrade = sql_beside(__file__)
downgrade = no_way_back
