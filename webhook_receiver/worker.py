"""Gunicorn's threaded worker with an end to every request: who sends a byte now and then must not keep a thread.

It also lets a busy connection keep its thread: handing it back to the main loop after every request costs more than
the request.
"""

import select
import socket
import time
from contextlib import suppress

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

REQUEST_SECONDS = 5
"""From the first byte to the answer: what a gateway waits, and its few kilobytes take milliseconds."""

LINGER_MILLISECONDS = 5
"""How long a thread waits for its connection's next request; then the main loop waits, which can for thousands."""


class DeadlineWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """A connection whose request is not over in time is closed for reading: its thread finds an end, and is free."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._deadlines: dict[TConn, float] = {}

    def handle(self, conn: TConn) -> object:
        """Handle a connection's requests as long as one follows another and nobody waits; in a thread of the pool."""
        answered = self._handle_in_time(conn)
        while answered is True and self._goes_on(conn):
            answered = self._handle_in_time(conn)
        return answered

    def _handle_in_time(self, conn: TConn) -> object:
        self._deadlines[conn] = time.monotonic() + REQUEST_SECONDS
        try:
            return super().handle(conn)
        finally:
            self._deadlines.pop(conn, None)

    def _goes_on(self, conn: TConn) -> bool:
        if not self.alive or self._waiting():
            return False
        following = select.poll()
        following.register(conn.sock, select.POLLIN)
        return bool(following.poll(LINGER_MILLISECONDS))

    def _waiting(self) -> bool:
        """Whether connections wait for a thread."""
        return not self.tpool._work_queue.empty()

    def murder_pending(self) -> None:
        """Called by the main loop at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._deadlines.items()):
            if deadline < now:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)


class ErrorLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """Gunicorn's own log without the access log, which would be composed for every request and written nowhere."""

    access_log_enabled = False
