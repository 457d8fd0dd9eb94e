"""Links that a person wants cancelled: said here, done at the gateway by the refresh, which looks for money first."""

from collections.abc import Sequence

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LinkState
from turno_lms.payment_links.evidence import change_state
from turno_lms.payment_links.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

MOST_AT_ONCE = 1000
"""Links that one request may cancel."""
_NEXT = {
    LinkState.PLANNED: LinkState.WITHDRAWN,
    LinkState.OPEN: LinkState.CANCELLING,
    LinkState.PARTLY_PAID: LinkState.CANCELLING,
}


class CancelError(ValueError):
    """Links that may not be cancelled; the message names the first one and why. Nothing was done."""


def request_cancel(
    conn: WarehouseConnection, link_ids: Sequence[int], reason: str, run: RunContext, *, requote: bool
) -> int:
    """Have links cancelled, all or none; returns how many. With `requote` a link for what is due then takes the place.

    One that was not sent yet is withdrawn. A payment that comes first makes it paid, and nothing is cancelled. Raises
    CancelError for a link that has ended or is being sent, and without a reason.
    """
    wanted = sorted(set(link_ids))
    if not reason.strip():
        raise CancelError("say why: it is kept with the links")
    if not wanted or len(wanted) > MOST_AT_ONCE:
        raise CancelError(f"name 1 to {MOST_AT_ONCE} links, not {len(wanted)}")
    with conn.transaction():
        rows = conn.execute(STATEMENTS["lock_links"], {"ids": wanted}).fetchall()
        if missing := sorted(set(wanted) - {row["link_id"] for row in rows}):
            raise CancelError(f"there is no link {missing[0]}")
        for row in rows:
            new = _NEXT.get(LinkState(row["state"]))
            if new is None:
                raise CancelError(f"link {row['reference']} is {row['state']}: it cannot be cancelled")
            change_state(conn, row, new, run, f"cancelled by {run.actor}: {reason.strip()}")
            if requote:
                at = {"link_id": row["link_id"], "at": row["looked_at"]}
                conn.execute(STATEMENTS["mark_for_requote"], at)
    return len(rows)
