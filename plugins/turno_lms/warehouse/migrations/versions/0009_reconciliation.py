"""Matches that say why, exceptions with a life and a history, lenders' rules, settlements, loans in full."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("landing and state are never dropped by a command: restore a backup instead")
