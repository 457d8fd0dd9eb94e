"""Submissions into RAW, durable before they are answered, and the callers who may submit."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from webhook_receiver.los_schemas import Submitted
from webhook_receiver.store import Store

_FIND_CALLER = """
select caller from core.core_los_caller_token
where token_sha256 = %s and (not_after is null or not_after > now())
"""
_INSERT = """
insert into raw.raw_los_submission (operation, caller, reference, payload)
select %(operation)s, %(caller)s, given.payload ->> 'reference', given.payload
from unnest(%(payloads)s::text[]) with ordinality as listed (payload_text, place)
cross join lateral (select listed.payload_text::jsonb as payload) as given
order by given.payload ->> 'reference', listed.place
on conflict do nothing
returning submission_id
"""
_COMPARE = """
select stored.submission_id, stored.received_at, stored.payload = given.payload as is_same
from unnest(%(payloads)s::text[]) with ordinality as listed (payload_text, place)
cross join lateral (select listed.payload_text::jsonb as payload) as given
inner join raw.raw_los_submission as stored
    on
        stored.operation = %(operation)s
        and stored.caller = %(caller)s
        and stored.reference = given.payload ->> 'reference'
order by listed.place
"""
_FIND = """
select
    submission.reference, submission.received_at, processed.state, processed.reason, processed.message,
    processed.result, processed.is_recognised, processed.waiting_since, processed.ended_at
from raw.raw_los_submission as submission
left join core.core_los_processed as processed
    on submission.operation = processed.operation and submission.submission_id = processed.submission_id
where submission.operation = %s and submission.submission_id = %s and submission.caller = %s
"""


@dataclass(frozen=True)
class Submission:
    """A submission as it is stored."""

    status: Submitted
    submission_id: UUID


@dataclass(frozen=True)
class Known:
    """A submission and what became of it so far; `state` is None until it was looked at."""

    reference: str
    received_at: datetime
    state: str | None
    reason: str | None
    message: str | None
    result: dict[str, Any] | None
    is_recognised: bool | None
    waiting_since: datetime | None
    ended_at: datetime | None


class LosStore:
    """The tables of submissions, through the receiver's own connections and role."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def caller(self, token: str) -> str | None:
        """Whose token this is, if it is anybody's now; raises StoreUnavailableError."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
        row = self._store.run(lambda conn: conn.execute(_FIND_CALLER, (digest,))).fetchone()
        return row[0] if row else None

    def keep(self, operation: str, caller: str, items: Sequence[Any]) -> list[Submission]:
        """Store submissions in one transaction, committed when this returns. An answer for each, in their order.

        Raises StoreUnavailableError, and UnusableBodyError for text that PostgreSQL cannot hold.
        """
        payloads = [json.dumps(item) for item in items]
        values = {"operation": operation, "caller": caller, "payloads": payloads}

        def insert(conn: psycopg.Connection) -> tuple[psycopg.Cursor, psycopg.Cursor]:
            return conn.execute(_INSERT, values), conn.execute(_COMPARE, values)

        inserted, compared = self._store.run(insert)
        new = {row[0] for row in inserted}
        submissions = []
        for submission_id, _, is_same in compared:
            status = Submitted.CONFLICT
            if is_same:
                status = Submitted.ACCEPTED if submission_id in new else Submitted.DUPLICATE
                new.discard(submission_id)
            submissions.append(Submission(status, submission_id))
        return submissions

    def find(self, operation: str, submission_id: UUID, caller: str) -> Known | None:
        """A caller's own submission with its result; raises StoreUnavailableError."""
        values = (operation, submission_id, caller)
        row = self._store.run(lambda conn: conn.execute(_FIND, values)).fetchone()
        return Known(*row) if row else None
