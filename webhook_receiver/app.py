"""The receiver's application factory, for gunicorn."""

import os

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from webhook_receiver.logs import log_to_stderr
from webhook_receiver.metrics import series
from webhook_receiver.routes import WAKES_TOTAL, make_counters, service_routes, webhook_routes
from webhook_receiver.settings import Settings, read_settings
from webhook_receiver.store import Store
from webhook_receiver.wake import AirflowClient, Waker


def create_app(settings: Settings | None = None) -> Flask:
    """The application; raises SettingsError. Connections and threads begin with its use, so it may be forked."""
    log_to_stderr()
    settings = settings or read_settings(os.environ)
    store = Store(settings.database_url)
    counters = make_counters(settings.accounts)

    def count_wake(outcome: str) -> None:
        counters.add(series(WAKES_TOTAL, outcome=outcome))

    def leave_it_to_the_schedule() -> None:
        """Without an Airflow to tell."""

    event_stored = leave_it_to_the_schedule
    if settings.airflow:
        event_stored = Waker(AirflowClient(settings.airflow), settings.wake_seconds, count_wake).event_stored
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(webhook_routes(settings.accounts, store, counters, event_stored))
    app.register_blueprint(service_routes(store, counters))
    app.register_error_handler(HTTPException, _plain_answer)
    return app


def _plain_answer(error: HTTPException) -> Response:
    """Werkzeug's errors (404, 405 and its kind) as short text, with the headers that belong to them."""
    headers = [(name, value) for name, value in error.get_headers() if name != "Content-Type"]
    return Response(f"{error.name.lower()}\n", error.code, headers, content_type="text/plain")
