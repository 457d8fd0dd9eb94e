"""Logs as one JSON object per line on stderr: ids and hashes, never a body, a secret or personal data."""

import json
import logging
import sys
import threading
import time
from datetime import UTC, datetime

_QUIET_SECONDS = 1.0


class JsonFormatter(logging.Formatter):
    """A record as JSON. Structured values travel in `extra={"fields": {...}}`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr() -> None:
    """Send everything from level INFO to stderr as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("psycopg.pool").setLevel(logging.WARNING)


class Sampler:
    """Lets one line per subject and second through: a flood of refusals must not become a flood of logs."""

    def __init__(self) -> None:
        self._last: dict[object, float] = {}
        self._lock = threading.Lock()

    def lets_through(self, subject: object) -> bool:
        """Whether to log this one. Subjects must come from a small set."""
        now = time.monotonic()
        with self._lock:
            if now - self._last.get(subject, -_QUIET_SECONDS) < _QUIET_SECONDS:
                return False
            self._last[subject] = now
            return True
