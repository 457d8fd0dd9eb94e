"""One raw call of Fineract's API for a person: what may be called, and by whose leave. Every call is in the API log.

Reads need no leave. A write needs another person's approval of exactly this call, takes the loan's lease, and is sent
once: a task that is run again after it was sent says so and sends nothing.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from turno_lms.approvals import approvals
from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.runs import RunContext
from turno_lms.fineract import exact_json, leases
from turno_lms.fineract.answers import Answer
from turno_lms.fineract.audit import masked
from turno_lms.fineract.client import FineractClient
from turno_lms.warehouse.connection import WarehouseConnection

PURPOSE = "fineract_call"
METHODS = ("GET", "POST", "PUT")
"""The allow-list: nothing here deletes."""

_PATHS = (
    "/clients",
    "/loans",
    "/loanproducts",
    "/charges",
    "/paymenttypes",
    "/codes",
    "/offices",
    "/rescheduleloans",
    "/search",
)
_MONEY = re.compile(r"/transactions(/|\?|$)|command=(disburse|foreclosure)", re.IGNORECASE)
_LOAN = re.compile(r"^/loans/(?:external-id/(?P<external_id>[^/?]+)|(?P<number>\d+))")
_LEASE_CALLS = 4


class RawCallError(ValueError):
    """A call that may not be made so; the message says why. Nothing was sent."""


@dataclass(frozen=True)
class RawCall:
    """A call as it was typed in."""

    method: str
    path: str
    body: Any
    reason: str

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    def figures(self) -> dict[str, str]:
        """What an approval speaks of: the body by its hash, so that no personal data is kept with it."""
        digest = hashlib.sha256(exact_json.dumps(self.body).encode()).hexdigest()
        return {"method": self.method, "path": self.path, "body_sha256": digest, "reason": self.reason}

    def shown(self) -> str:
        """What the approver sees."""
        body = exact_json.dumps(masked(self.body)) if self.is_write else ""
        return f"`{self.method} {self.path}`\n\n```\n{body}\n```\n\n{self.reason}"


def read_call(params: Mapping[str, Any]) -> RawCall:
    """The call of a form. Raises RawCallError for a method, path or body that is not allowed or not readable."""
    method = str(params.get("method") or "").upper()
    path, text = str(params.get("path") or "").strip(), str(params.get("body") or "").strip()
    reason = str(params.get("reason") or "").strip()
    if method not in METHODS:
        raise RawCallError(f"{method or 'no method'} is not allowed; there are {', '.join(METHODS)}")
    _check_path(path)
    if method == "GET":
        return RawCall(method, path, None, reason)
    if not reason:
        raise RawCallError("say why: the approver reads it, and it stays on record")
    if _MONEY.search(path):
        raise RawCallError(
            "money moves through its own forms alone (post_manual_repayment, reverse_repayment, run_los_operations): "
            "the ledger would not know of this"
        )
    try:
        body = exact_json.loads(text or "{}")
    except ValueError as error:
        raise RawCallError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RawCallError("the body must be a JSON object")
    return RawCall(method, path, body, reason)


def _check_path(path: str) -> None:
    parts = urlsplit(path)
    known = any(parts.path == allowed or parts.path.startswith(f"{allowed}/") for allowed in _PATHS)
    if parts.scheme or parts.netloc or not known or ".." in unquote(parts.path) or "//" in parts.path:
        raise RawCallError(f"{path or 'an empty path'} is not allowed; paths begin with {', '.join(_PATHS)}")


def ask(conn: WarehouseConnection, call: RawCall, run: RunContext) -> int:
    """Put a write on record to be approved by another person; returns the approval's number."""
    return approvals.request(conn, PURPOSE, run.label, call.figures(), run, needed=True).approval_id


def send(
    conn: WarehouseConnection, client: FineractClient, call: RawCall, approval_id: int | None, run: RunContext
) -> dict[str, Any]:
    """Send the call once and return Fineract's answer, personal data masked.

    Raises ApprovalError for a write whose approval does not hold, RawCallError where the loan is in other hands.
    """
    if not call.is_write:
        return _told(client.look(call.path, purpose="raw_call", subject=run.label))
    if approval_id is None:
        raise RawCallError("a write needs an approval")
    lease = _lease(conn, client, call, run)
    try:
        # used before it is sent: whoever comes after a crash finds it used, and sends nothing
        if not approvals.use(conn, approval_id, call.figures(), run, needed=True):
            raise RawCallError(
                f"approval {approval_id} was used before: look at raw.raw_fineract_api_log, purpose raw_call"
            )
        answer = client.send(
            call.method,
            call.path,
            call.body,
            purpose="raw_call",
            subject=run.label,
            idempotency_key=uuid4().hex,
        )
    finally:
        if lease:
            leases.release(conn, lease)
    return _told(answer)


def _lease(
    conn: WarehouseConnection, client: FineractClient, call: RawCall, run: RunContext
) -> leases.Lease | None:
    """The lease of the loan that the path names, None where it names none."""
    found = _LOAN.match(call.path)
    if found is None:
        return None
    loan_id = unquote(found["external_id"] or "")
    if found["number"]:
        answer = client.look(f"/loans/{found['number']}", purpose="raw_call", subject=run.label)
        loan_id = str((answer.body or {}).get("externalId") or "") if answer.ok else ""
    if not loan_id:
        raise RawCallError("the loan has no external id, so it cannot be leased: nothing was sent")
    longest_call = client.timeouts.connect + client.timeouts.read
    held = leases.acquire(conn, [canonical_loan_id(loan_id)], run.label, _LEASE_CALLS * longest_call)
    if not held:
        raise RawCallError(f"loan {loan_id} is being written to just now: run it again in some minutes")
    return held[0]


def _told(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "outcome": answer.summary,
        "code": answer.code,
        "body": exact_json.dumps(masked(answer.body)) if answer.body is not None else answer.message,
    }
