"""The sweep: payments and refunds whose webhook never came, landed where the webhook would have.

Gateways stop sending after 42 minutes (Cashfree) or a day (Razorpay, which then switches the webhook off). So each
account is asked twice over: by time, in windows that overlap, and by name, for every order whose payment was last
heard of as open and every payment link that the gateway calls paid while no event told of the money. Refunds are
asked for by their own time, however old their payment, and a mandate that is known by its token only is asked for its
UMRN. What is missing lands in the same RAW tables with the verdict `swept`. Should the webhook come after all, the
two are one payment: its id decides, as for any two events.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from psycopg import sql

from turno_lms.domain.runs import RunContext
from turno_lms.fineract import exact_json
from turno_lms.gateways.api import GatewayApi, ListedPayment, ListedRefund
from turno_lms.gateways.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection, is_built

GRACE = timedelta(minutes=10)
"""A payment this young is left to its webhook."""
OVERLAP = timedelta(hours=2)
"""How far a window reaches back into the one before: lists lag by minutes, captures by more."""
WIDE = timedelta(days=5)
"""Once a day the window is this wide: a NACH debit is captured days after its payment was made."""
MOST_ORDERS = 500
"""Open orders, and open links, asked for in one sweep, the latest first."""
MOST_TOKENS = 500
"""Mandates asked for in one sweep."""
_BATCH = 500
_FAILED_REFUND = frozenset({"failed", "cancelled"})


@dataclass(frozen=True)
class SweepReport:
    """One account's sweep: collected payments that the gateway named, those that were missing, orders and links asked
    for, and the refunds and mandates that were missing.
    """

    gateway: str
    lender: str
    window_from: datetime
    window_until: datetime
    payments_seen: int
    payments_landed: int
    orders_asked: int
    refunds_landed: int
    tokens_landed: int

    @property
    def landed(self) -> int:
        """How many events landed."""
        return self.payments_landed + self.refunds_landed + self.tokens_landed

    def to_dict(self) -> dict[str, Any]:
        """As JSON for a log or an XCom."""
        window = {"window_from": self.window_from.isoformat(), "window_until": self.window_until.isoformat()}
        return asdict(self) | window | {"landed": self.landed}


def is_warehouse_built(conn: WarehouseConnection) -> bool:
    """Whether build_warehouse has run once: what is missing shows only beside what was read."""
    return is_built(conn, "base.base_gateway_payment")


def sweep(
    conn: WarehouseConnection,
    api: GatewayApi,
    gateway: str,
    lender: str,
    run: RunContext,
    *,
    now: datetime | None = None,
    since: datetime | None = None,
) -> SweepReport:
    """Ask one account and land what is missing; safe to run again, also while webhooks arrive.

    `since` asks for an earlier window than is due. `conn` must be in autocommit: each batch commits as it lands, and
    the window counts as swept only when all of it has been asked for. Raises GatewayError.
    """
    account = {"gateway": gateway, "lender": lender}
    until = (now or datetime.now(UTC)) - GRACE
    begin = min(filter(None, (since, _due_since(conn, account, until))))
    most = account | {"most": MOST_ORDERS}
    orders = [row["gateway_order_id"] for row in conn.execute(STATEMENTS["open_orders"], most)]
    links = [row["reference"] for row in conn.execute(STATEMENTS["open_links"], most)]
    seen = landed = 0
    collected = _collected(api, begin, until, orders, links)
    while batch := list(islice(collected, _BATCH)):
        seen += len(batch)
        landed += _land_missing(conn, api, account, batch)
    refunds = api.refunds(begin, until)
    refunds_landed = 0
    while refund_batch := list(islice(refunds, _BATCH)):
        refunds_landed += _land_missing_refunds(conn, api, account, refund_batch)
    tokens_landed = _land_tokens(conn, api, account) if gateway == "razorpay" else 0
    report = SweepReport(
        gateway, lender, begin, until, seen, landed, len(orders) + len(links), refunds_landed, tokens_landed
    )
    conn.execute(STATEMENTS["record_sweep"], vars(report) | {"run": run.label})
    return report


def _due_since(conn: WarehouseConnection, account: dict[str, str], until: datetime) -> datetime:
    """Where the window that is due begins."""
    known = conn.execute(STATEMENTS["last_sweep"], account | {"wide": WIDE, "until": until}).fetchone()
    last: datetime = (known or {}).get("window_until") or until
    is_wide_due = known is None or known["is_wide_due"]
    return min(last, until) - (WIDE if is_wide_due else OVERLAP)


def _collected(
    api: GatewayApi, since: datetime, until: datetime, orders: Iterable[str], links: Iterable[str]
) -> Iterator[ListedPayment]:
    """The collected payments of a window, of open orders and of open links, each once."""
    named: set[str] = set()

    def everything() -> Iterator[ListedPayment]:
        yield from api.payments(since, until)
        for order_id in orders:
            yield from api.payments_of_order(order_id)
        for reference in links:
            yield from api.payments_of_link(reference)

    for payment in everything():
        if payment.is_collected and payment.payment_id not in named:
            named.add(payment.payment_id)
            yield payment


def _land_missing(
    conn: WarehouseConnection, api: GatewayApi, account: dict[str, str], listed: Sequence[ListedPayment]
) -> int:
    """Land those of a batch that no event has told of, in the state they are in; returns how many."""
    gateway = account["gateway"]
    values = {
        "gateway": gateway,
        "payment_ids": [payment.payment_id for payment in listed],
        "refunded_paise": [payment.refunded_paise for payment in listed],
    }
    missing = {row["payment_id"] for row in conn.execute(STATEMENTS[f"missing_from_{gateway}"], values)}
    found = [payment for payment in listed if payment.payment_id in missing]
    # one row for each state that a payment was found in
    keys = (f"swept:{one.payment_id}:{one.state}:{one.refunded_paise}" for one in found)
    return _land(
        conn, account, [_row(account, *each) for each in zip(keys, map(api.envelope, found), strict=True)]
    )


def _land_missing_refunds(
    conn: WarehouseConnection, api: GatewayApi, account: dict[str, str], listed: Sequence[ListedRefund]
) -> int:
    """Land those of a batch of refunds that no event has told of; returns how many."""
    values = {
        "gateway": account["gateway"],
        "refund_ids": [refund.refund_id for refund in listed],
        "payment_ids": [refund.payment_id for refund in listed],
        "failed": [refund.state in _FAILED_REFUND for refund in listed],
    }
    event = sql.Identifier("base", f"base_{account['gateway']}_event")
    query = sql.SQL(STATEMENTS["missing_refunds"]).format(event=event)
    missing = {row["refund_id"] for row in conn.execute(query, values)}
    rows = [
        _row(account, f"swept:{refund.refund_id}:{refund.state}", api.refund_envelope(refund))
        for refund in listed
        if refund.refund_id in missing
    ]
    return _land(conn, account, rows)


def _land_tokens(conn: WarehouseConnection, api: GatewayApi, account: dict[str, str]) -> int:
    """Land what the gateway says of mandates that payments name by token only; those without a UMRN wait."""
    asked = conn.execute(STATEMENTS["open_tokens"], account | {"most": MOST_TOKENS}).fetchall()
    found = [api.token(row["customer_id"], row["token_id"]) for row in asked]
    rows = [
        _row(account, f"swept:{token['id']}:{token['mrn']}", _token_envelope(token))
        for token in found
        if token and token.get("mrn")
    ]
    return _land(conn, account, rows)


def _token_envelope(token: Mapping[str, Any]) -> dict[str, Any]:
    payload = {"token": {"entity": token}}
    return {"entity": "event", "event": "swept.token", "contains": ["token"], "payload": payload}


def _land(conn: WarehouseConnection, account: dict[str, str], rows: list[Row]) -> int:
    table = sql.Identifier("raw", f"raw_{account['gateway']}_api")
    statement = sql.SQL(STATEMENTS["land_swept"]).format(table=table)
    with conn.transaction():
        return sum(conn.execute(statement, row).rowcount for row in rows)


def _row(account: dict[str, str], event_key: str, envelope: dict[str, Any]) -> Row:
    body = exact_json.dumps(envelope)
    return {
        "lender": account["lender"],
        "event_key": event_key,  # no event id of a gateway holds a colon
        "body_sha256": hashlib.sha256(body.encode()).hexdigest(),
        "event_type": envelope.get("event") or envelope.get("type"),
        "body": body.encode(),
        "payload": body,
    }
