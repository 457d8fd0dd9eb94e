"""The gateways' own APIs as far as the sweep asks them: payments by time and by order, refunds, and mandates by token.

Both clients answer in the same terms. What lands is the gateway's own answer in an envelope that looks like its
webhook, so that one set of rules reads both. Nothing here writes to a gateway.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any, Protocol

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from turno_lms.domain.dates import IST
from turno_lms.fineract import exact_json

CONNECT_SECONDS, READ_SECONDS = 5, 20
PAGE = 100
"""Payments asked for at once: Razorpay's most."""
SETTLEMENT_PAGE = 1000
"""Lines of settlements asked for at once: Razorpay's most."""
_ORDERS_KEPT = 1000
_REFUSED = 400


class GatewayError(RuntimeError):
    """A gateway did not answer as documented; the message says which, what was asked and the status."""


@dataclass(frozen=True)
class ListedPayment:
    """A payment as the gateway's API has it. `refunded_paise`: what went back, zero where the API does not say."""

    payment_id: str
    order_id: str | None
    is_collected: bool
    state: str
    refunded_paise: int
    entity: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class ListedRefund:
    """A refund as the gateway's API has it, of the payment `payment_id`."""

    refund_id: str
    payment_id: str
    state: str
    entity: Mapping[str, Any] = field(repr=False)


class GatewayApi(Protocol):
    """What the sweep needs of a gateway."""

    def payments(self, since: datetime, until: datetime) -> Iterator[ListedPayment]:
        """Every payment made in the window; raises GatewayError."""

    def payments_of_order(self, order_id: str) -> Iterator[ListedPayment]:
        """Every payment of an order; none where the gateway does not know it. Raises GatewayError."""

    def payments_of_link(self, reference: str) -> Iterator[ListedPayment]:
        """Every payment made through a payment link; none where the gateway has no such link. Raises GatewayError."""

    def refunds(self, since: datetime, until: datetime) -> Iterator[ListedRefund]:
        """Every refund made in the window, however old its payment; raises GatewayError."""

    def envelope(self, payment: ListedPayment) -> dict[str, Any]:
        """The payment with what names its loan, in the form of the gateway's webhooks; raises GatewayError."""

    def refund_envelope(self, refund: ListedRefund) -> dict[str, Any]:
        """The refund in the form of the gateway's webhooks."""

    def token(self, customer_id: str, token_id: str) -> Mapping[str, Any] | None:
        """A mandate by the gateway's name for it, None where it knows none. Raises GatewayError."""

    def settled_on(self, day: date) -> Iterator[dict[str, Any]]:
        """The lines of the settlements of a day (IST), as the gateway has them; raises GatewayError."""


class _Http:
    """Calls with retries of what may be repeated; each of the calls here only reads."""

    def __init__(self, name: str, base_url: str, session: requests.Session) -> None:
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._session = session
        again = Retry(
            total=4,
            backoff_factor=1,
            backoff_jitter=1,
            status_forcelist=(429, 502, 503, 504),
            allowed_methods=None,
        )
        session.mount(self._base_url, HTTPAdapter(max_retries=again))

    def ask(self, method: str, path: str, *, may_be_unknown: bool = False, **arguments: Any) -> Any:
        """The answer's JSON with exact numbers; None for 400 and 404 where that says that there is no such thing."""
        where = f"{self._name}: {method} {path}"
        try:
            answer = self._session.request(
                method, f"{self._base_url}{path}", timeout=(CONNECT_SECONDS, READ_SECONDS), **arguments
            )
        except requests.RequestException as error:
            raise GatewayError(f"{where}: {type(error).__name__}") from error
        if may_be_unknown and answer.status_code in {_REFUSED, 404}:
            return None
        if not answer.ok:
            raise GatewayError(f"{where}: {answer.status_code} {answer.text[:200]}")
        try:
            return exact_json.loads(answer.text)
        except ValueError as error:
            raise GatewayError(f"{where}: the answer is no JSON") from error


