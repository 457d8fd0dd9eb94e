"""A page over one query of `sql/`: a list with filters, search, sorting and paging in PostgreSQL, and a page a row."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import psycopg
from psycopg import sql
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette_admin import RequestAction
from starlette_admin.actions import ActionSelection
from starlette_admin.exceptions import ActionFailed
from starlette_admin.filters.base import BaseFilter, FilterGroup
from starlette_admin.flash import flash
from starlette_admin.views import BaseModelView
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.exports import SafeCsv, SafeXlsx
from turno_lms.console.filters import Condition, condition
from turno_lms.console.runs import RunRefusedError, run_url, start_run
from turno_lms.warehouse.connection import Role, Row, connect

_SQL = Path(__file__).parent / "sql"
_COUNTED_AT_MOST = 10_000
"""Counting a million rows would cost more than showing fifty: beyond this the list asks for a filter."""
_STATEMENT_SECONDS = 10
_READ_ONLY = "The console changes nothing by itself: its buttons start DAGs."


class SqlPage(BaseModelView):
    """Rows of `sql/<key>.sql`. A page names the DAG whose work it shows; rights over that DAG open it.

    `starts` names the DAG that each button starts: who may not start it does not see the button. A DAG of each lender
    is named by its prefix (`ingest__`), and asked about again for the row's lender.
    `rupees_column` is what a bulk action's blast radius adds up.
    `built_by` is the DAG that builds its table, where dbt does.
    `search_columns` are compared as a whole with what is typed into the search box, so that their indexes serve.
    """

    dag_id: ClassVar[str]
    starts: ClassVar[Mapping[str, str]] = {}
    search_columns: ClassVar[Sequence[str]] = ()
    rupees_column: ClassVar[str | None] = None
    built_by: ClassVar[str] = "build_warehouse"
    explains: ClassVar[str] = ""

    page_size = 50
    page_size_options = [25, 50, 100, 500]
    exporters = [SafeCsv(), SafeXlsx()]
    importers = []
    column_visibility = False
    list_template = "sql_list.html"
    actions: Sequence[str] = ()
    row_actions: Sequence[str] = ["view"]

    @override
    def is_accessible(self, request: Request) -> bool:
        """Whoever may see the DAG's runs."""
        return user_of(request).may_see(self.dag_id)

    @override
    def can_create(self, request: Request) -> bool:
        """Nothing is created here: the DAGs do that."""
        return False

    @override
    def can_edit(self, request: Request) -> bool:
        """Nothing is edited here."""
        return False

    @override
    def can_delete(self, request: Request) -> bool:
        """Nothing is ever deleted."""
        return False

    @override
    def can_import(self, request: Request) -> bool:
        """Files come in through their own form."""
        return False

    @override
    async def is_action_allowed(self, request: Request, name: str) -> bool:
        return name == "export" or self._may_press(request, name)

    @override
    async def is_row_action_allowed(self, request: Request, name: str) -> bool:
        return name == "view" or self._may_press(request, name)

    @override
    async def create(self, request: Request, data: dict[str, Any]) -> Any:
        raise ActionFailed(_READ_ONLY)

    @override
    async def edit(self, request: Request, pk: Any, data: dict[str, Any]) -> Any:
        raise ActionFailed(_READ_ONLY)

    @override
    async def delete(self, request: Request, pks: list[Any]) -> int | None:
        raise ActionFailed(_READ_ONLY)

    @override
    async def find_all(
        self,
        request: Request,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        sorts: Sequence[tuple[str, str]] | None = None,
        filters: FilterGroup | None = None,
    ) -> Sequence[Any]:
        """The rows of one page of the list; of the whole list, up to the most that are counted, for an export."""
        where, values = self._where(q, filters)
        order = self._order(sorts or [])
        query = sql.SQL("select * from ({}) as page where {} order by {} limit %s offset %s")
        size = limit if limit > 0 else _COUNTED_AT_MOST
        rows = await self._read(request, query.format(self._query, where, order), [*values, size, skip])
        return [SimpleNamespace(**row) for row in rows]

    @override
    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        """How many rows there are, counted to `_COUNTED_AT_MOST`."""
        where, values = self._where(q, filters)
        query = sql.SQL("select count(*) as n from (select from ({}) as page where {} limit %s) as counted")
        rows = await self._read(request, query.format(self._query, where), [*values, _COUNTED_AT_MOST])
        return int(rows[0]["n"]) if rows else 0

    @override
    async def find_by_pk(self, request: Request, pk: Any) -> Any:
        """One row, or None."""
        found = await self.find_by_pks(request, [pk])
        return found[0] if found else None

    @override
    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Any]:
        """The rows of these keys."""
        if not pks:
            return []
        # one by one, so that PostgreSQL reads each text as the key's type and its index serves
        keys = sql.SQL(" or ").join([sql.SQL("{} = %s").format(sql.Identifier(str(self.pk_attr)))] * len(pks))
        query = sql.SQL("select * from ({}) as page where {}").format(self._query, keys)
        return [SimpleNamespace(**row) for row in await self._read(request, query, [str(pk) for pk in pks])]

    def around(self, obj: Any) -> dict[str, Any]:  # noqa: ARG002 (what pages say of their rows)
        """What a row's own page shows beside its fields; read in a thread."""
        return {}

    @override
    async def serialize(
        self, obj: Any, request: Request, include_relationships: bool = True, include_select2: bool = False
    ) -> dict[str, Any]:
        """The row's fields, and on its own page what is around it."""
        row = await super().serialize(obj, request, include_relationships, include_select2)
        if request.state.action == RequestAction.DETAIL:
            row |= await run_in_threadpool(self.around, obj)
        return row

    async def start(self, request: Request, dag_id: str, conf: dict[str, Any]) -> None:
        """Start a run of a DAG as the person who asked; its button leads to the run's page. ActionFailed: why not."""
        try:
            started = await run_in_threadpool(start_run, user_of(request), dag_id, conf)
        except RunRefusedError as refused:
            raise ActionFailed(str(refused)) from None
        flash(request, f"Started {dag_id}, run {started}.", "success")
        request.state.started_url = run_url(request, dag_id, started)

    @override
    async def handle_action(self, request: Request, selection: ActionSelection, name: str) -> Response | None:
        return await super().handle_action(request, selection, name) or _to_the_run(request)

    @override
    async def handle_row_action(self, request: Request, pk: Any, name: str) -> Response | None:
        return await super().handle_row_action(request, pk, name) or _to_the_run(request)

    def selection(self, request: Request) -> ActionSelection:
        """The rows that a list's script has in mind: some keys, or all that fit the list's search and filters."""
        asked = QueryParams(request.query_params.get("_list_query", "").lstrip("?"))
        keys = None if request.query_params.get("all") == "1" else request.query_params.getlist("pks")
        filters = self._parse_filter_param(request, asked)
        return ActionSelection(self, request, keys, filters, asked.get("q") or None)

    @override
    def _additional_js_links(self, request: Request) -> Sequence[str]:
        script = request.url_for("console:static", path="js/confirm.js")
        return [*super()._additional_js_links(request), str(script)]

    def _may_press(self, request: Request, name: str) -> bool:
        return name in self.starts and user_of(request).may_start(self.starts[name])

    @cached_property
    def _query(self) -> sql.SQL:
        return query_of(str(self.key))

    @cached_property
    def _filters(self) -> dict[tuple[str, str], type[BaseFilter]]:
        return {
            (str(field.name), chosen.name): chosen for field in self.fields for chosen in field.filters or []
        }

    @override
    def _default_sort(self) -> list[tuple[str, bool]]:
        """The newest first, where a page says nothing else."""
        says_nothing = self.fields_default_sort == [self.pk_attr]  # what the library makes of nothing
        return [(str(self.pk_attr), True)] if says_nothing else super()._default_sort()

    def _order(self, sorts: Sequence[tuple[str, str]]) -> sql.Composed:
        """The order asked for, then the key, so that no row is on two pages. Nulls last, unless an index serves."""
        indexed = {str(self.pk_attr), *(name for name, _down in self._default_sort())}
        parts = [
            sql.SQL("{} {}").format(
                sql.Identifier(name), sql.SQL(direction if name in indexed else f"{direction} nulls last")
            )
            for name, direction in sorts
        ]
        return sql.SQL(", ").join([*parts, sql.SQL("{} desc").format(sql.Identifier(str(self.pk_attr)))])

    def _search(self, typed: str) -> Condition:
        """What the search box asks for."""
        asked = [sql.SQL("{} = %s").format(sql.Identifier(column)) for column in self.search_columns]
        return sql.SQL("({})").format(sql.SQL(" or ").join(asked)), [typed] * len(self.search_columns)

    def _where(self, q: str | None, filters: FilterGroup | None) -> Condition:
        parts = [condition(filters, self._filters)] if filters and not filters.is_empty() else []
        if q and self.search_columns:
            parts.append(self._search(q.strip()))
        if not parts:
            return sql.SQL("true"), []
        return sql.SQL(" and ").join([part for part, _ in parts]), [
            value for _, values in parts for value in values
        ]

    async def _read(self, request: Request, query: sql.Composed, values: list[Any]) -> list[Row]:
        try:
            return await run_in_threadpool(read, query, values)
        except psycopg.errors.UndefinedTable:
            if not getattr(
                request.state, "is_told_unbuilt", False
            ):  # once a page, whose rows and count are two questions
                request.state.is_told_unbuilt = True
                flash(request, f"Nothing here yet: {self.built_by} has not run in this warehouse.", "info")
        except psycopg.errors.QueryCanceled:
            flash(
                request, f"This took longer than {_STATEMENT_SECONDS} s: narrow it with a filter.", "warning"
            )
        except (psycopg.errors.InvalidTextRepresentation, psycopg.errors.InvalidDatetimeFormat) as unread:
            flash(request, f"The filter does not fit the column: {unread.diag.message_primary}", "warning")
        return []


def _to_the_run(request: Request) -> Response | None:
    started_url = getattr(request.state, "started_url", None)
    return JSONResponse({"redirect": started_url}) if started_url else None


def query_of(name: str) -> sql.SQL:
    """The query of `sql/<name>.sql`."""
    text = (_SQL / f"{name}.sql").read_text(encoding="utf-8")
    return sql.SQL(text)


def read(query: sql.SQL | sql.Composed, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
    """The rows of a query, read-only and for `_STATEMENT_SECONDS` at most."""
    with connect(Role.CONSOLE, application_name="turno_console") as conn:
        conn.read_only = True
        conn.execute(sql.SQL("set local statement_timeout = {}").format(_STATEMENT_SECONDS * 1000))
        return conn.execute(query, values).fetchall()
