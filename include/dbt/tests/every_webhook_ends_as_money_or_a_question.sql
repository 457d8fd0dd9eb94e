-- Conservation of webhooks over all of history: every event that landed was read, and every payment that an event calls
-- collected is a sighting. What became of the sighting: every_sighting_has_an_identity_or_a_question. Reads everything,
-- therefore with the daily reconciliation.
-- depends_on: {{ ref('core_recon_side') }}
with built as (
    select
        (select max(event._read_horizon) from {{ ref('base_razorpay_event') }} as event) as razorpay,
        (select max(event._read_horizon) from {{ ref('base_cashfree_event') }} as event) as cashfree,
        (select max(payment._read_horizon) from {{ ref('base_gateway_payment') }} as payment) as payment,
        (select max(sighting._read_horizon) from {{ ref('core_payment_sighting') }} as sighting) as sighting
),

unread as (
    {% for gateway, event in [('razorpay', ref('base_razorpay_event')), ('cashfree', ref('base_cashfree_event'))] -%}
    select
        '{{ gateway }}' as gateway,
        landed.event_key as subject,
        'landed and not read' as fault
    from {{ source('landing', 'raw_' ~ gateway ~ '_api') }} as landed
    cross join built
    left join {{ event }} as event
        on
            landed.lender = event.lender
            and landed.event_key = event.event_key
            and landed.body_sha256 = event.body_sha256
    where landed._txid < built.{{ gateway }} and event.event_key is null
    {{ "union all" if not loop.last }}
    {% endfor %}
),

collected as (
    {% for event in [ref('base_razorpay_event'), ref('base_cashfree_event')] -%}
    select event.gateway, event.gateway_payment_reference
    from {{ event }} as event
    cross join built
    where
        event._txid < built.payment
        and event.event_role = 'payment'
        and event.payment_status in ('captured', 'refunded')
        -- a mandate's registration is reported as a captured payment of nothing
        and coalesce(event.amount, 1) > 0
    {{ "union" if not loop.last }}
    {% endfor %}
)

select * from unread
union all
select
    collected.gateway,
    collected.gateway_payment_reference as subject,
    'collected and no collection among the payments' as fault
from collected
left join {{ ref('base_gateway_payment') }} as payment
    on collected.gateway_payment_reference = payment.gateway_payment_reference and payment.is_collection
where payment.gateway_payment_reference is null
union all
select
    payment.gateway,
    payment.gateway_payment_reference as subject,
    'collected and not sighted' as fault
from {{ ref('base_gateway_payment') }} as payment
cross join built
left join {{ ref('core_payment_sighting') }} as sighting
    on payment.gateway_payment_reference = sighting.native_reference
where payment._txid < built.sighting and payment.is_collection and sighting.native_reference is null
