"""The receiver's URLs: webhooks in, and health, readiness and metrics for whoever runs it."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from http import HTTPStatus

from flask import Blueprint, Response, abort, request

from webhook_receiver.body import BodyRefusedError, read_body
from webhook_receiver.events import Delivery, UnusableBodyError, delivery, read_event
from webhook_receiver.logs import Sampler
from webhook_receiver.metrics import SharedCounters, exposition, series
from webhook_receiver.settings import Account, Secrets
from webhook_receiver.signatures import SignatureRefusedError, Verification, verify
from webhook_receiver.store import Store, StoreUnavailableError

MAX_BODY_BYTES = 256 * 1024
"""Gateways send 0.3 to 3 KB."""
_log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How a request to a known account ended; the first three are the store's own words."""

    STORED = "stored"
    CONFLICTING = "conflicting"
    DUPLICATE = "duplicate"
    DEAD_LETTER = "dead_letter"
    BROKEN_OFF = "broken_off"
    SIGNATURE_REFUSED = "signature_refused"
    LENGTH_MISSING = "length_missing"
    TOO_LARGE = "too_large"
    NO_SECRET = "no_secret"  # noqa: S105  the name of an outcome
    NOT_STORED = "not_stored"


# Cashfree takes 200 and nothing else for success; a 4xx stops neither gateway from sending again
_STATUS = {
    Outcome.STORED: HTTPStatus.OK,
    Outcome.CONFLICTING: HTTPStatus.OK,
    Outcome.DUPLICATE: HTTPStatus.OK,
    Outcome.DEAD_LETTER: HTTPStatus.OK,
    Outcome.BROKEN_OFF: HTTPStatus.BAD_REQUEST,
    Outcome.SIGNATURE_REFUSED: HTTPStatus.UNAUTHORIZED,
    Outcome.LENGTH_MISSING: HTTPStatus.LENGTH_REQUIRED,
    Outcome.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Outcome.NO_SECRET: HTTPStatus.SERVICE_UNAVAILABLE,
    Outcome.NOT_STORED: HTTPStatus.SERVICE_UNAVAILABLE,
}

WEBHOOKS_TOTAL = "turno_webhooks_total"
ANSWER_MICROSECONDS_TOTAL = "turno_webhook_answer_microseconds_total"
UNKNOWN_PATHS_TOTAL = "turno_webhook_unknown_paths_total"
FAMILIES = {
    WEBHOOKS_TOTAL: "Webhooks answered, by account and outcome.",
    ANSWER_MICROSECONDS_TOTAL: "Time from request to answer, summed over the webhooks answered.",
    UNKNOWN_PATHS_TOTAL: "Requests for a gateway or lender that is not known.",
}


class _Turned(Exception):  # noqa: N818  a way out of the flow, not an error
    """A webhook that is answered before it is stored."""

    def __init__(self, outcome: Outcome, reason: str = "") -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.reason = reason


def webhook_counters(accounts: Mapping[Account, Secrets | None]) -> Iterator[str]:
    """A counter for every account and outcome, so that those that never happened are there, too, as zero."""
    for account in accounts:
        for outcome in Outcome:
            yield series(WEBHOOKS_TOTAL, gateway=account.gateway, lender=account.lender, outcome=outcome)
    yield ANSWER_MICROSECONDS_TOTAL
    yield UNKNOWN_PATHS_TOTAL


