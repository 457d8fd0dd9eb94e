"""The console's web app: starlette-admin with our pages, Airflow's login before it and a content security policy."""

import hashlib
from http import HTTPStatus
from pathlib import Path

from airflow.configuration import conf
from jinja2 import ChoiceLoader, Environment
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette_admin import RequestAction, route
from starlette_admin.base import BaseAdmin
from starlette_admin.exceptions import ActionFailed
from typing_extensions import override

from turno_lms.console.access import AccessMiddleware, user_of
from turno_lms.console.body_limit import BodyLimitMiddleware
from turno_lms.console.content_security import ContentSecurityMiddleware, NonceLoader, csp_nonce
from turno_lms.console.fields import FILTERS
from turno_lms.console.pages import PAGES, Today
from turno_lms.console.radius import radius_of
from turno_lms.console.same_site import SameSiteMiddleware
from turno_lms.console.sql_page import SqlPage

_HERE = Path(__file__).parent
_ROUTES = {"index", "list", "detail", "action", "row-action", "radius"}
"""What is served of starlette-admin: nothing is created, edited, imported or deleted in the console."""


class ConsoleAdmin(BaseAdmin):
    """The admin site: our templates first, every inline script with a nonce."""

    @override
    def _collect_core_routes(self) -> list[Route]:
        return [route for route in super()._collect_core_routes() if route.name in _ROUTES]

    @route("/_api/{key}/action", methods=["POST"], name="action")
    @override
    async def handle_action(self, request: Request) -> Response:
        """Press a button of a list; 403 for who may not see the list or start what the button starts."""
        view, name = self._page(request), request.query_params.get("name", "")
        if not (view.is_accessible(request) and await view.is_action_allowed(request, name)):
            return _forbidden(request)
        answer: Response = await super().handle_action(request)
        return answer

    @route("/_api/{key}/row-action", methods=["POST"], name="row-action")
    @override
    async def handle_row_action(self, request: Request) -> Response:
        """Press a button of a row; 403 for who may not see the list or start what it starts, 400 without the row."""
        view, name = self._page(request), request.query_params.get("name", "")
        if not (view.is_accessible(request) and await view.is_row_action_allowed(request, name)):
            return _forbidden(request)
        if await view.find_by_pk(request, request.query_params.get("pk", "")) is None:
            return JSONResponse({"msg": "There is no such row any more."}, HTTPStatus.BAD_REQUEST)
        answer: Response = await super().handle_row_action(request)
        return answer

    @route("/_api/{key}/radius", name="radius")
    async def tell_radius(self, request: Request) -> Response:
        """How many rows and rupees a choice of rows comes to, as JSON; 403 for who may not see the list."""
        view = self._page(request)
        if not view.is_accessible(request):
            return _forbidden(request)
        request.state.action = RequestAction.ACTION
        try:
            radius = await radius_of(view.selection(request), view.rupees_column)
        except ActionFailed as refused:
            return JSONResponse({"told": str(refused.msg)}, HTTPStatus.BAD_REQUEST)
        return JSONResponse(radius.to_dict())

    def _page(self, request: Request) -> SqlPage:
        view = self._find_view_by_key(request.path_params["key"])
        if not isinstance(view, SqlPage):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return view

    @override
    def _setup_templates(self) -> None:
        super()._setup_templates()
        env: Environment = self.templates.env
        if isinstance(env.loader, ChoiceLoader):
            env.loader.loaders = [NonceLoader(loader) for loader in env.loader.loaders]
        env.globals["csp_nonce"] = csp_nonce
        env.filters |= FILTERS


def create_app() -> Starlette:
    """The app that Airflow mounts. Every route of it is behind Airflow's login."""
    admin = ConsoleAdmin(
        title="Turno LMS",
        base_url="/",
        route_name="console",
        templates_dir=str(_HERE / "templates"),
        static_dir=str(_HERE / "static"),
        index_view=Today(),
        secret_key=_signing_key(),
        timezone_config=None,
    )
    for page in PAGES:
        admin.add_view(page)
    app = Starlette(
        middleware=[
            Middleware(ContentSecurityMiddleware),
            Middleware(AccessMiddleware),
            Middleware(SameSiteMiddleware),
            Middleware(BodyLimitMiddleware),
        ]
    )
    admin.mount_to(app)
    admin.app.add_exception_handler(Exception, _failed)
    return app


async def _failed(_request: Request, _error: Exception) -> Response:
    """What a person reads when a page fails; the cause goes to the API server's log."""
    message = "This page failed. Try again; if it stays so, the API server's log says why."
    return PlainTextResponse(message, HTTPStatus.INTERNAL_SERVER_ERROR)


def _forbidden(request: Request) -> Response:
    message = f"Forbidden: {user_of(request).username} may not do this."
    return JSONResponse({"msg": message}, HTTPStatus.FORBIDDEN)


def _signing_key() -> str:
    """What signs cookies of forms: from Airflow's own secret, the same in every process of the API server."""
    return hashlib.sha256(
        b"turno console:" + conf.get_mandatory_value("api", "secret_key").encode()
    ).hexdigest()
