"""The URLs for the loan origination system: operations in, singly or many, and what is known of each."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, NoReturn
from uuid import UUID

from flask import Blueprint, Response, abort, request

from webhook_receiver.body import BodyRefusal, BodyRefusedError, read_body
from webhook_receiver.events import UnusableBodyError
from webhook_receiver.logs import Sampler
from webhook_receiver.los_schemas import STATES, Operations, Problem, Progress, Submitted
from webhook_receiver.los_store import Known, LosStore
from webhook_receiver.metrics import SharedCounters, series
from webhook_receiver.openapi import TOKEN_HEADER, describe
from webhook_receiver.settings import LOS
from webhook_receiver.store import StoreUnavailableError

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_SUBMISSIONS = 1000
SUBMISSIONS_TOTAL = "turno_los_submissions_total"
UNAUTHORISED_TOTAL = "turno_los_unauthorised_total"
FAMILIES = {
    SUBMISSIONS_TOTAL: "Operations submitted, by what became of each.",
    UNAUTHORISED_TOTAL: "Requests without a token that stands.",
}
_log = logging.getLogger(__name__)

_BODY_STATUS = {
    BodyRefusal.LENGTH_MISSING: HTTPStatus.LENGTH_REQUIRED,
    BodyRefusal.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    BodyRefusal.BROKEN_OFF: HTTPStatus.BAD_REQUEST,
}


class _AnswerError(Exception):
    """A request that ends here, with this answer."""

    def __init__(self, status: HTTPStatus, error: str) -> None:
        super().__init__(error)
        self.answer = _json(status, {"error": error})


def los_counters(operations: Operations) -> Iterator[str]:
    """A counter for every operation and fate."""
    for operation in operations.schemas:
        for status in Submitted:
            yield series(SUBMISSIONS_TOTAL, operation=operation, status=status)
    yield UNAUTHORISED_TOTAL


def los_routes(
    operations: Operations, store: LosStore, counters: SharedCounters, event_stored: Callable[[str], None]
) -> Blueprint:
    """`/los/<operation>`, its schemas and its description; `event_stored` is called once anything new is durable."""
    routes = Blueprint("los", __name__)
    intake = _Intake(operations, store, counters)

    @routes.post("/los/<operation>")
    def submit(operation: str) -> Response:
        """Check, store, answer with an id for each submission."""
        intake.refuse_unknown(operation)
        try:
            results = intake.take(operation)
        except _AnswerError as refused:
            return refused.answer
        if any(result["status"] == Submitted.ACCEPTED for result in results.each):
            event_stored(LOS)
        return results.answer()

    @routes.get("/los/<operation>/<uuid:submission_id>")
    def look_up(operation: str, submission_id: UUID) -> Response:
        """What is known of a submission of the caller's own."""
        intake.refuse_unknown(operation)
        try:
            return intake.find(operation, submission_id)
        except _AnswerError as refused:
            return refused.answer

    @routes.get("/schemas/los/<operation>.json")
    def schema(operation: str) -> Response:
        """The JSON Schema of an operation."""
        intake.refuse_unknown(operation)
        return _json(HTTPStatus.OK, operations.schemas[operation])

    @routes.get("/openapi.json")
    def openapi() -> Response:
        """The description of these URLs (OpenAPI 3.1)."""
        return _json(HTTPStatus.OK, describe(operations, MAX_SUBMISSIONS))

    return routes


class _Results:
    """The fate of each submission of one request."""

    def __init__(self, each: list[dict[str, Any]], *, is_list: bool) -> None:
        self.each = each
        self._is_list = is_list

    def answer(self) -> Response:
        """202 when anything is stored, else 409 when anything contradicts what is, else 422."""
        statuses = {result["status"] for result in self.each}
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        if statuses & {Submitted.ACCEPTED, Submitted.DUPLICATE}:
            status = HTTPStatus.ACCEPTED
        elif Submitted.CONFLICT in statuses:
            status = HTTPStatus.CONFLICT
        return _json(status, {"submissions": self.each} if self._is_list else self.each[0])


