"""What came back from Fineract for one HTTP attempt, as data: also when nothing came back, or no JSON."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from turno_lms.fineract import exact_json

_EXCERPT = 300
SERVED_FROM_CACHE = "x-served-from-cache"


class Delivery(StrEnum):
    """How far an attempt got."""

    ANSWERED = "answered"
    NOT_SENT = "not_sent"  # no connection: the request never left
    LOST = "lost"  # sent, perhaps carried out, and no complete answer


@dataclass(frozen=True)
class Answer:
    """One attempt's answer. `code` is Fineract's own error code, None when the body is not Fineract's."""

    delivery: Delivery
    status: int | None = None
    body: Any = None
    code: str | None = None
    message: str = ""
    from_cache: bool = False

    @property
    def ok(self) -> bool:
        """True for a 2xx status."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004  # the HTTP class of success

    @property
    def summary(self) -> str:
        """The outcome column of the API log: ok, refused, failed, lost or not_sent."""
        if self.delivery is not Delivery.ANSWERED:
            return self.delivery.value
        if self.ok:
            return "ok"
        return "failed" if (self.status or 0) >= 500 else "refused"  # noqa: PLR2004  # the HTTP class of server faults


def read_answer(status: int, text: str, *, from_cache: bool) -> Answer:
    """The answer of a completed exchange; a body that is not JSON leaves `body` None and its start in `message`."""
    try:
        body = exact_json.loads(text) if text.strip() else None
    except ValueError:
        return Answer(Delivery.ANSWERED, status, message=_excerpt(text), from_cache=from_cache)
    code, message = _error_of(body)
    return Answer(Delivery.ANSWERED, status, body, code, message or _excerpt(text), from_cache)


def _error_of(body: Any) -> tuple[str | None, str]:
    """Code and text of an error body: the first entry of `errors` is the useful one, if there is one."""
    if not isinstance(body, dict):
        return None, ""
    entries = body.get("errors")
    first = entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}
    code = first.get("userMessageGlobalisationCode") or body.get("userMessageGlobalisationCode")
    message = first.get("developerMessage") or first.get("defaultUserMessage") or body.get("developerMessage")
    return (str(code) if code else None), str(message or body.get("Exception") or "")[:_EXCERPT]


def _excerpt(text: str) -> str:
    return " ".join(text.split())[:_EXCERPT]
