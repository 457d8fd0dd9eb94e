"""How much one request may bring: said before anything of it is kept."""

import logging
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MOST_BYTES = 25_000_000
"""The largest upload; a larger file goes into the bucket directly."""
_FORM_BYTES = 100_000
"""What a form holds beside its file."""

_log = logging.getLogger(__name__)


class BodyLimitMiddleware:
    """Refuses a request whose body is too large, or that does not say how large it is.

    Its body is read to the end and dropped: an answer before that reaches no browser. The answer is one that the pages'
    scripts show to the person.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"} or _size(scope) is not None:
            await self._app(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        message = f"More than {MOST_BYTES // 1_000_000} MB are not taken here: put the file into the bucket"
        _log.warning("refused a body: %s", scope["path"])
        await JSONResponse({"msg": message}, HTTPStatus.BAD_REQUEST)(scope, receive, send)


def _size(scope: Scope) -> int | None:
    """The size of the body, or None where it is too large or not said."""
    said = dict(scope["headers"]).get(b"content-length", b"")
    size = int(said) if said.isdigit() else None
    return size if size is not None and size <= MOST_BYTES + _FORM_BYTES else None
