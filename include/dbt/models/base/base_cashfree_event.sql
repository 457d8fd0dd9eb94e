{{
    config(
        unique_key=["lender", "event_key", "body_sha256"],
        indexes=[
            {"columns": ["gateway_payment_reference"]},
            {"columns": ["loan_reference"]},
            {"columns": ["_txid"]},
            {"columns": ["_read_horizon"]},
        ],
    )
}}

with touched as (
    select
        landed.lender,
        landed.event_key,
        landed.body_sha256
    from {{ source('landing', 'raw_cashfree_api') }} as landed
    {% if is_incremental() %}
    where landed.{{ touched_since() }}
    union
    select
        landed.lender,
        landed.event_key,
        landed.body_sha256
    from {{ source('landing', 'raw_cashfree_api') }} as landed
    inner join ({{ changed_subjects(['lender']) }}) as changed on landed.lender = changed.subject
    union
    {{ replayed_events('cashfree') }}
    {% endif %}
),

event as (
    select
        landed.lender,
        landed.event_key,
        landed.body_sha256,
        landed.received_at,
        landed.payload,
        landed.payload ->> 'type' as event,
        landed.payload ->> 'event_time' as event_time,
        landed.payload -> 'data' as details,
        landed.payload #> '{data,payment}' as payment,
        -- three layouts: under refund, under auto_refund, and (subscriptions) flat
        coalesce(landed.payload #> '{data,refund}', landed.payload #> '{data,auto_refund}', landed.payload -> 'data')
            as refund,
        landed.payload #> '{data,dispute}' as dispute,
        landed.payload #> '{data,charges_details}' as charges,
        -- link events come flat (data.order) and nested (data.link.order)
        coalesce(landed.payload #> '{data,order}', landed.payload #> '{data,link,order}') as link_order
    from touched
    inner join {{ source('landing', 'raw_cashfree_api') }} as landed
        on
            touched.lender = landed.lender
            and touched.event_key = landed.event_key
            and touched.body_sha256 = landed.body_sha256
),

routed as (
    select
        event.*,
        case
            when event.event in (
                    'PAYMENT_SUCCESS_WEBHOOK', 'PAYMENT_FAILED_WEBHOOK', 'PAYMENT_USER_DROPPED_WEBHOOK', 'SWEPT_PAYMENT'
                )
                then 'payment'
            when event.event = 'PAYMENT_LINK_EVENT' and event.link_order ->> 'transaction_id' is not null then 'link'
            -- a mandate's registration (AUTH) is no collection
            when
                event.event in ('SUBSCRIPTION_PAYMENT_SUCCESS', 'SUBSCRIPTION_PAYMENT_FAILED', 'SUBSCRIPTION_PAYMENT_CANCELLED')
                and upper(event.details ->> 'payment_type') is distinct from 'AUTH'
                then 'subscription'
            when
                event.event in (
                    'REFUND_STATUS_WEBHOOK', 'AUTO_REFUND_STATUS_WEBHOOK', 'SUBSCRIPTION_REFUND_STATUS', 'SWEPT_REFUND'
                )
                then 'refund'
            when event.event like 'DISPUTE\_%' then 'dispute'
            -- repeats a payment to add its charges: no payment of its own
            when event.event = 'PAYMENT_CHARGES_WEBHOOK' then 'charges'
            else 'other'
        end as kind
    from event
),

stated as (
    select
        routed.*,
        case routed.kind
            when 'payment' then routed.payment ->> 'cf_payment_id'
            when 'link' then routed.link_order ->> 'transaction_id'
            when 'subscription' then routed.details ->> 'cf_payment_id'
            when 'refund' then routed.refund ->> 'cf_payment_id'
            when 'dispute' then routed.payload #>> '{data,order_details,cf_payment_id}'
            when 'charges' then routed.payment ->> 'cf_payment_id'
        end as payment_id,
        -- lost, or given up: CHARGEBACK_MERCHANT_LOST, PRE_ARBITRATION_MERCHANT_ACCEPTED, ...
        coalesce(
            routed.kind = 'dispute' and routed.dispute ->> 'dispute_status' ~ '_MERCHANT_(LOST|ACCEPTED)$', false
        ) as is_dispute_lost,
        -- authorization_details is camelCase in version 2023-08-01 and snake_case in 2025-01-01: rules are written for the latter
        case
            when routed.kind <> 'subscription' then routed.payload
            else
                jsonb_set(
                    routed.payload,
                    '{data,authorization_details}',
                    jsonb_strip_nulls(jsonb_build_object('authorization_reference', coalesce(
                        routed.details #>> '{authorization_details,authorization_reference}',
                        routed.details #>> '{authorization_details,authorizationReference}',
                        routed.details #>> '{authorizationDetails,authorizationReference}'
                    )))
                )
        end as named_in,
        -- what it says, not what it is called: a SUCCESS webhook may carry a PENDING payment
        case routed.kind
            when 'payment' then routed.payment ->> 'payment_status'
            when 'link' then routed.link_order ->> 'transaction_status'
            when 'subscription' then routed.details ->> 'payment_status'
        end as status_text,
        case routed.kind
            when 'payment'
                then
                    {{ rupees_of_text("(routed.payment ->> 'payment_amount')") }}
                    -- a surcharge the customer pays on top is the gateway's, not the loan's
                    - coalesce({{ rupees_of_text("(routed.payment #>> '{payment_surcharge,payment_surcharge_service_charge}')") }}, 0)
                    - coalesce({{ rupees_of_text("(routed.payment #>> '{payment_surcharge,payment_surcharge_service_tax}')") }}, 0)
            -- this payment's own amount; link_amount_paid is the sum so far
            when 'link' then {{ rupees_of_text("(routed.link_order ->> 'order_amount')") }}
            when 'subscription' then {{ rupees_of_text("(routed.details ->> 'payment_amount')") }}
        end as amount,
        case routed.kind
            when 'payment' then routed.payment ->> 'payment_time'
            when 'link' then routed.event_time
            when 'subscription' then coalesce(routed.details ->> 'payment_schedule_date', routed.event_time)
        end as time_text
    from routed
)

select
    stated.lender,
    stated.event_key,
    stated.body_sha256,
    stated.event,
    case when stated.kind in ('payment', 'link', 'subscription') then 'payment' else stated.kind end as event_role,
    'cashfree' as gateway,
    'cashfree:' || stated.payment_id as gateway_payment_reference,
    coalesce(stated.link_order ->> 'order_id', stated.details ->> 'cf_order_id') as gateway_order_id,
    case stated.status_text
        when 'SUCCESS' then 'captured'
        when 'PENDING' then 'authorized'
        when 'FAILED' then 'failed'
        when 'USER_DROPPED' then 'failed'
        when 'CANCELLED' then 'failed'
        when 'NOT_ATTEMPTED' then 'created'
    end as payment_status,
    stated.amount::numeric(18, 2) as amount,
    0::numeric(18, 2) as amount_refunded,
    -- only payment events name it; the other kinds exist in rupees alone
    coalesce(stated.payment ->> 'payment_currency', 'INR') as currency,
    -- the layout of charges is not settled: what cannot be read stays unknown
    case
        when stated.kind = 'charges'
            then
                {{ rupees_of_text("(stated.charges ->> 'service_charge')") }}
                + coalesce({{ rupees_of_text("(stated.charges ->> 'service_tax')") }}, 0)
    end::numeric(18, 2) as fee,
    case when stated.kind = 'charges' then {{ rupees_of_text("(stated.charges ->> 'service_tax')") }} end::numeric(18, 2)
        as tax,
    {{ moment_of_text('stated.time_text') }} as paid_at,
    -- a link event knows when it was sent, not when the payment was made
    case stated.kind when 'link' then 2 else 1 end::smallint as detail,
    {{ comparable_reference("(stated.payment ->> 'bank_reference')") }} as bank_reference,
    case when stated.kind = 'refund' then coalesce(stated.refund ->> 'cf_refund_id', stated.refund ->> 'refund_id') end
        as refund_id,
    case when stated.kind = 'refund' then {{ rupees_of_text("(stated.refund ->> 'refund_amount')") }} end::numeric(18, 2)
        as refund_amount,
    coalesce(stated.kind = 'refund' and stated.refund ->> 'refund_status' in ('CANCELLED', 'FAILED'), false)
        as is_refund_failed,
    stated.is_dispute_lost,
    case when stated.is_dispute_lost then {{ rupees_of_text("(stated.dispute ->> 'dispute_amount')") }} end::numeric(18, 2)
        as dispute_amount,
    named.reference as loan_reference,
    named.resolves as reference_resolves,
    named.precedence as reference_precedence,
    stated.received_at,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from stated
left join lateral (
    {{ named_reference('stated.named_in', 'cashfree', 'stated.lender') }}
) as named on stated.kind in ('payment', 'link', 'subscription')
