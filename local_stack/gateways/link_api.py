"""The gateways' payment link APIs as documented: creation with its limits, look-up, cancellation, and their errors."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local_stack.gateways.accounts import (
    cashfree_account,
    cashfree_answer,
    cashfree_error,
    razorpay_account,
    razorpay_error,
)
from local_stack.gateways.faults import Fault, Weather
from local_stack.gateways.link_webhooks import cashfree_entity, razorpay_entity
from local_stack.gateways.links import Link, LinkBook, LinkRuleError
from local_stack.gateways.payments import Gateway
from local_stack.gateways.webhooks import cashfree_payment

_SOONEST, _LATEST, _CASHFREE_DEFAULT = timedelta(minutes=15), timedelta(days=184), timedelta(days=30)
_RAZORPAY_FIELDS = frozenset(
    {
        "amount", "currency", "accept_partial", "first_min_partial_amount", "upi_link", "description", "reference_id",
        "customer", "expire_by", "notify", "reminder_enable", "notes", "callback_url", "callback_method", "options",
    }
)  # fmt: skip
_LONGEST_REFERENCE, _LONGEST_DESCRIPTION, _MOST_NOTES, _LONGEST_NOTE = 40, 2048, 15, 255
_LEAST_PAISE = 100
_CASHFREE_ID = re.compile(r"[A-Za-z0-9_-]{1,50}")
_LONGEST_PURPOSE, _MOST_CASHFREE_NOTES = 500, 5
_RETRY_SECONDS = 1
_HANG_SECONDS = 30
_Handler = Callable[[Request], Awaitable[Response]]
OnEnd = Callable[[Link], None]


def link_routes(book: LinkBook, weather: Weather, on_end: OnEnd) -> list[Route]:
    """The routes over a book of links; `on_end` is told of every link that was cancelled."""
    razorpay, cashfree = _Razorpay(book, on_end), _Cashfree(book, on_end)

    def route(path: str, method: str, name: str, handle: _Handler, limited: Callable[[], Response]) -> Route:
        return Route(path, _weathered(weather, name, handle, limited), methods=[method])

    return [
        route("/v1/payment_links", "POST", "create", razorpay.create, _razorpay_limited),
        route("/v1/payment_links", "GET", "find", razorpay.find, _razorpay_limited),
        route("/v1/payment_links/{link_id}/cancel", "POST", "cancel", razorpay.cancel, _razorpay_limited),
        route("/pg/links", "POST", "create", cashfree.create, _cashfree_limited),
        route("/pg/links/{link_id}", "GET", "find", cashfree.fetch, _cashfree_limited),
        route("/pg/links/{link_id}/orders", "GET", "orders", cashfree.orders, _cashfree_limited),
        route("/pg/links/{link_id}/cancel", "POST", "cancel", cashfree.cancel, _cashfree_limited),
    ]


def _weathered(weather: Weather, name: str, handle: _Handler, limited: Callable[[], Response]) -> _Handler:
    """A handler that meets the faults in force."""

    async def answer(request: Request) -> Response:
        await request.body()  # read, before the caller may go away
        fault = weather.meet(name)
        if fault is Fault.RATE_LIMITED:
            return limited()
        if fault is Fault.BAD_GATEWAY:
            return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", HTTPStatus.BAD_GATEWAY)
        if fault is Fault.ERROR_BEFORE:
            return _failed()
        if fault in {Fault.HANG_BEFORE, Fault.LATE}:
            await _until_gone(request)
        if fault is Fault.HANG_BEFORE:
            return _failed()
        response = await handle(request)
        weather.answered[f"{name} {response.status_code}"] += 1
        if fault is Fault.HANG_AFTER:
            await _until_gone(request)
        return _failed() if fault is Fault.ERROR_AFTER else response

    return answer


async def _until_gone(request: Request) -> None:
    """Say nothing until the caller has given up."""
    for _ in range(_HANG_SECONDS * 20):
        if await request.is_disconnected():
            return
        await asyncio.sleep(0.05)


def _failed() -> Response:
    error = {"code": "SERVER_ERROR", "description": "We are facing some trouble completing your request."}
    return JSONResponse({"error": error}, HTTPStatus.INTERNAL_SERVER_ERROR)


def _razorpay_limited() -> Response:
    return razorpay_error(HTTPStatus.TOO_MANY_REQUESTS, "Request failed. Too many requests.")


def _cashfree_limited() -> Response:
    response = cashfree_error(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests from IP")
    response.headers.update(
        {"x-ratelimit-remaining": "0", "x-ratelimit-retry": str(_RETRY_SECONDS), "x-ratelimit-type": "ip"}
    )
    return response


class _Razorpay:
    """`/v1/payment_links`, in paise."""

    def __init__(self, book: LinkBook, on_end: OnEnd) -> None:
        self._book = book
        self._on_end = on_end

    async def create(self, request: Request) -> Response:
        account = razorpay_account(request)
        if isinstance(account, Response):
            return account
        asked = await request.json()
        try:
            link = _razorpay_link(account, asked)
        except LinkRuleError as broken:
            return razorpay_error(HTTPStatus.BAD_REQUEST, str(broken))
        if self._book.get(Gateway.RAZORPAY, account, link.reference):
            message = "payment link creation with reference ID already attempted"
            return razorpay_error(HTTPStatus.BAD_REQUEST, message)
        self._book.add(link)
        return JSONResponse(razorpay_entity(link))

    async def find(self, request: Request) -> Response:
        account = razorpay_account(request)
        if isinstance(account, Response):
            return account
        found = self._book.get(Gateway.RAZORPAY, account, request.query_params.get("reference_id", ""))
        return JSONResponse({"payment_links": [razorpay_entity(found)] if found else []})

    async def cancel(self, request: Request) -> Response:
        account = razorpay_account(request)
        if isinstance(account, Response):
            return account
        short_id = request.path_params["link_id"].removeprefix("plink_")
        link = self._book.by_short_id(Gateway.RAZORPAY, account, short_id)
        if link is None:
            return razorpay_error(HTTPStatus.BAD_REQUEST, "The id provided does not exist")
        try:
            link.cancel()
        except LinkRuleError as broken:
            return razorpay_error(HTTPStatus.BAD_REQUEST, str(broken))
        self._on_end(link)
        return JSONResponse(razorpay_entity(link))


def _razorpay_link(account: str, asked: dict[str, Any]) -> Link:
    """The link that is asked for; LinkRuleError names the first rule it breaks."""
    if unknown := sorted(set(asked) - _RAZORPAY_FIELDS):
        raise LinkRuleError(f"{unknown[0]} is/are not required and should not be sent")
    amount, partial = asked.get("amount", 0), bool(asked.get("accept_partial"))
    first = asked.get("first_min_partial_amount", 0)
    notes = asked.get("notes") or {}
    expires_at = _razorpay_expiry(asked.get("expire_by"))
    _check(isinstance(amount, int) and not isinstance(amount, bool), "The amount must be an integer.")
    _check(amount >= _LEAST_PAISE, "The amount must be atleast INR 1.00")
    _check(asked.get("currency", "INR") == "INR", "Currency is not supported")
    _check(partial or not first, "first_min_partial_amount is not required with accept_partial false")
    _check(not first or first <= amount, "minimum partial amount must not be greater than the amount")
    _check(not (asked.get("upi_link") and partial), "partial payment is not supported for UPI links")
    reference = str(asked.get("reference_id") or "")
    _check(
        0 < len(reference) <= _LONGEST_REFERENCE, "The reference id may not be greater than 40 characters."
    )
    _check(len(asked.get("description") or "") <= _LONGEST_DESCRIPTION, "The description is too long.")
    _check(len(notes) <= _MOST_NOTES, "Number of fields in notes should be less than or equal to 15")
    too_long = any(len(str(value)) > _LONGEST_NOTE for value in notes.values())
    _check(not too_long, "value: the length must not be greater than 255.")
    return Link(Gateway.RAZORPAY, account, reference, amount, partial, first, expires_at, asked)


def _razorpay_expiry(expire_by: int | None) -> datetime:
    now = datetime.now(UTC)
    if not expire_by:
        return now + _LATEST
    expires_at = datetime.fromtimestamp(expire_by, tz=UTC)
    _check(expires_at >= now + _SOONEST, "timestamp must be atleast 15 minutes in future")
    _check(expires_at <= now + _LATEST, "expire_by cannot be more than 6 months from now")
    return expires_at


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise LinkRuleError(message)


class _Cashfree:
    """`/pg/links`, in rupees."""

    def __init__(self, book: LinkBook, on_end: OnEnd) -> None:
        self._book = book
        self._on_end = on_end

    async def create(self, request: Request) -> Response:
        account = cashfree_account(request)
        if isinstance(account, Response):
            return account
        asked = await request.json()
        key = request.headers.get("x-idempotency-key")
        try:
            link = _cashfree_link(account, asked, key)
        except LinkRuleError as broken:
            return cashfree_error(HTTPStatus.BAD_REQUEST, str(broken))
        known = self._book.get(Gateway.CASHFREE, account, link.reference)
        if known is None:
            self._book.add(link)
            return cashfree_answer(cashfree_entity(link))
        if key is None or key != known.key:
            return cashfree_error(HTTPStatus.CONFLICT, "Link with the same link_id already exists")
        if asked != known.asked:
            return cashfree_error(
                HTTPStatus.UNPROCESSABLE_ENTITY, "request body does not match that of the idempotency key"
            )
        return cashfree_answer(cashfree_entity(known))

    async def fetch(self, request: Request) -> Response:
        link = self._link(request)
        return link if isinstance(link, Response) else cashfree_answer(cashfree_entity(link))

    async def orders(self, request: Request) -> Response:
        link = self._link(request)
        if isinstance(link, Response):
            return link
        details = link.asked.get("customer_details")
        orders = [
            {
                "order_id": cashfree_payment(payment)["order_id"],
                "order_amount": payment.amount,
                "order_status": "PAID",
                "customer_details": details,
            }
            for payment in link.payments
        ]
        return cashfree_answer(orders)

    async def cancel(self, request: Request) -> Response:
        link = self._link(request)
        if isinstance(link, Response):
            return link
        try:
            link.cancel()
        except LinkRuleError as broken:
            return cashfree_error(HTTPStatus.BAD_REQUEST, str(broken))
        self._on_end(link)
        return cashfree_answer(cashfree_entity(link))

    def _link(self, request: Request) -> Link | Response:
        account = cashfree_account(request)
        if isinstance(account, Response):
            return account
        link = self._book.get(Gateway.CASHFREE, account, request.path_params["link_id"])
        return link or cashfree_error(HTTPStatus.NOT_FOUND, "link does not exist")


def _cashfree_link(account: str, asked: dict[str, Any], key: str | None) -> Link:
    """The link that is asked for; LinkRuleError names the first rule it breaks."""
    amount = _cashfree_paise(asked.get("link_amount"))
    first = _cashfree_paise(asked.get("link_minimum_partial_amount") or 0)
    partial = bool(asked.get("link_partial_payments"))
    _check(amount > 0, "link_amount should be greater than 0")
    _check(asked.get("link_currency") == "INR", "link_currency is missing or not supported")
    _check(bool(_CASHFREE_ID.fullmatch(asked.get("link_id") or "")), "link_id is invalid")
    _check(0 < len(asked.get("link_purpose") or "") <= _LONGEST_PURPOSE, "link_purpose is invalid")
    phone = (asked.get("customer_details") or {}).get("customer_phone")
    _check(bool(phone), "customer_details.customer_phone is missing")
    _check(len(asked.get("link_notes") or {}) <= _MOST_CASHFREE_NOTES, "link_notes has more than 5 pairs")
    _check(partial or not first, "link_minimum_partial_amount needs link_partial_payments")
    expiry = asked.get("link_expiry_time")
    now = datetime.now(UTC)
    expires_at = datetime.fromisoformat(expiry) if expiry else now + _CASHFREE_DEFAULT
    _check(expires_at > now, "link_expiry_time should be in the future")
    return Link(Gateway.CASHFREE, account, asked["link_id"], amount, partial, first, expires_at, asked, key)


def _cashfree_paise(rupees: Any) -> int:
    """A JSON number of rupees; its shortest text has the digits that were sent."""
    try:
        paise = Decimal(str(rupees)).scaleb(2)
    except InvalidOperation:
        raise LinkRuleError("link_amount is invalid") from None
    _check(paise == int(paise), "link_amount can have at most two decimals")
    return int(paise)
