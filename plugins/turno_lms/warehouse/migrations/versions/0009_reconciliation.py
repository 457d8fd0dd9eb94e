"""Matches that say why, exceptions with a life and a history, lenders' rules, settlements, loans in full."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0009"
down_revision = "0008"
upgrade = sql_beside(__file__)
downgrade = no_way_back
