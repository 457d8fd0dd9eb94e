"""The loans of one chunk, shared among its threads: those that are ready, and those that wait for a moment to come."""

import time
from collections import defaultdict
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from threading import Condition


class LoanQueue:
    """Gives each loan to one thread at a time. A loan that would wait longer than `wait_limit` seconds in all is left
    for the next run.
    """

    def __init__(self, loan_ids: Iterable[str], wait_limit: float):
        self._waiting = [(0.0, loan_id) for loan_id in dict.fromkeys(loan_ids)]
        heapify(self._waiting)
        self._wait_limit = wait_limit
        self._waited: dict[str, float] = defaultdict(float)
        self._in_hand = 0
        self._stopped = False
        self._changed = Condition()

    def pop(self) -> str | None:
        """A loan whose moment has come, None if there is none just now. Ends with `done` or `put_back`."""
        with self._changed:
            if self._stopped or not self._waiting or self._waiting[0][0] > time.monotonic():
                return None
            self._in_hand += 1
            return heappop(self._waiting)[1]

    def done(self) -> None:
        """A popped loan has nothing left to do."""
        with self._changed:
            self._in_hand -= 1
            self._changed.notify_all()

    def put_back(self, loan_id: str, wait: float) -> None:
        """A popped loan is to be looked at again after `wait` seconds."""
        with self._changed:
            self._in_hand -= 1
            self._waited[loan_id] += wait
            if self._waited[loan_id] <= self._wait_limit:
                heappush(self._waiting, (time.monotonic() + wait, loan_id))
            self._changed.notify_all()

    def wait(self) -> bool:
        """Sleep until a loan is ready; False when the chunk is finished or stopped."""
        with self._changed:
            while not self._stopped and (self._waiting or self._in_hand):
                until_next = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if until_next is not None and until_next <= 0:
                    return True
                self._changed.wait(until_next)
            return False

    def stop(self) -> None:
        """Let every thread end after what it has in hand."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped
