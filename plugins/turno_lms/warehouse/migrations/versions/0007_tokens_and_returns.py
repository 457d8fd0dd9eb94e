"""Mandates by token, and how far the search for returned money has read."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0007"
down_revision = "0006"
upgrade = sql_beside(__file__)
downgrade = no_way_back
