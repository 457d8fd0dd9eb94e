"""A page with a template of its own."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.views import CustomView


class TemplatePage(CustomView):
    """A view that draws `templates/<name>` inside the console's frame."""

    def render(self, request: Request, name: str, status_code: int = 200, **context: Any) -> Response:
        """The page; messages that buttons left behind are shown on it."""
        if self._admin is None:
            raise RuntimeError(f"{type(self).__name__} is not mounted")
        return self._admin._template_response(
            request, name, {"title": self.title(request), **context}, status_code
        )
