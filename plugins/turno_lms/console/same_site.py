"""Nothing is changed by a request that another site had the person's browser send, whatever token it carries."""

import logging
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from typing_extensions import override

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_log = logging.getLogger(__name__)


class SameSiteMiddleware(BaseHTTPMiddleware):
    """Refuses what may change something unless the browser says that a page of this origin sent it, as a form.

    Browsers say so in Sec-Fetch-Site, which no proxy touches; older ones in Origin, which is held against the host that
    was asked for and the one of Airflow's own address. What is no browser names neither, and needs the pages' token.
    """

    @override
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve the request, or answer 403 (from elsewhere) or 415 (no form)."""
        if request.method in _SAFE:
            return await call_next(request)
        if not _from_here(request):
            _log.warning("refused a request of another site: %s", request.url.path)
            return PlainTextResponse(
                "Forbidden: this was sent by another site.", status_code=HTTPStatus.FORBIDDEN
            )
        sent_as = request.headers.get("content-type", "")
        if sent_as and not sent_as.lower().startswith(_FORMS):
            return PlainTextResponse(
                "Only forms are taken here.", status_code=HTTPStatus.UNSUPPORTED_MEDIA_TYPE
            )
        return await call_next(request)


def _from_here(request: Request) -> bool:
    from airflow.configuration import conf

    said = request.headers.get("sec-fetch-site")
    if said is not None:
        return said == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True
    own = urlsplit(conf.get("api", "base_url", fallback="")).netloc
    return urlsplit(origin).netloc in {request.headers.get("host"), own} - {None, ""}
