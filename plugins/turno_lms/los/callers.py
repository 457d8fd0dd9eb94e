"""Who may submit operations: tokens by caller. A token is shown once, when it is made; what is kept is its hash.

A token is 256 random bits, so a plain SHA-256 of it can be kept: there is nothing to guess from. While a caller
changes its token, the old one stands beside the new one for some hours.
"""

import hashlib
import re
import secrets
from datetime import timedelta

from turno_lms.warehouse.connection import WarehouseConnection

OVERLAP = timedelta(hours=24)
_CALLER = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LOCK = "select pg_advisory_xact_lock(hashtextextended('los caller ' || %s, 0))"
_END = """
update core.core_los_caller_token set not_after = now() + %s
where caller = %s and (not_after is null or not_after > now() + %s)
"""
_ADD = "insert into core.core_los_caller_token (token_sha256, caller, created_by) values (%s, %s, %s)"


class CallerError(ValueError):
    """A caller's name that cannot be one."""


def issue_token(conn: WarehouseConnection, caller: str, actor: str, *, overlap: timedelta = OVERLAP) -> str:
    """Make a token for a caller; tokens it had stand for `overlap` more. Returns the token, which is kept nowhere.

    Raises CallerError for a name that is not lower-case letters, digits, - and _.
    """
    if not _CALLER.fullmatch(caller):
        raise CallerError(
            f"{caller!r}: a caller's name is a letter and up to 39 lower-case letters, digits, - or _"
        )
    token = secrets.token_urlsafe(32)
    with conn.transaction():
        conn.execute(_LOCK, (caller,))
        conn.execute(_END, (overlap, caller, overlap))
        conn.execute(_ADD, (hashlib.sha256(token.encode()).hexdigest(), caller, actor))
    return token


def revoke_tokens(conn: WarehouseConnection, caller: str) -> int:
    """End all of a caller's tokens now; returns how many stood."""
    nothing = timedelta(0)
    return conn.execute(_END, (nothing, caller, nothing)).rowcount
