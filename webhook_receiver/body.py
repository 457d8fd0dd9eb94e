"""A request's body, read once and never further than its limit."""

from enum import StrEnum

from flask import Request
from werkzeug.exceptions import ClientDisconnected


class BodyRefusal(StrEnum):
    """Why a body is not taken."""

    LENGTH_MISSING = "length_missing"
    TOO_LARGE = "too_large"
    BROKEN_OFF = "broken_off"


class BodyRefusedError(Exception):
    """A body that is not taken; `refusal` says why."""

    def __init__(self, refusal: BodyRefusal, detail: str = "") -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.detail = detail


def read_body(request: Request, limit: int) -> bytes:
    """The body, of a length told beforehand: a chunked one could be cut or be without end. Raises BodyRefusedError."""
    length = request.content_length
    if length is None or "Transfer-Encoding" in request.headers:
        raise BodyRefusedError(BodyRefusal.LENGTH_MISSING)
    if length > limit:
        raise BodyRefusedError(BodyRefusal.TOO_LARGE, f"{length} bytes")
    try:
        body = request.get_data(cache=False)
    except ClientDisconnected as error:
        raise BodyRefusedError(BodyRefusal.BROKEN_OFF) from error
    if len(body) != length:
        raise BodyRefusedError(BodyRefusal.BROKEN_OFF, f"{len(body)} of {length} bytes")
    return body
