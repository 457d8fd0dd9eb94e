"""A strict content security policy over templates that hold inline scripts: each response has a nonce, and only the
scripts that stood in a template's source carry it. Text that comes from data never becomes template source.
"""

import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar

from jinja2 import BaseLoader, Environment
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

_SCRIPT = re.compile(r"<script(?=[\s>])")
_OPENS_VALUE = 'onchange="window.location = this.value"'
"""The library's one script inside a tag that we use: templates/layout.html does its work."""
_NONCE_BYTES = 16
_nonce: ContextVar[str] = ContextVar("csp_nonce")

Source = tuple[str, str | None, Callable[[], bool] | None]


def csp_nonce() -> str:
    """The nonce of the response that is being made."""
    return _nonce.get("")


class NonceLoader(BaseLoader):
    """The templates of another loader, their script tags with a nonce and without scripts inside other tags."""

    def __init__(self, templates: BaseLoader) -> None:
        self._templates = templates

    @override
    def get_source(self, environment: Environment, template: str) -> Source:
        """The source of a template; TemplateNotFound as the loader beneath."""
        source, filename, uptodate = self._templates.get_source(environment, template)
        source = source.replace(_OPENS_VALUE, "data-opens-value")
        return _SCRIPT.sub('<script nonce="{{ csp_nonce() }}"', source), filename, uptodate


class ContentSecurityMiddleware(BaseHTTPMiddleware):
    """Headers that keep the pages to themselves: own scripts only, framed by Airflow only, forms to us only."""

    @override
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve the request and add the headers."""
        nonce = secrets.token_urlsafe(_NONCE_BYTES)
        token = _nonce.set(nonce)
        try:
            response = await call_next(request)
        finally:
            _nonce.reset(token)
        response.headers["Content-Security-Policy"] = "; ".join(
            [
                "default-src 'none'",
                f"script-src 'self' 'nonce-{nonce}'",
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data:",
                "font-src 'self'",
                "connect-src 'self'",
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'self'",
            ]
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response
