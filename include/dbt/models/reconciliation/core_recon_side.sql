{{
    config(
        materialized="table",
        tags=["reconciliation_exact"],
        indexes=[
            {"columns": ["posting_key"]},
            {"columns": ["native_reference"]},
            {"columns": ["loan_id"]},
        ],
    )
}}

-- the daily count of accepted rows against sightings runs with this model
-- depends_on: {{ ref('base_payment_file') }}
with waiting as (
    select payment.posting_key
    from {{ ref('core_transaction_data') }} as payment
    where payment.reconciliation_status not in ('not_applicable', 'matched', 'missing_in_fineract')
),

member as (
    select
        waiting.posting_key,
        identity.native_reference,
        identity.is_posting_channel
    from waiting
    inner join {{ source('state', 'core_payment_identity') }} as identity on waiting.posting_key = identity.posting_key
    union all
    select
        waiting.posting_key,
        identity.native_reference,
        identity.is_posting_channel
    from waiting
    inner join {{ source('state', 'core_payment_decision') }} as decision on waiting.posting_key = decision.linked_posting_key
    inner join {{ source('state', 'core_payment_identity') }} as identity on decision.posting_key = identity.posting_key
),

two_sided as (
    select
        channel.lender,
        channel.stream
    from {{ source('state', 'core_lender_stream') }} as channel
    group by channel.lender, channel.stream
    having bool_or(channel.channel like 'file:%') and bool_or(channel.channel not like 'file:%')
)

select
    member.native_reference,
    member.posting_key,
    case when sighting.channel like 'file:%' then 'file' else 'gateway' end as side,
    sighting.lender,
    sighting.stream,
    sighting.loan_id,
    sighting.business_date,
    sighting.amount,
    sighting.recon_match_key,
    sighting.gateway_payment_reference,
    sighting.bank_reference,
    -- the transfer that settled it: named by the file, or by the gateway's settlement report
    coalesce(file_row.settlement_reference, {{ comparable_reference('settled.settlement_utr') }}) as settlement_reference,
    -- what was kept of it on the way, GST included
    coalesce(file_row.charge, settled.fee, payment.fee)::numeric(18, 2) as charge,
    sighting.umrn,
    member.is_posting_channel,
    sighting.seen_at
from member
inner join {{ ref('core_payment_sighting') }} as sighting on member.native_reference = sighting.native_reference
inner join two_sided on sighting.lender = two_sided.lender and sighting.stream = two_sided.stream
left join {{ ref('base_payment_file') }} as file_row on member.native_reference = file_row.native_reference
left join {{ ref('base_gateway_payment') }} as payment on member.native_reference = payment.gateway_payment_reference
left join lateral (
    select
        max(line.settlement_utr) as settlement_utr,
        max(line.fee) as fee
    from {{ source('landing', 'raw_gateway_settlement_line') }} as line
    where
        line.gateway = payment.gateway
        and line.gateway_payment_id = split_part(payment.gateway_payment_reference, ':', 2)
        and line.entity = 'payment'
) as settled on payment.gateway is not null
left join {{ source('state', 'core_recon_match') }} as known on member.native_reference = known.native_reference
where known.native_reference is null and sighting.resolution_error is null
