"""What a gateway says about a link, taken into its row: the one way for webhooks, polling and answers to our own calls.

Said twice, or in another order, it comes to the same. Money is recorded whatever the link's state: a payment that
arrives on a link being cancelled, or one that has ended, is a payment.
"""

from collections.abc import Iterable

from psycopg.types.json import Json

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LIVE_LINK_STATES, LinkState, advance
from turno_lms.fineract import exact_json
from turno_lms.payment_links.http import LinkCall
from turno_lms.payment_links.links import GatewayLink, GatewayStatus
from turno_lms.payment_links.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection

WEBHOOK, POLL = "webhook", "poll"
_SAYS = {
    GatewayStatus.PARTLY_PAID: LinkState.PARTLY_PAID,
    GatewayStatus.PAID: LinkState.PAID,
    GatewayStatus.EXPIRED: LinkState.EXPIRED,
    GatewayStatus.CANCELLED: LinkState.CANCELLED,
}
_AT_THE_GATEWAY = frozenset({LinkState.SENDING, LinkState.OPEN, LinkState.PARTLY_PAID, LinkState.CANCELLING})
_LATE_MONEY = frozenset({LinkState.EXPIRED, LinkState.CANCELLED})


def next_state(current: LinkState, seen: GatewayStatus) -> LinkState:
    """The state of a link after its gateway was heard; the same one where that is old news.

    An active link says something new only about one whose creation was in doubt: one that is being cancelled may have
    been asked about before the cancellation.
    """
    if seen is GatewayStatus.ACTIVE:
        return LinkState.OPEN if current is LinkState.SENDING else current
    told = _SAYS[seen]
    if current in _AT_THE_GATEWAY or (current in _LATE_MONEY and told is LinkState.PAID):
        return told
    return current


def apply_evidence(
    conn: WarehouseConnection, seen: GatewayLink, run: RunContext, told_by: str
) -> LinkState | None:
    """Take what a gateway says about one link into its row, in the caller's transaction.

    Returns the state the link is in then, None for a reference that is not ours.
    """
    row = conn.execute(STATEMENTS["lock_link"], {"reference": seen.reference}).fetchone()
    if row is None:
        return None
    current = LinkState(row["state"])
    new = next_state(current, seen.status)
    if current in {LinkState.PLANNED, LinkState.FAILED, LinkState.WITHDRAWN}:
        return current
    for payment in seen.payments:
        values = {"link_id": row["link_id"], "told_by": told_by, "run": run.label, **vars(payment)}
        conn.execute(STATEMENTS["record_payment"], values)
    is_late = current in _LATE_MONEY and seen.amount_paid > row["amount_paid"]
    conn.execute(
        STATEMENTS["take_evidence"],
        {
            "link_id": row["link_id"],
            "state": new if new is current else advance(current, new),
            "is_ended": new not in LIVE_LINK_STATES,
            "gateway_link_id": seen.gateway_link_id,
            "short_url": seen.short_url,
            # what was created is what can be paid, whatever was meant to be
            "amount": seen.amount if current is LinkState.SENDING else row["amount"],
            "amount_paid": max(seen.amount_paid, row["amount_paid"]),
            "is_late": is_late,
            "run": run.label,
        },
    )
    return new


def change_state(
    conn: WarehouseConnection, row: Row, new: LinkState, run: RunContext, reason: str | None = None
) -> None:
    """A change that is our own decision, in the caller's transaction. Raises IllegalTransitionError."""
    values = {
        "link_id": row["link_id"],
        "from_state": row["state"],
        "state": advance(LinkState(row["state"]), new),
        "is_ended": new not in LIVE_LINK_STATES,
        "reason": reason,
        "run": run.label,
    }
    conn.execute(STATEMENTS["change_state"], values)


def write_calls(conn: WarehouseConnection, row: Row, calls: Iterable[LinkCall], run: RunContext) -> None:
    """Keep attempts at the gateway, in the transaction of what they led to."""
    for call in calls:
        values = {
            **vars(call),
            "request": Json(call.request, exact_json.dumps) if call.request is not None else None,
            "response": Json(call.response, exact_json.dumps) if call.response is not None else None,
            "reference": row["reference"],
            "gateway": row["gateway"],
            "run": run.label,
        }
        conn.execute(STATEMENTS["write_call"], values)
