"""The `/standin` paths about payment links: pay one, let one expire, and the faults that tests switch on."""

import threading
from http import HTTPStatus
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_stack.gateways.delivery import Courier
from local_stack.gateways.faults import Rule, Settings, Weather
from local_stack.gateways.link_webhooks import link_payment, link_webhook, payment_webhooks
from local_stack.gateways.links import Link, LinkBook, LinkRuleError
from local_stack.gateways.payments import Delivery, Gateway, Payment, Rupees
from local_stack.gateways.webhooks import Webhook

_DELIVERIES = TypeAdapter(list[Delivery])


class Named(BaseModel):
    """A link by its reference."""

    model_config = ConfigDict(extra="forbid")

    gateway: Gateway
    reference: str
    deliver: bool = True
    """Whether the webhooks are sent; without it only the API tells."""


class Paying(Named):
    """Body of POST /standin/links/pay: what is left of the link is paid, unless an amount is given.

    `was_under_way`: begun before the link ended, and captured after.
    """

    payment_id: str
    amount: Rupees | None = None
    paid_at: AwareDatetime | None = None
    contact: str | None = None
    was_under_way: bool = False

    @property
    def given(self) -> dict[str, Any]:
        """The fields of the payment that are given."""
        fields = {"amount": self.amount, "paid_at": self.paid_at, "contact": self.contact}
        return {name: value for name, value in fields.items() if value is not None}


class LinkDesk:
    """The handlers, over the links, the payments and the courier of the stand-in."""

    def __init__(
        self, book: LinkBook, payments: dict[str, Payment], courier: Courier, weather: Weather
    ) -> None:
        self._book = book
        self._payments = payments
        self._courier = courier
        self._weather = weather

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/standin/links", self._list, methods=["GET"]),
            Route("/standin/links/pay", self._pay, methods=["POST"]),
            Route("/standin/links/expire", self._expire, methods=["POST"]),
            Route("/standin/rules", self._rules, methods=["GET"]),
            Route("/standin/rules", self._add_rule, methods=["POST"]),
            Route("/standin/rules", self._clear_rules, methods=["DELETE"]),
            Route("/standin/settings", self._set, methods=["PUT"]),
            Route("/standin/counters", self._counters, methods=["GET"]),
        ]

    def tell_later(self, link: Link) -> None:
        """Send the webhook of a link that ended through the API, after its answer."""
        threading.Thread(target=self._send, args=([link_webhook(link)],), daemon=True).start()

    def _send(self, webhooks: list[Webhook]) -> list[Delivery]:
        return self._courier.send(webhook for webhook in webhooks if self._courier.can_sign(webhook))

    async def _list(self, _: Request) -> Response:
        return JSONResponse(
            [
                {
                    "gateway": link.gateway,
                    "account": link.account,
                    "reference": link.reference,
                    "status": link.status,
                    "paise": link.paise,
                    "paid_paise": link.paid_paise,
                }
                for link in self._book.all()
            ]
        )

    async def _pay(self, request: Request) -> Response:
        """A borrower pays; answers with the fate of each webhook."""
        try:
            asked = Paying.model_validate_json(await request.body())
            link = self._link(asked)
            payment = link_payment(link, asked.payment_id, **asked.given)
            link.take(payment, was_under_way=asked.was_under_way)
        except (ValidationError, LinkRuleError) as error:
            return _refused(error)
        self._payments[payment.payment_id] = payment
        webhooks = payment_webhooks(link, payment) if asked.deliver else []
        return await self._delivered(webhooks)

    async def _expire(self, request: Request) -> Response:
        try:
            asked = Named.model_validate_json(await request.body())
            link = self._link(asked)
            link.expire()
        except (ValidationError, LinkRuleError) as error:
            return _refused(error)
        return await self._delivered([link_webhook(link)] if asked.deliver else [])

    def _link(self, asked: Named) -> Link:
        link = self._book.get(asked.gateway, "", asked.reference)
        if link is None:
            raise LinkRuleError(f"{asked.gateway} has no link {asked.reference}")
        return link

    async def _delivered(self, webhooks: list[Webhook]) -> Response:
        deliveries = await run_in_threadpool(self._send, webhooks)
        return Response(_DELIVERIES.dump_json(deliveries), media_type="application/json")

    async def _rules(self, _: Request) -> Response:
        return JSONResponse([rule.model_dump(mode="json") for rule in self._weather.rules])

    async def _add_rule(self, request: Request) -> Response:
        try:
            self._weather.rules.append(Rule.model_validate_json(await request.body()))
        except ValidationError as error:
            return _refused(error)
        return await self._rules(request)

    async def _clear_rules(self, request: Request) -> Response:
        self._weather.rules.clear()
        return await self._rules(request)

    async def _set(self, request: Request) -> Response:
        try:
            self._weather.change(Settings.model_validate_json(await request.body()))
        except ValidationError as error:
            return _refused(error)
        return JSONResponse({"links_per_second": self._weather.links_per_second})

    async def _counters(self, _: Request) -> Response:
        return JSONResponse({"faults": dict(self._weather.struck), "answered": dict(self._weather.answered)})


def _refused(error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)
