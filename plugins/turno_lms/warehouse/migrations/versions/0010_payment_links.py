"""Payment links: one live link for a loan, due and purpose, the money they brought, and every call about them."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0010"
down_revision = "0009"
upgrade = sql_beside(__file__)
downgrade = no_way_back
