"""Webhooks into RAW, durable before they are answered. PostgreSQL's unique keys decide what is a duplicate."""

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.errors import CheckViolation, ProgramLimitExceeded, StatementTooComplex
from psycopg_pool import ConnectionPool

from webhook_receiver.events import Delivery, UnusableBody, UnusableBodyError
from webhook_receiver.settings import GATEWAYS
from webhook_receiver.signatures import Verification

Result = TypeVar("Result")

MAX_CONNECTIONS = 8
# gateways wait 5 seconds for an answer: the two waits below, one after the other, stay under that
_CONNECTION_SECONDS = 2
_STATEMENT_MILLISECONDS = 2000

_CONNECTION_OPTIONS: dict[str, Any] = {
    "application_name": "turno_webhook_receiver",
    # what is sent in one pipeline is one transaction all the same, and one round trip instead of four
    "autocommit": True,
    "connect_timeout": _CONNECTION_SECONDS,
    "tcp_user_timeout": _STATEMENT_MILLISECONDS,
    "options": f"-c statement_timeout={_STATEMENT_MILLISECONDS}",
}
_DURABLE_COMMITS = """
select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'
"""
_KEEP_WEBHOOK = """
select raw.{keep}(
    %(lender)s, %(event_key)s, %(body_sha256)s, %(event_type)s, %(body)s, %(payload)s::jsonb, %(headers)s::jsonb,
    %(verdict)s, %(stale)s
)
"""
_INSERT_DEAD_LETTER = """
insert into raw.raw_webhook_dead_letter (
    gateway, lender, reason_code, event_key, body_sha256, body, headers, verdict, stale
)
values (
    %(gateway)s, %(lender)s, %(reason)s, %(event_key)s, %(body_sha256)s, %(body)s, %(headers)s::jsonb,
    %(verdict)s, %(stale)s
)
on conflict do nothing
"""
# as text: what is composed anew for every event costs more than to send it
_KEEP = {
    gateway: sql.SQL(_KEEP_WEBHOOK).format(keep=sql.Identifier(f"keep_{gateway}_webhook")).as_string(None)
    for gateway in GATEWAYS
}


class Kept(StrEnum):
    """What became of a verified event."""

    STORED = "stored"
    CONFLICTING = "conflicting"
    """Stored and flagged: the same event key was stored before with another body."""
    DUPLICATE = "duplicate"


class StoreUnavailableError(Exception):
    """The event is not stored, and the gateway must send it again; the message is free of payload."""


class Store:
    """The receiver's tables, under a role that can only add to them.

    Connections open with the first use, so that each worker process has its own.
    """

    def __init__(self, database_url: str) -> None:
        self._pool = ConnectionPool(
            database_url,
            kwargs=_CONNECTION_OPTIONS,
            configure=_make_commits_durable,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            open=False,
            timeout=_CONNECTION_SECONDS,
            # a longer ladder of attempts would still be waiting when the database is back
            reconnect_timeout=_CONNECTION_SECONDS,
        )

    def keep(self, delivery: Delivery, text: str, event_type: str | None, verification: Verification) -> Kept:
        """Store an event, committed when this returns; raises UnusableBodyError or StoreUnavailableError.

        Deliveries of one event key take turns: the second of two different bodies must see the first.
        """
        values = _values(delivery, verification) | {"payload": text, "event_type": event_type}
        statement = _KEEP[delivery.account.gateway]
        # one statement is a transaction by itself: durable when its answer is here
        (kept,) = self._twice(lambda conn: conn.execute(statement, values).fetchone() or ("",))
        return Kept(kept)

    def keep_dead_letter(self, delivery: Delivery, reason: UnusableBody, verification: Verification) -> None:
        """Keep a signed body that is no event, once; raises StoreUnavailableError."""
        values = _values(delivery, verification) | {"gateway": delivery.account.gateway, "reason": reason}
        self.run(lambda conn: conn.execute(_INSERT_DEAD_LETTER, values))

    def check(self) -> None:
        """Ask the database for an answer; raises StoreUnavailableError."""
        self.run(lambda conn: conn.execute("select 1"))

    def run(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Do idempotent work of several statements in a transaction, sent in one go. Raises as `_twice`."""

        def in_transaction(conn: psycopg.Connection) -> Result:
            with conn.pipeline():
                conn.execute("begin")
                result = work(conn)
                # a command, so that its failure is raised here: of the commit that is implied by the end of a
                # pipeline libpq can lose the error
                conn.execute("commit")
            return result

        return self._twice(in_transaction)

    def _twice(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        """Do idempotent work, a second time when the pooled connection turns out dead.

        Raises UnusableBodyError for what PostgreSQL cannot hold, StoreUnavailableError when nothing was stored.
        """
        try:
            self._pool.open()
            try:
                return self._run_once(work)
            except _ConnectionLostError:
                self._pool.check()
                return self._run_once(work)
        except (psycopg.DataError, ProgramLimitExceeded, StatementTooComplex) as error:
            raise UnusableBodyError(UnusableBody.NOT_STORABLE) from error
        except psycopg.Error as error:
            raise StoreUnavailableError(_without_payload(error)) from error

    def _run_once(self, work: Callable[[psycopg.Connection], Result]) -> Result:
        with self._pool.connection() as conn:
            try:
                return work(conn)
            except psycopg.OperationalError as error:
                if conn.broken:
                    raise _ConnectionLostError(str(error)) from error
                raise


class _ConnectionLostError(psycopg.OperationalError):
    """The connection broke under the work, as after a restart of the server."""


def _make_commits_durable(conn: psycopg.Connection) -> None:
    conn.execute(_DURABLE_COMMITS)


def _without_payload(error: psycopg.Error) -> str:
    """What went wrong in words that cannot quote the row: the server's detail and context may."""
    if error.sqlstate is None:
        return str(error)
    # the only check these tables can fail by: no partition for the lender
    hint = "; run turno lenders apply" if isinstance(error, CheckViolation) else ""
    return f"{error.sqlstate} {error.diag.message_primary}{hint}"


def _values(delivery: Delivery, verification: Verification) -> dict[str, Any]:
    return {
        "verdict": verification.verdict,
        "stale": verification.stale,
        "lender": delivery.account.lender,
        "event_key": delivery.event_key,
        "body_sha256": delivery.body_sha256,
        "body": delivery.body,
        "headers": json.dumps(delivery.headers),
    }
