"""The stand-in's web server: payments are made under /standin, and can be asked for as at Razorpay's API."""

import base64
import hmac
from http import HTTPStatus

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_stack.gateways.delivery import Courier
from local_stack.gateways.payments import Delivery, Gateway, Payment
from local_stack.gateways.webhooks import razorpay_payment

API_KEY_ID = "rzp_test_standin"
API_KEY_SECRET = "standin"  # noqa: S105  the stand-in's published login, like a default password
_BASIC = "Basic " + base64.b64encode(f"{API_KEY_ID}:{API_KEY_SECRET}".encode()).decode()
_PAYMENTS = TypeAdapter(list[Payment])
_DELIVERIES = TypeAdapter(list[Delivery])


def build_app(courier: Courier) -> Starlette:
    """The application; its payments live as long as it does."""
    payments: dict[str, Payment] = {}

    async def make_payments(request: Request) -> Response:
        """Make the payments of a JSON list, deliver their webhooks, and answer with the fate of each."""
        try:
            asked = _PAYMENTS.validate_json(await request.body())
        except ValidationError as error:
            return Response(error.json(), HTTPStatus.UNPROCESSABLE_ENTITY, media_type="application/json")
        missing = courier.missing_secrets(asked)
        if missing:
            hint = f"no webhook secret for {sorted(missing)}: set TURNO_WEBHOOK_SECRET_<GATEWAY>_<LENDER>"
            return JSONResponse({"error": hint}, HTTPStatus.UNPROCESSABLE_ENTITY)
        payments.update({payment.payment_id: payment for payment in asked})
        deliveries = await run_in_threadpool(courier.deliver, asked)
        return Response(_DELIVERIES.dump_json(deliveries), media_type="application/json")

    async def fetch_payment(request: Request) -> Response:
        """Razorpay's `GET /v1/payments/<id>`."""
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), _BASIC.encode()):
            return _razorpay_error(HTTPStatus.UNAUTHORIZED, "Authentication failed")
        payment = payments.get(request.path_params["payment_id"])
        if payment is None or payment.gateway is not Gateway.RAZORPAY:
            return _razorpay_error(HTTPStatus.BAD_REQUEST, "The id provided does not exist")
        return JSONResponse(razorpay_payment(payment, payment.events_to_send[-1]))

    async def health(_: Request) -> Response:
        """Whether the stand-in runs."""
        return JSONResponse({"payments": len(payments)})

    return Starlette(
        routes=[
            Route("/standin/payments", make_payments, methods=["POST"]),
            Route("/standin/health", health, methods=["GET"]),
            Route("/v1/payments/{payment_id}", fetch_payment, methods=["GET"]),
        ]
    )


def _razorpay_error(status: HTTPStatus, description: str) -> Response:
    return JSONResponse({"error": {"code": "BAD_REQUEST_ERROR", "description": description}}, status)
