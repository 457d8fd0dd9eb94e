"""Operations of the loan origination system: what became of each, the files they came in, schedules of loans."""

from turno_lms.warehouse.sql_migration import no_way_back, sql_beside

revision = "0008"
down_revision = "0007"
upgrade = sql_beside(__file__)
downgrade = no_way_back
