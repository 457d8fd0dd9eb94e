"""Links as webhooks tell of them: what has landed since the last reading, taken into the links it speaks of.

The reading starts from the transactions that were open at the last one (docs/decisions/0004), never from an event that
woke somebody; what it reads twice changes nothing the second time.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from turno_lms.domain.runs import RunContext
from turno_lms.payment_links.cashfree_links import cashfree_link
from turno_lms.payment_links.evidence import WEBHOOK, apply_evidence
from turno_lms.payment_links.links import GatewayLink
from turno_lms.payment_links.razorpay_links import razorpay_link
from turno_lms.payment_links.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

Parser = Callable[[dict[str, Any]], GatewayLink]


def link_of_razorpay(payload: dict[str, Any]) -> GatewayLink:
    """The link of a `payment_link.*` event, with the payment it tells of."""
    parts = payload["payload"]
    payment = (parts.get("payment") or {}).get("entity")
    return razorpay_link(parts["payment_link"]["entity"], [payment] if payment else [])


def link_of_cashfree(payload: dict[str, Any]) -> GatewayLink:
    """The link of a `PAYMENT_LINK_EVENT`, flat or nested, with the payment it tells of: this order, not the sum."""
    data = payload["data"]
    link = data.get("link") or data
    order = link.get("order") or data.get("order") or {}
    paid = {
        "cf_payment_id": order.get("transaction_id"),
        "payment_amount": order.get("order_amount"),
        "payment_status": order.get("transaction_status"),
    }
    return cashfree_link(link, [paid] if order.get("transaction_id") else [])


_PARSERS: dict[str, Parser] = {"razorpay": link_of_razorpay, "cashfree": link_of_cashfree}


def read_webhooks(conn: WarehouseConnection, run: RunContext) -> dict[str, int]:
    """Take in what landed since the last reading. `conn` is in autocommit; returns the links by the state they are in.

    An event that cannot be read stays in RAW and is counted as `unreadable`: polling comes to the same end.
    """
    states: Counter[str] = Counter()
    for gateway, parse in _PARSERS.items():
        # taken before the events: what commits meanwhile is read the next time
        row = conn.execute(STATEMENTS["read_horizon"]).fetchone()
        for event in conn.execute(STATEMENTS[f"landed_{gateway}"], {"gateway": gateway}).fetchall():
            states[_take(conn, parse, event["payload"], run)] += 1
        conn.execute(STATEMENTS["record_reading"], {"gateway": gateway, **(row or {})})
    return dict(states)


def _take(conn: WarehouseConnection, parse: Parser, payload: dict[str, Any], run: RunContext) -> str:
    try:
        link = parse(payload)
    except (KeyError, TypeError, ValueError):
        return "unreadable"
    with conn.transaction():
        return str(apply_evidence(conn, link, run, WEBHOOK) or "not_ours")
