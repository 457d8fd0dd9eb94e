-- Payments that no event has told of as collected. What landed since the last build is looked up where it landed.
with built as (
    select coalesce(max(event._read_horizon), 0) as read_horizon from base.base_cashfree_event as event
)

select listed.payment_id
from unnest(%(payment_ids)s::text[]) as listed (payment_id)
where
    not exists (
        select 1 from base.base_gateway_payment as told
        where
            told.gateway_payment_reference = %(gateway)s || ':' || listed.payment_id
            and told.payment_status in ('captured', 'partially_refunded', 'refunded', 'charged_back')
    )
    and not exists (
        select 1 from raw.raw_cashfree_api as landed
        where
            landed._txid >= (select built.read_horizon from built)
            and landed.payload #>> '{data,payment,cf_payment_id}' = listed.payment_id
            and landed.payload #>> '{data,payment,payment_status}' = 'SUCCESS'
    )
