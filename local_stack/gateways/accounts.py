"""Who asks: the account behind a key, and how each gateway says no.

A key sees its account. `<key>_<lender>` is the account of one lender, the bare key one that all lenders share (``).
"""

import base64
import hmac
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET, CASHFREE_CLIENT_ID
from local_stack.gateways.webhooks import json_bytes


def razorpay_account(request: Request) -> str | Response:
    """The lender of a key given by basic authentication, or the refusal."""
    given = request.headers.get("authorization", "").removeprefix("Basic ")
    try:
        key, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        key = secret = ""
    account = _account(key, API_KEY_ID)
    if account is None or not hmac.compare_digest(secret.encode(), API_KEY_SECRET.encode()):
        return razorpay_error(HTTPStatus.UNAUTHORIZED, "Authentication failed")
    return account


def cashfree_account(request: Request) -> str | Response:
    """The lender of a client given by its headers, or the refusal."""
    account = _account(request.headers.get("x-client-id", ""), CASHFREE_CLIENT_ID)
    secret = request.headers.get("x-client-secret", "")
    if account is None or not hmac.compare_digest(secret.encode(), API_KEY_SECRET.encode()):
        return cashfree_error(HTTPStatus.UNAUTHORIZED, "authentication Failed")
    if not request.headers.get("x-api-version"):
        return cashfree_error(HTTPStatus.BAD_REQUEST, "x-api-version is missing in the request")
    return account


def _account(key: str, standard: str) -> str | None:
    if key == standard:
        return ""
    return key.removeprefix(f"{standard}_") if key.startswith(f"{standard}_") else None


def razorpay_error(status: HTTPStatus, description: str) -> Response:
    """Nearly everything is a BAD_REQUEST_ERROR."""
    return JSONResponse({"error": {"code": "BAD_REQUEST_ERROR", "description": description}}, status)


def cashfree_answer(content: Any) -> Response:
    """With amounts as bare decimals."""
    return Response(json_bytes(content), media_type="application/json")


def cashfree_error(status: HTTPStatus, message: str) -> Response:
    """The message is all that tells errors apart."""
    return JSONResponse(
        {"message": message, "code": "request_failed", "type": "invalid_request_error"}, status
    )
