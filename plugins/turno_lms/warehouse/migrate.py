"""Bring the warehouse's landing and state tables to the newest version (Alembic). Safe to run again."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x7552_4E4F  # two deploys at once take turns


def migrate(owner_url: str, revision: str = "head") -> None:
    """Run every missing migration up to `revision` as the schema's owner. `owner_url` is a postgresql:// URL."""
    engine = create_engine(make_url(owner_url).set(drivername="postgresql+psycopg"))
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
        connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": _LOCK})
        connection.commit()
    engine.dispose()
