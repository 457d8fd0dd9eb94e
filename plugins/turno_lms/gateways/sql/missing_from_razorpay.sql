-- Payments that no event has told of as collected, or of whose refunds less was told than the gateway says. What landed
-- since the last build is looked up where it landed.
with listed as (
    select
        given.payment_id,
        given.refunded_paise
    from unnest(%(payment_ids)s::text[], %(refunded_paise)s::bigint[]) as given (payment_id, refunded_paise)
),

built as (
    select coalesce(max(event._read_horizon), 0) as read_horizon from base.base_razorpay_event as event
)

select listed.payment_id
from listed
where
    not exists (
        select 1 from base.base_gateway_payment as told
        where
            told.gateway_payment_reference = %(gateway)s || ':' || listed.payment_id
            and told.payment_status in ('captured', 'partially_refunded', 'refunded', 'charged_back')
            and told.amount_refunded * 100 >= listed.refunded_paise
    )
    and not exists (
        select 1 from raw.raw_razorpay_api as landed
        where
            landed._txid >= (select built.read_horizon from built)
            and landed.payload #>> '{payload,payment,entity,id}' = listed.payment_id
            and landed.payload #>> '{payload,payment,entity,status}' in ('captured', 'refunded')
            and coalesce(landed.payload #> '{payload,payment,entity,amount_refunded}', '0') >= to_jsonb(listed.refunded_paise)
    )
