"""Databases and roles of a PostgreSQL server, ours or any other, seen by its administrator."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


@dataclass(frozen=True)
class Databases:
    """A server: its administrator's URL and the passwords of the roles we make there."""

    admin_url: str
    passwords: Mapping[str, str]

    def url(self, dbname: str, role: str = "postgres") -> str:
        """The postgresql:// URL of a database for one of our roles; for any other role, the administrator's."""
        parts = urlsplit(self.admin_url)
        user, _, address = parts.netloc.rpartition("@")
        if role in self.passwords:
            user = f"{role}:{self.passwords[role]}"
        return parts._replace(netloc=f"{user}@{address}", path=f"/{dbname}").geturl()

    def is_ready(self) -> bool:
        """Whether the server accepts the administrator's connection."""
        try:
            with psycopg.connect(self.admin_url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def ensure_role(self, role: str, *, may_create_roles: bool = False) -> None:
        """Let one of our roles log in with its password; make it if it is missing."""
        with psycopg.connect(self.admin_url, autocommit=True) as conn:
            known = conn.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone()
            verb = sql.SQL("alter" if known else "create")
            rights = sql.SQL("createrole" if may_create_roles else "nocreaterole")
            password = sql.Literal(self.passwords[role])
            conn.execute(
                sql.SQL("{} role {} login {} password {}").format(
                    verb, sql.Identifier(role), rights, password
                )
            )

    def ensure_database(self, name: str, *, owner: str | None = None, template: str = "template1") -> None:
        """Make a database as a copy of `template`, unless there is one of this name."""
        with psycopg.connect(self.admin_url, autocommit=True) as conn:
            if conn.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
                return
            statement = sql.SQL("create database {} template {}")
            conn.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
            if owner:
                conn.execute(
                    sql.SQL("alter database {} owner to {}").format(
                        sql.Identifier(name), sql.Identifier(owner)
                    )
                )

    def stamp(self, database: str) -> str | None:
        """What `set_stamp` wrote last on this database."""
        query = "select shobj_description(oid, 'pg_database') from pg_database where datname = %s"
        with psycopg.connect(self.admin_url) as conn:
            row = conn.execute(query, (database,)).fetchone()
        return str(row[0]) if row and row[0] else None

    def set_stamp(self, database: str, stamp: str) -> None:
        """Note on the database itself what it was prepared for, so that the note is lost only with the database."""
        with psycopg.connect(self.admin_url, autocommit=True) as conn:
            statement = sql.SQL("comment on database {} is {}")
            conn.execute(statement.format(sql.Identifier(database), sql.Literal(stamp)))
