"""What Airflow needs to know of the console. Every component loads plugins, only the API server serves them."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send


class LazyConsole:
    """The console's ASGI app, built at its first request: a worker that only loads plugins does not pay for it."""

    @cached_property
    def _app(self) -> "Starlette":
        from turno_lms.console.app import create_app

        return create_app()

    @property
    def routes(self) -> "list[BaseRoute]":
        """The routes of the app: Airflow's router makes addresses from them."""
        return self._app.routes

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve one request."""
        await self._app(scope, receive, send)


def views(prefix: str) -> list[dict[str, Any]]:
    """Airflow's menu entry, and the console's tabs on the pages of its DAGs and runs.

    The addresses are relative, so that Airflow may live under a path of its own; Airflow fills in the names in braces.
    """
    path = prefix.removeprefix("/")
    return [
        {
            "name": "Turno LMS",
            "href": f"{path}/",
            "destination": "nav",
            "url_route": "turno",
            "category": "browse",
        },
        {
            "name": "Turno LMS",
            "href": f"{path}/dag?dag={{DAG_ID}}",
            "destination": "dag",
            "url_route": "turno-dag",
        },
        {
            "name": "Turno LMS",
            "href": f"{path}/run?dag={{DAG_ID}}&run={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "turno-run",
        },
    ]
