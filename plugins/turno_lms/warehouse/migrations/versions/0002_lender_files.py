"""Fates of lender files and their rows: versions that replace each other, replays, corrections, mapping versions."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0002"
down_revision = "0001"
upgrade = sql_beside(__file__)
downgrade = no_way_back
