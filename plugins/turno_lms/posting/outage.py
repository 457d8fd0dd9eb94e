"""Waiting for a Fineract that is down: one thread asks, the others wait with it."""

import logging
import time
from threading import Lock

from turno_lms.fineract.client import FineractClient
from turno_lms.posting.settings import PostingSettings

log = logging.getLogger(__name__)


class Outage:
    """The patience of one chunk with outages, in all `wait_limit` seconds."""

    def __init__(self, settings: PostingSettings):
        self._settings = settings
        self._lock = Lock()
        self._waited = 0.0
        self._ended = 0

    def wait_until_up(self, client: FineractClient) -> bool:
        """Return True as soon as Fineract answers, False when patience is spent."""
        ended_before = self._ended
        with self._lock:
            if self._ended > ended_before:
                return True
            tries = 1
            while self._waited < self._settings.wait_limit:
                wait = min(self._settings.backoff(tries), self._settings.wait_limit - self._waited)
                log.warning("Fineract cannot be reached; asking again in %.1f s", wait)
                time.sleep(wait)
                self._waited += wait
                if client.health():
                    self._ended += 1
                    return True
                tries += 1
            return False
