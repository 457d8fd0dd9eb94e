"""The stand-in's web server: payments are made and links are paid under /standin; the gateways' APIs show both."""

from http import HTTPStatus

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_stack.gateways.api import api_routes
from local_stack.gateways.delivery import Courier
from local_stack.gateways.faults import Weather
from local_stack.gateways.link_api import link_routes
from local_stack.gateways.links import LinkBook
from local_stack.gateways.payments import Delivery, Payment
from local_stack.gateways.standin import LinkDesk

_PAYMENTS = TypeAdapter(list[Payment])
_DELIVERIES = TypeAdapter(list[Delivery])


def build_app(courier: Courier) -> Starlette:
    """The application; its payments and links live as long as it does."""
    payments: dict[str, Payment] = {}
    links, weather = LinkBook(), Weather()
    desk = LinkDesk(links, payments, courier, weather)

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

    async def health(_: Request) -> Response:
        """Whether the stand-in runs."""
        return JSONResponse({"payments": len(payments)})

    return Starlette(
        routes=[
            Route("/standin/payments", make_payments, methods=["POST"]),
            Route("/standin/health", health, methods=["GET"]),
            *desk.routes(),
            *link_routes(links, weather, desk.tell_later),
            *api_routes(payments, links),
        ]
    )
