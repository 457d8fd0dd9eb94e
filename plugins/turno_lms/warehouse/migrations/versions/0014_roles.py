"""Roles: one per program, and one for finance, which reads masked views (docs/database-roles.md)."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0014"
down_revision = "0013"
upgrade = sql_beside(__file__)
downgrade = no_way_back
