"""The HTTP side: the door (tenant, login), the paths, and the ways an answer can fail to arrive."""

import asyncio
import base64
import hmac
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local_stack.fineract import errors, faults, routes, wire
from local_stack.fineract.batches import Batch, refuse_locked
from local_stack.fineract.body import Body
from local_stack.fineract.commands import CommandProcessor, Reply
from local_stack.fineract.faults import Conditions, Fault, Weather
from local_stack.fineract.operations import Operation
from local_stack.fineract.routes import Preview, Resource, View
from local_stack.fineract.standin import StandIn, Traffic
from local_stack.fineract.store import Store

TENANT: Final = "default"
USER: Final = "mifos"
PASSWORD: Final = os.environ.get(
    "TURNO_FINERACT_PASSWORD", "password"
)  # by default that of every installation
_LOGIN: Final = b"Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode())
_OK: Final = 200
_MILLISECONDS: Final = 1000
_DISCONNECTED: Final = "http.disconnect"


class StandInProtocol(HttpToolsProtocol):
    """HTTP with the connection within the application's reach, so that it can be cut."""

    def on_message_begin(self) -> None:
        """Begin a request; its scope learns the connection."""
        super().on_message_begin()
        self.scope["state"]["connection"] = self.transport


class Door:
    """Lets in requests that name the tenant and log in; answers the others as the servlet container does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(routes.BASE):
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    @staticmethod
    def _refusal(scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        tenant = headers.get("Fineract-Platform-TenantId") or QueryParams(scope["query_string"]).get(
            "tenantIdentifier"
        )
        if tenant != TENANT:
            return _container_error(HTTPStatus.BAD_REQUEST, scope["path"])
        if not hmac.compare_digest(headers.get("Authorization", "").encode(), _LOGIN):
            refusal = _container_error(HTTPStatus.UNAUTHORIZED, scope["path"])
            refusal.headers["WWW-Authenticate"] = 'Basic realm="Fineract Platform API"'
            return refusal
        return None


class Api:
    """The v1 API over one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._weather = Weather()
        self._traffic = Traffic()
        self._processor = CommandProcessor(store, self._weather)

    def application(self) -> ASGIApp:
        """The ASGI application."""
        paths = [route for resource in routes.RESOURCES for route in self._routes(resource)]
        batches = Route(f"{routes.BASE}/batches", self._batch, methods=["POST"])
        health = Route(routes.HEALTH, _health, methods=["GET"])
        own = StandIn(self._store, self._weather, self._traffic).routes()
        return Door(
            Starlette(routes=[*paths, batches, health, *own], exception_handlers={HTTPException: _refused})
        )

    def _routes(self, resource: Resource) -> list[Route]:
        path = routes.BASE + resource.path
        found = []
        if resource.view is not None:
            found.append(Route(path, self._reader(resource.view), methods=["GET"]))
        if resource.commands is not None:
            found.append(Route(path, self._writer(resource), methods=[resource.method]))
        return found

    def _reader(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        async def read(request: Request) -> Response:
            async def show() -> Reply:
                answer = view.show(self._store, request.path_params, request.query_params)
                return Reply(_OK, wire.encode(answer))

            return await self._answer(
                request, view.name, lambda conditions: _read(show, conditions), is_read=True
            )

        return read

    def _writer(self, resource: Resource) -> Callable[[Request], Awaitable[Response]]:
        async def write(request: Request) -> Response:
            asked = request.query_params.get("command")
            command = asked.lower() if asked else None
            preview = (resource.previews or {}).get(command or "")
            if preview is not None:
                return await self._preview(request, preview)
            operation = (resource.commands or {}).get(command)
            if operation is None:
                return _error(errors.unsupported_query_value("command", asked))
            return await self._write(request, operation)

        return write

    async def _preview(self, request: Request, preview: Preview) -> Response:
        async def show() -> Reply:
            return Reply(_OK, wire.encode(preview.show(self._store, Body.parse(await request.body()))))

        return await self._answer(
            request, preview.name, lambda conditions: _read(show, conditions), is_read=True
        )

    async def _write(self, request: Request, operation: Operation) -> Response:
        async def run(conditions: Conditions) -> Reply:
            text = await request.body()
            target = routes.target_of(self._store, request.path_params)
            key = request.headers.get("Idempotency-Key")
            self._traffic.begin_write(target.loan_id)
            try:
                return await self._processor.process(operation, target, text, key, conditions)
            finally:
                self._traffic.end_write(target.loan_id)

        return await self._answer(request, operation.name, run, is_read=False)

    async def _batch(self, request: Request) -> Response:
        enclosing = request.query_params.get("enclosingTransaction", "").lower() == "true"

        async def run(conditions: Conditions) -> Reply:
            batch = Batch(self._store, await request.body())
            faults.raise_before(conditions.fault)
            if conditions.fault is Fault.UNAVAILABLE:
                raise errors.job_running()
            refuse_locked(self._store, batch)
            if conditions.latency_ms:
                await asyncio.sleep(conditions.latency_ms / _MILLISECONDS)
            reply = Reply(_OK, wire.encode(batch.run(enclosing=enclosing)))
            faults.raise_after(conditions.fault)
            return reply

        return await self._answer(request, "batch", run, is_read=False)

    async def _answer(
        self, request: Request, name: str, work: Callable[[Conditions], Awaitable[Reply]], *, is_read: bool
    ) -> Response:
        try:
            response = await self._respond(request, name, work(self._weather.meet(name, is_read)))
        except faults.DroppedError:
            request.scope["state"]["connection"].abort()
            return await _wait_for_the_end(request)
        except faults.HungError:
            return await _wait_for_the_end(request)
        self._traffic.answered[name, response.status_code] += 1
        return response

    async def _respond(self, request: Request, name: str, work: Awaitable[Reply]) -> Response:
        try:
            reply = await work
        except errors.ApiError as error:
            return _error(error)
        except errors.NotProvidedError as error:
            return _container_error(HTTPStatus.NOT_IMPLEMENTED, request.url.path, str(error))
        except faults.BadGatewayError:
            page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
            return HTMLResponse(page, HTTPStatus.BAD_GATEWAY)
        response = Response(reply.body, reply.status, media_type="application/json")
        if reply.replayed:
            response.headers["x-served-from-cache"] = "true"
            self._traffic.replayed[name] += 1
        return response


async def _read(show: Callable[[], Awaitable[Reply]], conditions: Conditions) -> Reply:
    faults.raise_before(conditions.fault)
    if conditions.fault is Fault.ERROR_BEFORE:
        raise errors.uncaught("The stand-in was told to fail.")
    if conditions.fault is Fault.UNAVAILABLE:
        raise errors.job_running()
    if conditions.latency_ms:
        await asyncio.sleep(conditions.latency_ms / _MILLISECONDS)
    reply = await show()
    faults.raise_after(conditions.fault)
    return reply


async def _wait_for_the_end(request: Request) -> Response:
    """Wait until the caller is gone; whatever is sent then reaches nobody."""
    while (await request.receive())["type"] != _DISCONNECTED:
        pass
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def _health(_: Request) -> Response:
    return Response(wire.encode({"status": "UP"}), media_type="application/json")


async def _refused(request: Request, error: Exception) -> Response:
    """A path or a method that does not exist, or a `/standin` request that can't be understood."""
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
    detail = error.detail if isinstance(error, HTTPException) else None
    return _container_error(HTTPStatus(status), request.url.path, detail)


def _error(error: errors.ApiError) -> Response:
    return Response(wire.encode(error.body), error.status, media_type="application/json")


def _container_error(status: HTTPStatus, path: str, message: str | None = None) -> Response:
    """The servlet container's own error page: JSON, but none of Fineract's."""
    body: dict[str, object] = {
        "timestamp": datetime.now(UTC).isoformat(),
        "status": status.value,
        "error": status.phrase,
        "path": path,
    }
    if message is not None:
        body["message"] = message
    return Response(wire.encode(body), status.value, media_type="application/json")