class _Intake:
    """From a request to its submissions."""

    def __init__(self, operations: Operations, store: LosStore, counters: SharedCounters) -> None:
        self._operations = operations
        self._store = store
        self._counters = counters
        self._sampler = Sampler()

    def refuse_unknown(self, operation: str) -> None:
        """404 for what is no operation."""
        if operation not in self._operations.schemas:
            abort(HTTPStatus.NOT_FOUND)

    def take(self, operation: str) -> _Results:
        """Store what is a submission by its schema, and say of the rest what is wrong with it; raises _AnswerError."""
        caller = self._caller()
        document = _read_json()
        items = document if isinstance(document, list) else [document]
        if not 1 <= len(items) <= MAX_SUBMISSIONS:
            raise _AnswerError(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"a list holds 1 to {MAX_SUBMISSIONS} submissions"
            )
        results = [_refused(item, self._operations.problems(operation, item)) for item in items]
        good = [place for place, result in enumerate(results) if not result["problems"]]
        self._keep(operation, caller, items, results, good)
        for result in results:
            self._counters.add(series(SUBMISSIONS_TOTAL, operation=operation, status=result["status"]))
        fields = {"operation": operation, "caller": caller, "submissions": len(items), "stored": len(good)}
        _log.info("los_submission", extra={"fields": fields})
        return _Results(results, is_list=isinstance(document, list))

    def _keep(
        self, operation: str, caller: str, items: list[Any], results: list[dict[str, Any]], good: list[int]
    ) -> None:
        if not good:
            return
        try:
            kept = self._store.keep(operation, caller, [items[place] for place in good])
        except StoreUnavailableError as unavailable:
            _unavailable(unavailable)
        except UnusableBodyError as error:
            raise _AnswerError(HTTPStatus.BAD_REQUEST, "text that cannot be stored") from error
        for place, submission in zip(good, kept, strict=True):
            results[place] |= {
                "status": submission.status,
                "submission_id": str(submission.submission_id),
            }

    def find(self, operation: str, submission_id: UUID) -> Response:
        """A caller's own submission, or 404; raises _AnswerError."""
        caller = self._caller()
        try:
            found = self._store.find(operation, submission_id, caller)
        except StoreUnavailableError as unavailable:
            _unavailable(unavailable)
        if found is None:
            raise _AnswerError(HTTPStatus.NOT_FOUND, "no such submission of yours")
        known = {"submission_id": str(submission_id), "operation": operation}
        return _json(HTTPStatus.OK, known | _told(found))

    def _caller(self) -> str:
        token = request.headers.get(TOKEN_HEADER, "")
        try:
            caller = self._store.caller(token) if token else None
        except StoreUnavailableError as unavailable:
            _unavailable(unavailable)
        if caller is None:
            self._counters.add(UNAUTHORISED_TOTAL)
            if self._sampler.lets_through(UNAUTHORISED_TOTAL):
                _log.warning("los_unauthorised")
            raise _AnswerError(HTTPStatus.UNAUTHORIZED, f"{TOKEN_HEADER} is missing or does not stand")
        return caller


def _read_json() -> Any:
    try:
        document = json.loads(read_body(request, MAX_BODY_BYTES))
        # what JSON can escape and UTF-8 cannot hold
        json.dumps(document, ensure_ascii=False).encode()
    except BodyRefusedError as refused:
        raise _AnswerError(_BODY_STATUS[refused.refusal], refused.refusal) from refused
    except (ValueError, RecursionError) as error:
        raise _AnswerError(HTTPStatus.BAD_REQUEST, "the body is not JSON in UTF-8") from error
    return document


def _refused(item: Any, problems: list[Problem]) -> dict[str, Any]:
    """A result as long as nothing better is known."""
    reference = item.get("reference") if isinstance(item, dict) else None
    return {
        "reference": reference if isinstance(reference, str) else None,
        "status": Submitted.REFUSED,
        "problems": [asdict(problem) for problem in problems],
    }


def _told(known: Known) -> dict[str, Any]:
    """What a caller is told of a submission: how far it is, why it waits or is held, and its result."""
    told = {
        "reference": known.reference,
        "received_at": known.received_at.isoformat(),
        "state": STATES.get(known.state or "", Progress.RECEIVED),
    }
    optional = {
        "reason": known.reason,
        "message": known.message,
        "result": known.result,
        "waiting_since": known.waiting_since and known.waiting_since.isoformat(),
        "ended_at": known.ended_at and known.ended_at.isoformat(),
        "recognised": known.is_recognised or None,
    }
    return told | {name: value for name, value in optional.items() if value is not None}


def _unavailable(unavailable: StoreUnavailableError) -> NoReturn:
    _log.error("los_not_stored", extra={"fields": {"reason": str(unavailable)}})
    raise _AnswerError(HTTPStatus.SERVICE_UNAVAILABLE, "nothing was stored; send it again") from unavailable


def _json(status: HTTPStatus, content: Mapping[str, Any]) -> Response:
    return Response(json.dumps(content) + "\n", status, content_type="application/json")
