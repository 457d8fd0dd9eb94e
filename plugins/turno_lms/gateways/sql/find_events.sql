select
    {gateway} as gateway,
    landed.lender,
    landed.event_key,
    landed.body_sha256,
    landed.event_type,
    landed.stale,
    landed.conflicting,
    landed.received_at
from {table} as landed
where {conditions}
order by landed.received_at desc, landed.lender, landed.event_key, landed.body_sha256
limit %(most)s
