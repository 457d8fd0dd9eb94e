"""The receiver's application factory, for gunicorn."""

import os
from collections.abc import Iterator

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from webhook_receiver import los, routes
from webhook_receiver.logs import log_to_stderr
from webhook_receiver.los_schemas import Operations, read_operations
from webhook_receiver.los_store import LosStore
from webhook_receiver.metrics import SharedCounters, series
from webhook_receiver.settings import Settings, read_settings
from webhook_receiver.store import Store
from webhook_receiver.wake import FAILED, Announcement, Wakers

WAKES_TOTAL = "turno_wakes_total"
FAMILIES = routes.FAMILIES | los.FAMILIES | {WAKES_TOTAL: "Announcements to Airflow, by DAG and outcome."}


def create_app(settings: Settings | None = None) -> Flask:
    """The application; raises SettingsError. Connections and threads begin with its use, so it may be forked."""
    log_to_stderr()
    settings = settings or read_settings(os.environ)
    operations = read_operations(settings.los_operations)
    store = Store(settings.database_url)
    counters = SharedCounters(_counters(settings, operations))

    def count_wake(dag_id: str, outcome: str) -> None:
        counters.add(series(WAKES_TOTAL, dag=dag_id, outcome=outcome))

    wakers = Wakers(settings, count_wake)
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(routes.webhook_routes(settings.accounts, store, counters, wakers.event_stored))
    app.register_blueprint(los.los_routes(operations, LosStore(store), counters, wakers.event_stored))
    app.register_blueprint(routes.service_routes(store, counters, FAMILIES))
    app.register_error_handler(HTTPException, _plain_answer)
    return app


def _counters(settings: Settings, operations: Operations) -> Iterator[str]:
    yield from routes.webhook_counters(settings.accounts)
    yield from los.los_counters(operations)
    for dag_id in dict.fromkeys(settings.wake_dags.values()):
        for outcome in (*Announcement, FAILED):
            yield series(WAKES_TOTAL, dag=dag_id, outcome=outcome)


def _plain_answer(error: HTTPException) -> Response:
    """Werkzeug's errors (404, 405 and its kind) as short text, with the headers that belong to them."""
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    return Response(f"{error.name.lower()}\n", error.code, headers, content_type="text/plain")
