"""The receiver's configuration with one bug planted in its workers (TURNO_PLANTED_BUG), to show that the storm notices."""

import os
import runpy
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

globals().update(runpy.run_path(str(Path(__file__).parents[2] / "webhook_receiver" / "gunicorn.conf.py")))


def answers_first() -> None:
    """Answered before it is stored, by a thread of the worker: what dies with the worker or its database is lost."""
    from webhook_receiver.store import Kept, Store, StoreUnavailableError

    keep, waiting = Store.keep, SimpleQueue[Any]()

    def store() -> None:
        while True:
            try:
                keep(*waiting.get())
            except StoreUnavailableError:
                continue

    def keep_later(*delivered: Any) -> Kept:
        waiting.put(delivered)
        return Kept.STORED

    threading.Thread(target=store, daemon=True).start()
    Store.keep = keep_later  # type: ignore[method-assign]  # this process is here to be broken


def every_delivery_is_new() -> None:
    """No two deliveries have one event key: what a gateway sends again is stored again."""
    from webhook_receiver import routes

    delivery = routes.delivery
    routes.delivery = lambda *given: replace(  # type: ignore[assignment]
        found := delivery(*given), event_key=f"{found.event_key}_{uuid4().hex}"
    )


def anybody_may_sign() -> None:
    """Signatures are not looked at."""
    from webhook_receiver import routes
    from webhook_receiver.signatures import Verdict, Verification

    routes.verify = lambda *_: Verification(Verdict.CURRENT, stale=False)  # type: ignore[assignment]


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug for bug in (answers_first, every_delivery_is_new, anybody_may_sign)
}


def post_fork(_server: object, _worker: object) -> None:
    """Called by gunicorn in every new worker."""
    BUGS[os.environ["TURNO_PLANTED_BUG"]]()
