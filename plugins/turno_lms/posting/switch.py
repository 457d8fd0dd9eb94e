"""The switch: stop or drain posting, per lender and channel. Claim asks it, and so does the last look before sending.

`stopped` is the kill switch: nothing new is claimed or sent, while what may have been sent is still read back.
`draining` claims nothing new and posts what is in the queue.
"""

from turno_lms.domain.states import SwitchState
from turno_lms.warehouse.connection import Row, WarehouseConnection

ALL = "*"
_SET = """
insert into core.core_posting_switch (lender, channel, state, reason, set_by) values (%s, %s, %s, %s, %s)
"""
_CHANNELS = "select lender, channel from core.core_lender_stream where is_posting_channel"
_STANDING = "select * from core.core_posting_switch_standing where state <> 'open' order by lender, channel"


class SwitchError(ValueError):
    """A lender or channel that posts nothing, or no reason; nothing was changed."""


def set_switch(
    conn: WarehouseConnection, lender: str, channel: str, state: SwitchState, *, reason: str, actor: str
) -> None:
    """Set the switch of a lender's channel; `*` stands for every one. It holds from the next statement on.

    To open a lender again, open the same pair that was closed: `*` and a name are different switches.
    """
    if not reason.strip():
        raise SwitchError("stopping or opening posting needs a reason")
    known = [(row["lender"], row["channel"]) for row in conn.execute(_CHANNELS)]
    if not any(lender in {one, ALL} and channel in {other, ALL} for one, other in known):
        posting = ", ".join(f"{one} {other}" for one, other in sorted(known)) or "none"
        raise SwitchError(f"{lender} {channel} posts nothing; what posts: {posting}")
    conn.execute(_SET, (lender, channel, state, reason.strip(), actor))


def closed_switches(conn: WarehouseConnection) -> list[Row]:
    """Every switch that is not open."""
    return conn.execute(_STANDING).fetchall()
