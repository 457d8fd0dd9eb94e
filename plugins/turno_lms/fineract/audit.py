"""The API log: one row of raw.raw_fineract_api_log for every HTTP attempt, with credentials never and personal data
masked. A sink either writes at once or collects rows for the transaction that records what the call led to.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from turno_lms.domain.runs import RunContext
from turno_lms.fineract import exact_json
from turno_lms.fineract.answers import Answer
from turno_lms.warehouse.connection import WarehouseConnection, connect

PERSONAL_FIELDS = frozenset(
    {
        "firstname", "middlename", "lastname", "fullname", "displayName", "clientName", "mobileNo", "emailAddress",
        "dateOfBirth", "accountNumber", "checkNumber", "familyMembers", "address", "loanOfficerName", "entityName",
        "entityMobileNo", "mobile_no", "email", "date_of_birth",
    }
)  # fmt: skip
MASK = "***"
_LARGEST_BODY = 16_384
_SHORTEST_SECRET = 4

_INSERT = """
insert into raw.raw_fineract_api_log (
    dag_id, dag_run_id, task_id, purpose, subject, method, path, idempotency_key, request, status_code,
    served_from_cache, response, outcome, duration_ms
)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s::jsonb, %s, %s)
"""


@dataclass(frozen=True)
class Call:
    """One attempt: what was asked, what came back, how long it took. `subject` is our own key of the thing."""

    purpose: str
    method: str
    path: str
    answer: Answer | None
    duration_ms: int
    subject: str | None = None
    idempotency_key: str | None = None
    request: Any = None


class AuditSink(Protocol):
    """Where a client reports its attempts."""

    def record(self, call: Call) -> None:
        """Take one attempt."""


def masked(value: Any, secrets: Iterable[str] = ()) -> Any:
    """A copy of a JSON value without personal fields; `secrets` are texts to blot out wherever they stand."""
    if isinstance(value, dict):
        return {key: _masked_field(key, item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
    return value


def _masked_field(key: str, value: Any, secrets: Iterable[str]) -> Any:
    if key in PERSONAL_FIELDS:
        return MASK
    if key == "body" and isinstance(value, str):  # a request or an answer inside a batch: JSON in a text
        try:
            return exact_json.dumps(masked(exact_json.loads(value), secrets))
        except ValueError:
            pass
    return masked(value, secrets)


def secrets_of(request: Any) -> list[str]:
    """Personal texts of a request: an error message may quote them."""
    fields = request.items() if isinstance(request, dict) else ()
    values = (str(value) for key, value in fields if key in PERSONAL_FIELDS)
    return [value for value in values if len(value) >= _SHORTEST_SECRET]


def _stored_json(value: Any, secrets: Iterable[str] = ()) -> str | None:
    if value is None:
        return None
    text = exact_json.dumps(masked(value, secrets))
    return text if len(text) <= _LARGEST_BODY else json.dumps({"omitted": f"{len(text)} characters"})


def _row(call: Call, run: RunContext) -> tuple[Any, ...]:
    secrets = secrets_of(call.request)
    answer = call.answer
    body = answer.body if answer else None
    if answer and body is None and answer.message:
        body = {"text": answer.message}
    return (
        run.dag_id, run.run_id, run.task_id, call.purpose, call.subject, call.method, call.path, call.idempotency_key,
        _stored_json(call.request), answer.status if answer else None, bool(answer and answer.from_cache),
        _stored_json(body, secrets), answer.summary if answer else "interrupted", call.duration_ms,
    )  # fmt: skip


def write_calls(conn: WarehouseConnection, run: RunContext, calls: Iterable[Call]) -> None:
    """Insert one row per call in the caller's transaction."""
    for call in calls:
        conn.execute(_INSERT, _row(call, run))


class DatabaseAudit:
    """Writes each attempt at once. Given a URL it has its own connection and commits row by row; given a
    connection it writes in that connection's transaction.
    """

    def __init__(self, target: WarehouseConnection | str, run: RunContext):
        self._owned = isinstance(target, str)
        self._conn = connect(target, autocommit=True) if isinstance(target, str) else target
        self._run = run

    def record(self, call: Call) -> None:
        """Write one attempt."""
        write_calls(self._conn, self._run, [call])

    def close(self) -> None:
        """Close the connection if it is our own."""
        if self._owned:
            self._conn.close()


class CollectedAudit:
    """Keeps attempts until `flush` writes them in the transaction of the outcome they led to."""

    def __init__(self, run: RunContext):
        self._run = run
        self._calls: list[Call] = []

    def record(self, call: Call) -> None:
        """Keep one attempt."""
        self._calls.append(call)

    def flush(self, conn: WarehouseConnection) -> None:
        """Write what was kept, in the caller's transaction."""
        write_calls(conn, self._run, self._calls)
        self._calls = []
