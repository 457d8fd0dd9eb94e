"""Is a service well? Asked at its address, as a client would: postgresql://, redis://, http://, or http://...#airflow-component."""

import json
import socket
import urllib.error
import urllib.request
from datetime import datetime
from http.client import HTTPException
from urllib.parse import SplitResult, urlsplit

from local_stack.databases import Databases

_TIMEOUT_SECONDS = 5
_SERVER_ERROR = 500
_open = urllib.request.build_opener(
    urllib.request.ProxyHandler({})
).open  # our own services are behind no proxy


def is_healthy(address: str, since: float) -> bool:
    """Whether the service at `address`, started at `since` (seconds since the epoch), does its work."""
    parts = urlsplit(address)
    if parts.scheme == "postgresql":
        return Databases(address, {}).is_ready()
    if parts.scheme == "redis":
        return _answers_redis(parts)
    if parts.fragment:
        return _component_beats(parts._replace(fragment="").geturl(), parts.fragment, since)
    return answers(address)


def answers(url: str) -> bool:
    """Whether a web server answers at `url` and does not fail; a refusal of the request counts as an answer."""
    try:
        with _open(url, timeout=_TIMEOUT_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        return error.code < _SERVER_ERROR
    except (
        OSError,
        HTTPException,
    ):  # the latter: a port without a server can be connected to itself, and echoes
        return False


def _answers_redis(address: SplitResult) -> bool:
    """Whether a Redis answers; one that asks for a password does."""
    try:
        with socket.create_connection(
            (str(address.hostname), address.port or 0), _TIMEOUT_SECONDS
        ) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False


def _component_beats(url: str, component: str, since: float) -> bool:
    """Whether the API server knows of a heartbeat of this component's present process, not only of an earlier one."""
    try:
        with _open(url, timeout=_TIMEOUT_SECONDS) as answer:
            report = json.load(answer)[component]
    except (OSError, HTTPException, ValueError, KeyError):
        return False
    beat = report.get(f"latest_{component}_heartbeat")
    return (
        report["status"] == "healthy"
        and beat is not None
        and datetime.fromisoformat(beat).timestamp() >= since
    )
