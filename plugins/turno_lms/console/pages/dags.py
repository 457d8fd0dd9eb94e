"""From Airflow's page of a DAG to the page of the console that shows its work."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette_admin import route
from starlette_admin.views import BaseView, CustomView
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.sql_page import SqlPage

_OF_EACH_LENDER = "ingest__"


class DagPages(CustomView):
    """Leads from a DAG to its page: the one that shows its data, else the one with a button that starts it."""

    def __init__(self, pages: Sequence[BaseView]) -> None:
        super().__init__(menu_label="DAG", path="/dag", route_name="dag", add_to_menu=False)
        self._pages = pages

    @route("")
    @override
    async def index(self, request: Request) -> Response:
        """Redirect to the DAG's page; 403 without the right to see its runs."""
        dag_id = request.query_params.get("dag", "")
        if not user_of(request).may_see(dag_id):
            raise HTTPException(HTTPStatus.FORBIDDEN)
        return RedirectResponse(self._address(request, dag_id))

    def _address(self, request: Request, dag_id: str) -> str:
        if dag_id.startswith(_OF_EACH_LENDER):
            lender = dag_id.removeprefix(_OF_EACH_LENDER)
            files = request.url_for("console:list", key="files")
            return str(files.include_query_params(filter=f"lender__is={lender}"))
        shows = [page for page in sql_pages(self._pages) if page.dag_id == dag_id]
        starts = [page for page in sql_pages(self._pages) if dag_id in page.starts.values()]
        for page in [*shows, *starts]:
            return str(request.url_for("console:list", key=page.key))
        return str(request.url_for("console:index"))


def sql_pages(pages: Sequence[BaseView]) -> Iterator[SqlPage]:
    """The lists among the entries of the menu."""
    for entry in pages:
        for view in getattr(entry, "views", [entry]):
            if isinstance(view, SqlPage):
                yield view
