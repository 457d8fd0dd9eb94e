"""The gateways' own APIs as far as the sweep asks them, as documented: payments by time, by order and by id."""

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_stack.gateways.accounts import (
    cashfree_account,
    cashfree_answer,
    cashfree_error,
    razorpay_account,
    razorpay_error,
)
from local_stack.gateways.link_webhooks import razorpay_entity
from local_stack.gateways.links import LinkBook
from local_stack.gateways.payments import Gateway, Payment
from local_stack.gateways.webhooks import (
    cashfree_order,
    cashfree_payment,
    cashfree_refund,
    razorpay_link,
    razorpay_order,
    razorpay_payment,
    razorpay_refund,
    razorpay_token,
)

MOST_PAYMENTS = 100
MOST_EVENTS = 1000
_Handler = Callable[[Request], Response]


def api_routes(payments: Mapping[str, Payment], links: LinkBook) -> list[Route]:
    """The routes, over payments and links that others add."""
    razorpay, cashfree = _Razorpay(payments, links), _Cashfree(payments)
    return [
        _get("/v1/payments", razorpay.list_payments),
        _get("/v1/payments/{payment_id}", razorpay.fetch_payment),
        _get("/v1/orders/{order_id}", razorpay.fetch_order),
        _get("/v1/orders/{order_id}/payments", razorpay.payments_of_order),
        _get("/v1/payment_links/{link_id}", razorpay.fetch_link),
        _get("/v1/refunds", razorpay.list_refunds),
        _get("/v1/settlements/recon/combined", razorpay.settlement_lines),
        _get("/v1/customers/{customer_id}/tokens/{token_id}", razorpay.fetch_token),
        Route("/pg/recon", cashfree.list_events, methods=["POST"]),
        Route("/pg/settlement/recon", cashfree.settlement_lines, methods=["POST"]),
        _get("/pg/orders/{order_id}", cashfree.fetch_order),
        _get("/pg/orders/{order_id}/payments", cashfree.payments_of_order),
        _get("/pg/orders/{order_id}/refunds", cashfree.refunds_of_order),
    ]


def _get(path: str, handler: _Handler) -> Route:
    async def handle(request: Request) -> Response:
        return handler(request)

    return Route(path, handle, methods=["GET"])


def _seen(payments: Mapping[str, Payment], gateway: Gateway, account: str) -> list[Payment]:
    return [p for p in payments.values() if p.gateway is gateway and account in {"", p.lender}]


class _Razorpay:
    """GET only, with basic authentication."""

    def __init__(self, payments: Mapping[str, Payment], links: LinkBook) -> None:
        self._payments = payments
        self._links = links

    def list_payments(self, request: Request) -> Response:
        """`GET /v1/payments?from=&to=&count=&skip=`, the latest first."""
        return self._page(request, lambda payments: map(_entity, payments))

    def list_refunds(self, request: Request) -> Response:
        """`GET /v1/refunds?from=&to=&count=&skip=`, the latest first."""
        return self._page(request, lambda payments: map(razorpay_refund, (p for p in payments if p.refund)))

    def _page(self, request: Request, show: Callable[[list[Payment]], Iterable[dict[str, Any]]]) -> Response:
        """A page of a list of what was made in a window."""
        query = request.query_params
        since, until = int(query.get("from", 0)), int(query.get("to", 2**40))
        count, skip = int(query.get("count", 10)), int(query.get("skip", 0))
        if not 1 <= count <= MOST_PAYMENTS:
            return razorpay_error(HTTPStatus.BAD_REQUEST, f"The count must be between 1 and {MOST_PAYMENTS}.")

        def found(payments: list[Payment]) -> list[dict[str, Any]]:
            inside = [entity for entity in show(payments) if since <= entity["created_at"] <= until]
            inside.sort(key=lambda entity: (entity["created_at"], entity["id"]), reverse=True)
            return inside[skip : skip + count]

        return self._collection(request, found)

    def fetch_token(self, request: Request) -> Response:
        """`GET /v1/customers/<id>/tokens/<id>`."""
        asked = (request.path_params["customer_id"], request.path_params["token_id"])

        def is_it(payment: Payment) -> bool:
            entity = razorpay_payment(payment)
            return (entity["customer_id"], entity["token_id"]) == asked

        return self._one(request, razorpay_token, is_it)

    def fetch_payment(self, request: Request) -> Response:
        """`GET /v1/payments/<id>`."""
        return self._one(request, _entity, lambda p: p.payment_id == request.path_params["payment_id"])

    def fetch_order(self, request: Request) -> Response:
        """`GET /v1/orders/<id>`."""
        return self._one(request, razorpay_order, self._of_order(request))

    def payments_of_order(self, request: Request) -> Response:
        """`GET /v1/orders/<id>/payments`."""
        is_of_order = self._of_order(request)
        return self._collection(request, lambda payments: [_entity(p) for p in payments if is_of_order(p)])

    def fetch_link(self, request: Request) -> Response:
        """`GET /v1/payment_links/<id>`."""
        link_id = request.path_params["link_id"]
        account = razorpay_account(request)
        if isinstance(account, str) and (
            link := self._links.by_short_id(Gateway.RAZORPAY, account, link_id.removeprefix("plink_"))
        ):
            return JSONResponse(razorpay_entity(link))
        return self._one(
            request, razorpay_link, lambda p: bool(p.reference_id) and razorpay_link(p)["id"] == link_id
        )

    def _of_order(self, request: Request) -> Callable[[Payment], bool]:
        return lambda payment: bool(razorpay_order(payment)["id"] == request.path_params["order_id"])

    def _one(
        self, request: Request, entity: Callable[[Payment], Any], is_it: Callable[[Payment], bool]
    ) -> Response:
        visible = self._visible(request)
        if isinstance(visible, Response):
            return visible
        for payment in filter(is_it, visible):
            return JSONResponse(entity(payment))
        return razorpay_error(HTTPStatus.BAD_REQUEST, "The id provided does not exist")

    def settlement_lines(self, request: Request) -> Response:
        """`GET /v1/settlements/recon/combined`: none, as nothing that is paid here is ever settled."""
        return self._collection(request, lambda _payments: [])

    def _collection(self, request: Request, find: Callable[[list[Payment]], list[Any]]) -> Response:
        visible = self._visible(request)
        if isinstance(visible, Response):
            return visible
        items = find(visible)
        return JSONResponse({"entity": "collection", "count": len(items), "items": items})

    def _visible(self, request: Request) -> list[Payment] | Response:
        account = razorpay_account(request)
        if isinstance(account, Response):
            return account
        return _seen(self._payments, Gateway.RAZORPAY, account)