def webhook_routes(
    accounts: Mapping[Account, Secrets | None],
    store: Store,
    counters: SharedCounters,
    event_stored: Callable[[str], None],
) -> Blueprint:
    """`POST /webhooks/<gateway>/<lender>`; `event_stored` is told the gateway after every new event is durable."""
    routes = Blueprint("webhooks", __name__)
    sampler = Sampler()

    @routes.post("/webhooks/<gateway>/<lender>")
    def receive(gateway: str, lender: str) -> Response:
        """Verify, store, answer. The path alone chooses the secret, never anything in the body."""
        started = time.monotonic_ns()
        account = Account(gateway, lender)
        if account not in accounts:
            counters.add(UNKNOWN_PATHS_TOTAL)
            if sampler.lets_through(UNKNOWN_PATHS_TOTAL):
                _log.warning(
                    "unknown_path", extra={"fields": {"gateway": gateway[:64], "lender": lender[:64]}}
                )
            abort(HTTPStatus.NOT_FOUND)
        fields: dict[str, object] = {"gateway": gateway, "lender": lender}
        try:
            outcome = _take(account, accounts[account], store, fields)
        except _Turned as turned:
            outcome = turned.outcome
            fields |= {"reason": turned.reason} if turned.reason else {}
        if outcome in {Outcome.STORED, Outcome.CONFLICTING}:
            event_stored(gateway)
        microseconds = (time.monotonic_ns() - started) // 1000
        counters.add(series(WEBHOOKS_TOTAL, gateway=gateway, lender=lender, outcome=outcome))
        counters.add(ANSWER_MICROSECONDS_TOTAL, microseconds)
        _log_webhook(sampler, outcome, fields | {"microseconds": microseconds})
        return _answer(_STATUS[outcome])

    return routes


def service_routes(store: Store, counters: SharedCounters, families: Mapping[str, str]) -> Blueprint:
    """`/health`: the process runs. `/ready`: it can store. `/metrics`: its counters. Not for the public."""
    routes = Blueprint("service", __name__)

    @routes.get("/health")
    def health() -> Response:
        """Always well: whoever restarts on this must not do so because the database is away."""
        return _answer(HTTPStatus.OK)

    @routes.get("/ready")
    def ready() -> Response:
        """Well while the database answers."""
        try:
            store.check()
        except StoreUnavailableError:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE)
        return _answer(HTTPStatus.OK)

    @routes.get("/metrics")
    def metrics() -> Response:
        """All counters of all workers."""
        return Response(exposition(families, counters.values()), content_type="text/plain; version=0.0.4")

    return routes


def _take(account: Account, secrets: Secrets | None, store: Store, fields: dict[str, object]) -> Outcome:
    """Everything from the request to its durable row. `fields` gathers what the log line says."""
    if secrets is None:
        raise _Turned(
            Outcome.NO_SECRET, f"set TURNO_WEBHOOK_SECRET_{account.gateway}_{account.lender}".upper()
        )
    try:
        body = read_body(request, MAX_BODY_BYTES)
    except BodyRefusedError as refused:
        raise _Turned(Outcome(refused.refusal), refused.detail) from refused
    headers = {name.lower(): value for name, value in request.headers}
    try:
        verification = verify(account.gateway, headers, body, secrets, int(time.time()))
    except SignatureRefusedError as refused:
        raise _Turned(Outcome.SIGNATURE_REFUSED, refused.reason) from refused
    received = delivery(account, headers, body)
    fields |= {"event_key": received.event_key, "body_sha256": received.body_sha256, "bytes": len(body)}
    try:
        return _keep(received, verification, store, fields)
    except StoreUnavailableError as unavailable:
        raise _Turned(Outcome.NOT_STORED, str(unavailable)) from unavailable


def _keep(received: Delivery, verification: Verification, store: Store, fields: dict[str, object]) -> Outcome:
    try:
        text, event_type = read_event(received.account.gateway, received.body)
        fields["event_type"] = event_type
        return Outcome(store.keep(received, text, event_type, verification))
    except UnusableBodyError as unusable:
        store.keep_dead_letter(received, unusable.reason, verification)
        fields["reason"] = unusable.reason
        return Outcome.DEAD_LETTER


def _log_webhook(sampler: Sampler, outcome: Outcome, fields: dict[str, object]) -> None:
    """One line for each verified event; of those turned away, which anybody can send, one a second and reason."""
    if "event_key" in fields:
        level = logging.ERROR if outcome is Outcome.NOT_STORED else logging.INFO
    elif sampler.lets_through((fields["gateway"], fields["lender"], outcome)):
        level = logging.ERROR if outcome is Outcome.NO_SECRET else logging.WARNING
    else:
        return
    _log.log(level, "webhook", extra={"fields": {"outcome": outcome, **fields}})


def _answer(status: HTTPStatus) -> Response:
    """A small constant body for each status: an answer never says why a signature was refused."""
    return Response(f"{status.phrase.lower()}\n", status, content_type="text/plain")
