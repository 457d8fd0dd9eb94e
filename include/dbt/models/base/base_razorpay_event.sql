{{
    config(
        unique_key=["lender", "event_key", "body_sha256"],
        indexes=[
            {"columns": ["gateway_payment_reference"]},
            {"columns": ["loan_reference"]},
            {"columns": ["token_id"]},
            {"columns": ["token_umrn"]},
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
    from {{ source('landing', 'raw_razorpay_api') }} as landed
    {% if is_incremental() %}
    where landed.{{ touched_since() }}
    union
    select
        landed.lender,
        landed.event_key,
        landed.body_sha256
    from {{ source('landing', 'raw_razorpay_api') }} as landed
    inner join ({{ changed_subjects(['lender']) }}) as changed on landed.lender = changed.subject
    union
    {{ replayed_events('razorpay') }}
    {% endif %}
),

event as (
    select
        landed.lender,
        landed.event_key,
        landed.body_sha256,
        landed.received_at,
        landed.payload,
        landed.payload ->> 'event' as event,
        landed.payload #> '{payload,payment,entity}' as payment,
        landed.payload #> '{payload,refund,entity}' as refund,
        landed.payload #> '{payload,dispute,entity}' as dispute,
        landed.payload #> '{payload,token,entity}' as token,
        landed.payload #>> '{payload,bank_transfer,entity,bank_reference}' as transfer_reference
    from touched
    inner join {{ source('landing', 'raw_razorpay_api') }} as landed
        on
            touched.lender = landed.lender
            and touched.event_key = landed.event_key
            and touched.body_sha256 = landed.body_sha256
),

routed as (
    select
        event.*,
        -- refund and dispute events carry the whole captured payment and are no payment: route by event, then by status
        case
            when event.event like 'refund.%' then 'refund'
            when event.event like 'payment.dispute.%' then 'dispute'
            when event.payment ->> 'id' is not null then 'payment'
            when event.token ->> 'id' is not null then 'token'
            else 'other'
        end as event_role
    from event
)

select
    routed.lender,
    routed.event_key,
    routed.body_sha256,
    routed.event,
    routed.event_role,
    'razorpay' as gateway,
    'razorpay:'
    || coalesce(routed.payment ->> 'id', routed.refund ->> 'payment_id', routed.dispute ->> 'payment_id')
        as gateway_payment_reference,
    routed.payment ->> 'order_id' as gateway_order_id,
    case
        when routed.payment ->> 'status' in ('created', 'authorized', 'failed', 'captured', 'refunded')
            then routed.payment ->> 'status'
    end as payment_status,
    -- the API and its webhooks speak paise; Razorpay's downloaded reports speak rupees
    {{ rupees_of_paise("(routed.payment ->> 'amount')") }}::numeric(18, 2) as amount,
    coalesce({{ rupees_of_paise("(routed.payment ->> 'amount_refunded')") }}, 0)::numeric(18, 2) as amount_refunded,
    routed.payment ->> 'currency' as currency,
    -- what Razorpay keeps; the fee includes the tax on it
    {{ rupees_of_paise("(routed.payment ->> 'fee')") }}::numeric(18, 2) as fee,
    {{ rupees_of_paise("(routed.payment ->> 'tax')") }}::numeric(18, 2) as tax,
    -- the payment's own time: the envelope's may be that of the link
    {{ moment_of_epoch("(routed.payment ->> 'created_at')") }} as paid_at,
    1::smallint as detail,
    {{ comparable_reference("coalesce(
        routed.payment #>> '{acquirer_data,rrn}',
        routed.payment #>> '{acquirer_data,bank_transaction_id}',
        routed.transfer_reference
    )") }} as bank_reference,
    routed.refund ->> 'id' as refund_id,
    {{ rupees_of_paise("(routed.refund ->> 'amount')") }}::numeric(18, 2) as refund_amount,
    coalesce(routed.refund ->> 'status' = 'failed' or routed.event = 'refund.failed', false) as is_refund_failed,
    coalesce(routed.event = 'payment.dispute.lost', false) as is_dispute_lost,
    case
        when routed.event = 'payment.dispute.lost'
            then
                coalesce(
                    nullif({{ rupees_of_paise("(routed.dispute ->> 'amount_deducted')") }}, 0),
                    {{ rupees_of_paise("(routed.dispute ->> 'amount')") }}
                )
    end::numeric(18, 2) as dispute_amount,
    case when routed.event_role = 'token' then routed.token ->> 'id' end as token_id,
    case
        when
            routed.event_role = 'token'
            and upper(regexp_replace(routed.token ->> 'mrn', '\s', '', 'g')) ~ '^[A-Z0-9]{1,20}$'
            then upper(regexp_replace(routed.token ->> 'mrn', '\s', '', 'g'))
    end as token_umrn,
    named.reference as loan_reference,
    named.resolves as reference_resolves,
    named.precedence as reference_precedence,
    routed.received_at,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from routed
left join lateral (
    {{ named_reference('routed.payload', 'razorpay', 'routed.lender') }}
) as named on routed.event_role = 'payment'
