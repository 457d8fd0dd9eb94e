"""The session under both clients: every call has timeouts, each answer is judged by its status, nothing is repeated.

Failures become LinkErrors before any SDK sees them: the Razorpay SDK would lose the status, print to stdout, and take
an error page for an answer. Every attempt is told to a recorder, without credentials and personal data.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import certifi
import requests

from turno_lms.fineract import exact_json
from turno_lms.payment_links.links import (
    LinkAccountError,
    LinkError,
    LinkExistsError,
    LinkNotFoundError,
    LinkRefusedError,
    LinkUnknownError,
    RateLimitedError,
)

MASK = "***"
_PERSONAL = frozenset(
    {
        "name", "email", "contact", "customer_name", "customer_email", "customer_phone", "vpa", "upi_id",
        "customer_id", "phone",
    }
)  # fmt: skip
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
_LONG_NUMBER = re.compile(r"\+?(?:\d[ -]?){9,}\d")
_EXCERPT = 300
_FORBIDDEN = (401, 403)
_NOT_FOUND, _TIMEOUT, _CONFLICT, _OTHER_BODY, _TOO_MANY = 404, 408, 409, 422, 429
_OK_BEGINS, _OK_ENDS, _REFUSALS_BEGIN, _FAULTS_BEGIN = 200, 300, 400, 500
_EXISTS = re.compile(
    r"reference.?id already|already attempted|link[_ ]id.*exists|already exists", re.IGNORECASE
)


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for a connection and for the next byte of an answer."""

    connect: float = 5.0
    read: float = 20.0


@dataclass(frozen=True)
class LinkCall:
    """One attempt at a gateway as it is kept: masked."""

    method: str
    path: str
    status: int | None
    outcome: str
    duration_ms: int
    request: Any = None
    response: Any = None


STANDARD_TIMEOUTS = Timeouts()
Recorder = Callable[[LinkCall], None]


def masked(value: Any) -> Any:
    """A copy of a JSON value without names, phone numbers, addresses and payers' accounts."""
    if isinstance(value, dict):
        return {key: MASK if _is_personal(key, item) else masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return without_personal_data(value) if isinstance(value, str) else value


def _is_personal(key: str, value: Any) -> bool:
    """`email` is an address in one place and a yes or no in another."""
    return key in _PERSONAL and not isinstance(value, bool)


def without_personal_data(text: str) -> str:
    """A text without e-mail addresses and numbers long enough for a phone's."""
    return _LONG_NUMBER.sub(MASK, _EMAIL.sub(MASK, text))


class GatewaySession(requests.Session):
    """A session for one account. What it returns is a success with a JSON body; everything else is a LinkError."""

    def __init__(self, gateway: str, record: Recorder, timeouts: Timeouts) -> None:
        super().__init__()
        self._gateway = gateway
        self._record = record
        self._timeouts = timeouts
        self.trust_env = False  # or a .netrc would replace the login
        self.verify = certifi.where()

    def request(  # type: ignore[override]  # one signature for all verbs is all that is used
        self, method: str | bytes, url: str | bytes, **options: Any
    ) -> requests.Response:
        """One attempt, judged and recorded. Raises a LinkError for whatever is no success."""
        options["timeout"] = (self._timeouts.connect, self._timeouts.read)
        options["allow_redirects"] = False
        started = time.monotonic()
        answer: requests.Response | None = None
        error: LinkError | None = None
        where = f"{self._gateway}: {str(method).upper()} {_path(str(url))}"
        try:
            answer = super().request(method, url, **options)
            error = _error_of(where, answer)
        except requests.RequestException as lost:
            error = LinkUnknownError(f"{where}: {type(lost).__name__}")
        duration = round((time.monotonic() - started) * 1000)
        self._record(
            LinkCall(
                str(method).upper(), _path(str(url)), answer.status_code if answer is not None else None,
                type(error).__name__ if error else "ok", duration, _sent(options), _received(answer),
            )
        )  # fmt: skip
        if error is not None or answer is None:
            raise error or LinkUnknownError(where)
        return answer


def _path(url: str) -> str:
    """Without host and query: a query may hold what is asked for."""
    return "/" + url.split("://", 1)[-1].partition("/")[2].partition("?")[0]


def _sent(options: dict[str, Any]) -> Any:
    body = options.get("data") or options.get("json")
    if isinstance(body, str | bytes):
        try:
            return masked(exact_json.loads(body if isinstance(body, str) else body.decode()))
        except ValueError:
            return None
    return masked(body) if body else None


def _received(answer: requests.Response | None) -> Any:
    if answer is None:
        return None
    body = _json(answer)
    return masked(body) if body is not None else {"text": without_personal_data(answer.text[:_EXCERPT])}


def _json(answer: requests.Response) -> Any:
    try:
        return exact_json.loads(answer.text)
    except ValueError:
        return None


def _error_of(where: str, answer: requests.Response) -> LinkError | None:
    """What an answer means for the caller, None for a success with JSON."""
    body = _json(answer)
    status = answer.status_code
    if _OK_BEGINS <= status < _OK_ENDS and body is not None:
        return None
    text = _message(body) or answer.text[:_EXCERPT]
    message = f"{where}: {status} {without_personal_data(' '.join(text.split()))}"
    if status == _TOO_MANY:
        return RateLimitedError(message, _seconds(answer))
    return _kind_of(status, text, is_json=body is not None)(message)


def _kind_of(status: int, text: str, *, is_json: bool) -> type[LinkError]:
    """What a status says; a page that is no JSON is not the gateway's own word."""
    if status in _FORBIDDEN:
        return LinkAccountError
    if status == _TIMEOUT or not _REFUSALS_BEGIN <= status < _FAULTS_BEGIN or not is_json:
        return LinkUnknownError
    # 422: its idempotency key was used with another body, so there is a link of that body
    if status in {_CONFLICT, _OTHER_BODY} or _EXISTS.search(text):
        return LinkExistsError
    return LinkNotFoundError if status == _NOT_FOUND else LinkRefusedError


def _message(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    if isinstance(error, dict):
        return str(error.get("description") or error.get("code") or "")
    return str(body.get("message") or "")


def _seconds(answer: requests.Response) -> int | None:
    """Cashfree says in x-ratelimit-retry how long to wait; Retry-After is taken wherever it stands."""
    text = answer.headers.get("x-ratelimit-retry") or answer.headers.get("retry-after") or ""
    return int(text) if text.isdigit() else None
