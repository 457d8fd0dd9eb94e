"""The address that Prometheus reads: behind a token of its own, as a scraper cannot log in to Airflow."""

import os
import secrets
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send

TOKEN = "TURNO_METRICS_TOKEN"  # noqa: S105  the name of a setting
KEPT_SECONDS = 15.0
"""Whoever asks more often gets the last answer again: two scrapers cost the warehouse no more than one."""


class MetricsApp:
    """GET answers the figures to whoever knows the token; without one set there is nothing to see."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answer = ""
        self._asked_at = -KEPT_SECONDS

    @property
    def routes(self) -> "list[BaseRoute]":
        """None that Airflow could list."""
        return []

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve one request."""
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request

        if scope["type"] == "http":
            response = await run_in_threadpool(self.answer, Request(scope))
            await response(scope, receive, send)

    def answer(self, request: "Request") -> "Response":
        """The figures, 401 without the token, 404 where none is set."""
        from starlette.responses import PlainTextResponse

        token = os.environ.get(TOKEN, "")
        if not token:
            return PlainTextResponse("not found\n", HTTPStatus.NOT_FOUND)
        given = request.headers.get("authorization", "")
        if not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
            return PlainTextResponse(
                "unauthorised\n", HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Bearer"}
            )
        return PlainTextResponse(self._figures(), media_type="text/plain; version=0.0.4")

    def _figures(self) -> str:
        from turno_lms.metrics.collect import exposition
        from turno_lms.warehouse.connection import Role, connect

        with self._lock:
            if time.monotonic() - self._asked_at >= KEPT_SECONDS:
                with connect(Role.CONSOLE, application_name="turno metrics") as conn:
                    self._answer = exposition(conn)
                self._asked_at = time.monotonic()
            return self._answer
