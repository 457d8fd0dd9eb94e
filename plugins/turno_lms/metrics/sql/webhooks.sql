-- Webhooks stored and not yet taken up by build_warehouse, among the last 5,000 of each gateway; and when the last came.
with stored as (
    (
        select
            'razorpay' as gateway,
            event.lender,
            event.received_at,
            exists (
                select from base.base_razorpay_event as built
                where built.lender = event.lender and built.event_key = event.event_key
            ) as is_built
        from raw.raw_razorpay_api as event
        where event.verdict <> 'swept'
        order by event._txid desc
        limit 5000
    )
    union all
    (
        select
            'cashfree' as gateway,
            event.lender,
            event.received_at,
            exists (
                select from base.base_cashfree_event as built
                where built.lender = event.lender and built.event_key = event.event_key
            ) as is_built
        from raw.raw_cashfree_api as event
        where event.verdict <> 'swept'
        order by event._txid desc
        limit 5000
    )
)

select
    stored.gateway,
    stored.lender,
    coalesce(extract(epoch from now() - min(stored.received_at) filter (where not stored.is_built)), 0) as lag_seconds,
    extract(epoch from max(stored.received_at)) as last_at
from stored
group by stored.gateway, stored.lender