class RazorpayApi:
    """Razorpay, with a key's id and secret. Amounts are paise."""

    def __init__(self, base_url: str, key_id: str, key_secret: str) -> None:
        session = requests.Session()
        session.trust_env = False  # or a .netrc would replace the login
        session.auth = (key_id, key_secret)
        self._http = _Http("razorpay", base_url, session)
        self._order = cache(self._fetch_order)

    def payments(self, since: datetime, until: datetime) -> Iterator[ListedPayment]:
        """By the time of their creation."""
        yield from map(_razorpay_payment, self._listed("/v1/payments", since, until))

    def refunds(self, since: datetime, until: datetime) -> Iterator[ListedRefund]:
        """By the time of their own creation."""
        for entity in self._listed("/v1/refunds", since, until):
            yield ListedRefund(entity["id"], entity["payment_id"], entity["status"], entity)

    def _listed(self, path: str, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """A list, a page after the other."""
        window = {"from": int(since.timestamp()), "to": int(until.timestamp()), "count": PAGE}
        skip = 0
        while items := self._http.ask("GET", path, params={**window, "skip": skip})["items"]:
            yield from items
            skip += len(items)

    def payments_of_order(self, order_id: str) -> Iterator[ListedPayment]:
        """Fresh where the list may lag by minutes."""
        found = self._http.ask("GET", f"/v1/orders/{order_id}/payments", may_be_unknown=True)
        yield from map(_razorpay_payment, found["items"] if found else [])

    def payments_of_link(self, reference: str) -> Iterator[ListedPayment]:
        """The link names its payments, which are then asked for one by one."""
        found = self._http.ask("GET", "/v1/payment_links", params={"reference_id": reference})
        for link in found["payment_links"]:
            for part in link.get("payments") or []:
                yield _razorpay_payment(self._http.ask("GET", f"/v1/payments/{part['payment_id']}"))

    def envelope(self, payment: ListedPayment) -> dict[str, Any]:
        """With its order, whose receipt may name the loan, and the payment link it was made through."""
        payload: dict[str, Any] = {"payment": {"entity": payment.entity}}
        if order := self._order(payment.order_id) if payment.order_id else None:
            payload["order"] = {"entity": order}
        # a link's payment has the link's id, without its prefix, as its description
        description = payment.entity.get("description") or ""
        if description.startswith("#"):
            path = f"/v1/payment_links/plink_{description[1:]}"
            if link := self._http.ask("GET", path, may_be_unknown=True):
                payload["payment_link"] = {"entity": link}
        return {"entity": "event", "event": "swept.payment", "contains": list(payload), "payload": payload}

    def refund_envelope(self, refund: ListedRefund) -> dict[str, Any]:
        """As an event of its own name, which no webhook has."""
        payload = {"refund": {"entity": refund.entity}}
        return {"entity": "event", "event": "refund.swept", "contains": ["refund"], "payload": payload}

    def token(self, customer_id: str, token_id: str) -> Mapping[str, Any] | None:
        """The token with its `mrn`, the UMRN, once the bank has given one."""
        path = f"/v1/customers/{customer_id}/tokens/{token_id}"
        found: Mapping[str, Any] | None = self._http.ask("GET", path, may_be_unknown=True)
        return found

    def settled_on(self, day: date) -> Iterator[dict[str, Any]]:
        """Payments, refunds and adjustments with fee, tax and UTR; amounts in paise."""
        asked = {"year": day.year, "month": f"{day:%m}", "day": f"{day:%d}", "count": SETTLEMENT_PAGE}
        skip = 0
        while items := self._http.ask(
            "GET", "/v1/settlements/recon/combined", params={**asked, "skip": skip}
        )["items"]:
            yield from items
            skip += len(items)
            if len(items) < SETTLEMENT_PAGE:
                return

    def _fetch_order(self, order_id: str) -> Any:
        return self._http.ask("GET", f"/v1/orders/{order_id}", may_be_unknown=True)


def _razorpay_payment(entity: dict[str, Any]) -> ListedPayment:
    return ListedPayment(
        payment_id=entity["id"],
        order_id=entity.get("order_id"),
        is_collected=entity["status"] in {"captured", "refunded"},
        state=entity["status"],
        refunded_paise=int(entity.get("amount_refunded") or 0),
        entity=entity,
    )


class CashfreeApi:
    """Cashfree, with a client's id and secret. Amounts are rupees."""

    VERSION = "2025-01-01"

    def __init__(self, base_url: str, client_id: str, client_secret: str) -> None:
        session = requests.Session()
        session.trust_env = False
        session.headers.update(
            {
                "x-client-id": client_id,
                "x-client-secret": client_secret,
                "x-api-version": self.VERSION,
            }
        )
        self._http = _Http("cashfree", base_url, session)
        self._order = cache(self._fetch_order)

    def payments(self, since: datetime, until: datetime) -> Iterator[ListedPayment]:
        """Cashfree lists events by time; the payments themselves are asked for order by order."""
        for order_id in self._orders_with("PAYMENT", since, until):
            yield from self.payments_of_order(order_id)

    def refunds(self, since: datetime, until: datetime) -> Iterator[ListedRefund]:
        """The same way round: by the events of refunds, and then order by order."""
        for order_id in self._orders_with("REFUND", since, until):
            found = self._http.ask("GET", f"/pg/orders/{order_id}/refunds", may_be_unknown=True)
            for entity in found or []:
                yield ListedRefund(
                    refund_id=str(entity["cf_refund_id"]),
                    payment_id=str(entity["cf_payment_id"]),
                    state=entity["refund_status"].lower(),
                    entity=entity,
                )

    def _orders_with(self, event_type: str, since: datetime, until: datetime) -> Iterator[str]:
        """The orders of all events of a type in a window, each once."""
        asked: set[str] = set()
        cursor: str | None = None
        window = {
            name: moment.astimezone(IST).isoformat(timespec="seconds")
            for name, moment in (("start_date", since), ("end_date", until))
        }
        while True:
            body = {"pagination": {"limit": PAGE, "cursor": cursor}, "filters": window}
            found = self._http.ask("POST", "/pg/recon", json=body)
            orders = [event["order_id"] for event in found["data"] if event["event_type"] == event_type]
            for order_id in dict.fromkeys(orders):
                if order_id not in asked:
                    asked.add(order_id)
                    yield order_id
            cursor = found.get("cursor")
            if not cursor:
                return

    def payments_of_order(self, order_id: str) -> Iterator[ListedPayment]:
        """Every attempt at an order."""
        found = self._http.ask("GET", f"/pg/orders/{order_id}/payments", may_be_unknown=True)
        yield from map(_cashfree_payment, found or [])

    def payments_of_link(self, reference: str) -> Iterator[ListedPayment]:
        """By the orders of the link: each try to pay it is one."""
        orders = self._http.ask("GET", f"/pg/links/{reference}/orders", may_be_unknown=True)
        for order in orders or []:
            yield from self.payments_of_order(order["order_id"])

    def envelope(self, payment: ListedPayment) -> dict[str, Any]:
        """With its order, whose id and tags may name the loan."""
        order = self._order(payment.order_id) or {"order_id": payment.order_id}
        return {"type": "SWEPT_PAYMENT", "data": {"order": order, "payment": payment.entity}}

    def refund_envelope(self, refund: ListedRefund) -> dict[str, Any]:
        """As an event of its own type, which no webhook has."""
        return {"type": "SWEPT_REFUND", "data": {"refund": refund.entity}}

    def token(self, customer_id: str, token_id: str) -> Mapping[str, Any] | None:  # noqa: ARG002  # as the protocol
        """Cashfree's webhooks name the UMRN themselves."""
        return None

    def settled_on(self, day: date) -> Iterator[dict[str, Any]]:
        """Events of settlements with service charge, tax and UTR; amounts in rupees."""
        first = datetime.combine(day, time(), tzinfo=IST)
        window = {
            "start_date": first.isoformat(),
            "end_date": (first + timedelta(days=1, seconds=-1)).isoformat(),
        }
        cursor: str | None = None
        while True:
            body = {"pagination": {"limit": PAGE, "cursor": cursor}, "filters": window}
            found = self._http.ask("POST", "/pg/settlement/recon", json=body)
            yield from found["data"]
            cursor = found.get("cursor")
            if not cursor:
                return

    def _fetch_order(self, order_id: str) -> Any:
        return self._http.ask("GET", f"/pg/orders/{order_id}", may_be_unknown=True)


def _cashfree_payment(entity: dict[str, Any]) -> ListedPayment:
    return ListedPayment(
        payment_id=str(entity["cf_payment_id"]),
        order_id=entity.get("order_id"),
        is_collected=entity["payment_status"] == "SUCCESS",
        state=entity["payment_status"].lower(),
        refunded_paise=0,
        entity=entity,
    )
