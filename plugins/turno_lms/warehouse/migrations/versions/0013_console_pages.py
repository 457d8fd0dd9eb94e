"""Indexes for the lists of the console."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0013"
down_revision = "0012"
upgrade = sql_beside(__file__)
downgrade = no_way_back
