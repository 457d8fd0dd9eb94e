"""Gunicorn's threaded worker with an end to every request: who sends a byte now and then must not keep a thread."""

import socket
import time
from contextlib import suppress

from gunicorn.workers.gthread import TConn, ThreadWorker

REQUEST_SECONDS = 5
"""From the first byte to the answer: what a gateway waits, and its few kilobytes take milliseconds."""


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A connection whose request is not over in time is closed for reading: its thread finds an end, and is free."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._deadlines: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> object:
        """Handle one request of a connection, in a thread of the pool."""
        self._deadlines[conn] = time.monotonic() + REQUEST_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def murder_pending(self) -> None:
        """Called by the main loop at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._deadlines.items()):
            if deadline < now:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)
