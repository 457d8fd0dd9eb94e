"""The console's web app: starlette-admin with our pages, Airflow's login before it and a content security policy."""

import hashlib
from pathlib import Path

from airflow.configuration import conf
from jinja2 import ChoiceLoader, Environment
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette_admin.base import BaseAdmin
from typing_extensions import override

from turno_lms.console.access import AccessMiddleware
from turno_lms.console.body_limit import BodyLimitMiddleware
from turno_lms.console.content_security import ContentSecurityMiddleware, NonceLoader, csp_nonce
from turno_lms.console.fields import FILTERS
from turno_lms.console.pages import PAGES, Today

_HERE = Path(__file__).parent
_ROUTES = {"index", "list", "detail", "action", "row-action"}
"""What is served of starlette-admin: nothing is created, edited, imported or deleted in the console."""


class ConsoleAdmin(BaseAdmin):
    """The admin site: our templates first, every inline script with a nonce."""

    @override
    def _collect_core_routes(self) -> list[Route]:
        return [route for route in super()._collect_core_routes() if route.name in _ROUTES]

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
            Middleware(BodyLimitMiddleware),
        ]
    )
    admin.mount_to(app)
    return app


def _signing_key() -> str:
    """What signs cookies of forms: from Airflow's own secret, the same in every process of the API server."""
    return hashlib.sha256(
        b"turno console:" + conf.get_mandatory_value("api", "secret_key").encode()
    ).hexdigest()
