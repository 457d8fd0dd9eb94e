"""What every version of the schema does: run the SQL file beside it, and never go back."""

from collections.abc import Callable
from pathlib import Path

from alembic import op


def sql_beside(version: str) -> Callable[[], None]:
    """An upgrade that runs the `.sql` of the same name as the version's own file."""

    def upgrade() -> None:
        op.get_bind().exec_driver_sql(Path(version).with_suffix(".sql").read_text(encoding="utf-8"))

    return upgrade


def no_way_back() -> None:
    """Raise NotImplementedError: a downgrade would drop what cannot be had again."""
    raise NotImplementedError("landing and state are never dropped by a command: restore a backup instead")
