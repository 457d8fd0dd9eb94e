"""How fast an account may be asked: a bucket of tokens that fills evenly, shared by the threads of one run."""

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """At most `rate_per_second` calls, with up to a second's worth at once. Thread-safe.

    `pause_seconds` after a 429 holds everybody back: the limit is the account's, not the call's.
    """

    def __init__(
        self,
        rate_per_second: int,
        clock_seconds: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate_per_second < 1:
            raise ValueError(f"rate_per_second is {rate_per_second}; it is at least 1")
        self._interval_seconds = 1 / rate_per_second
        self._burst = rate_per_second
        self._clock_seconds = clock_seconds
        self._wait = wait
        self._lock = threading.Lock()
        self._next_free_seconds = clock_seconds()

    def take(self) -> None:
        """Return when the caller may make one call."""
        with self._lock:
            now_seconds = self._clock_seconds()
            # an idle bucket is full: it owes at most one burst
            full_since_seconds = now_seconds - (self._burst - 1) * self._interval_seconds
            turn_seconds = max(self._next_free_seconds, full_since_seconds)
            self._next_free_seconds = turn_seconds + self._interval_seconds
        if turn_seconds > now_seconds:
            self._wait(turn_seconds - now_seconds)

    def pause(self, pause_seconds: float) -> None:
        """Let nobody call for as long."""
        with self._lock:
            resume_seconds = self._clock_seconds() + pause_seconds
            self._next_free_seconds = max(self._next_free_seconds, resume_seconds)
