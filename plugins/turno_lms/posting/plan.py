"""Plan: the loans that have something to post, cut into chunks of about equal work. A loan is never cut in two."""

from collections import defaultdict
from heapq import heapify, heapreplace

from turno_lms.warehouse.connection import WarehouseConnection

_DUE = """
select pending.loan_id, count(*) as intents
from core.core_fineract_pending_transactions as pending
where
    pending.state <> 'in_doubt'
    and pending.next_try_at <= clock_timestamp()
    and (
        pending.state in ('in_flight', 'unknown')
        or core.posting_switch(pending.lender, pending.channel) <> 'stopped'
    )
group by pending.loan_id
order by intents desc, pending.loan_id
"""


def plan_chunks(conn: WarehouseConnection, most: int) -> list[list[str]]:
    """At most `most` lists of loan ids with due intents: the busiest loans first, each to the emptiest chunk."""
    loans = conn.execute(_DUE).fetchall()
    filling = [(0, number) for number in range(min(most, len(loans)))]
    heapify(filling)
    chunks: dict[int, list[str]] = defaultdict(list)
    for row in loans:
        intents, number = filling[0]
        chunks[number].append(row["loan_id"])
        heapreplace(filling, (intents + row["intents"], number))
    return [chunks[number] for number in sorted(chunks)]