def _entity(payment: Payment) -> dict[str, Any]:
    return razorpay_payment(payment, payment.events_to_send[-1])


class _Cashfree:
    """With the headers x-client-id, x-client-secret and x-api-version."""

    def __init__(self, payments: Mapping[str, Payment]) -> None:
        self._payments = payments

    async def list_events(self, request: Request) -> Response:
        """`POST /pg/recon`: events of payments by time, a page after the other."""
        visible = self._visible(request)
        if isinstance(visible, Response):
            return visible
        asked = await request.json()
        limit, cursor = asked["pagination"]["limit"], asked["pagination"].get("cursor")
        if not 1 <= limit <= MOST_EVENTS:
            return cashfree_error(HTTPStatus.BAD_REQUEST, "pagination.limit is out of range")
        since, until = asked["filters"]["start_date"], asked["filters"]["end_date"]
        all_events = [*map(_recon_event, visible), *map(_recon_refund, (p for p in visible if p.refund))]
        events = [event for event in all_events if since <= event["event_time"] <= until]
        events.sort(key=lambda event: (event["event_time"], event["cf_payment_id"]))
        begin = int(cursor or 0)
        end = begin + limit
        answer = {
            "limit": limit,
            "cursor": str(end) if end < len(events) else None,
            "data": events[begin:end],
        }
        return cashfree_answer(answer)

    async def settlement_lines(self, request: Request) -> Response:
        """`POST /pg/settlement/recon`: none, as nothing that is paid here is ever settled."""
        visible = self._visible(request)
        return visible if isinstance(visible, Response) else cashfree_answer({"cursor": None, "data": []})

    def fetch_order(self, request: Request) -> Response:
        """`GET /pg/orders/<id>`."""
        return self._of_order(request, lambda payments: cashfree_order(payments[0]))

    def payments_of_order(self, request: Request) -> Response:
        """`GET /pg/orders/<id>/payments`."""
        return self._of_order(request, lambda payments: [cashfree_payment(p) for p in payments])

    def refunds_of_order(self, request: Request) -> Response:
        """`GET /pg/orders/<id>/refunds`."""
        return self._of_order(request, lambda payments: [cashfree_refund(p) for p in payments if p.refund])

    def _of_order(self, request: Request, show: Callable[[list[Payment]], Any]) -> Response:
        visible = self._visible(request)
        if isinstance(visible, Response):
            return visible
        order_id = request.path_params["order_id"]
        found = [p for p in visible if cashfree_payment(p)["order_id"] == order_id]
        if not found:
            return cashfree_error(HTTPStatus.NOT_FOUND, "order not found")
        return cashfree_answer(show(found))

    def _visible(self, request: Request) -> list[Payment] | Response:
        account = cashfree_account(request)
        if isinstance(account, Response):
            return account
        return _seen(self._payments, Gateway.CASHFREE, account)


def _recon_event(payment: Payment) -> dict[str, Any]:
    paid = cashfree_payment(payment)
    return {
        "event_id": payment.payment_id,
        "event_type": "PAYMENT",
        "event_status": paid["payment_status"],
        "event_time": paid["payment_time"],
        "event_amount": payment.amount,
        "event_currency": "INR",
        "order_id": paid["order_id"],
        "cf_payment_id": paid["cf_payment_id"],
        "payment_amount": payment.amount,
        "payment_time": paid["payment_time"],
    }


def _recon_refund(payment: Payment) -> dict[str, Any]:
    refund = cashfree_refund(payment)
    return _recon_event(payment) | {
        "event_id": refund["cf_refund_id"],
        "event_type": "REFUND",
        "event_status": refund["refund_status"],
        "event_time": refund["processed_at"],
        "event_amount": refund["refund_amount"],
    }
