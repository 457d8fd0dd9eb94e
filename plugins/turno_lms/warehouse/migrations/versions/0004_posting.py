"""Posting: the switch, manual repayments and their approval, reversals and corrections."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0004"
down_revision = "0003"
upgrade = sql_beside(__file__)
downgrade = no_way_back
