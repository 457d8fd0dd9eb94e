"""Settlements, write-offs and foreclosures: what was quoted, approved, promised and done, step by step."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0011"
down_revision = "0010"
upgrade = sql_beside(__file__)
downgrade = no_way_back
