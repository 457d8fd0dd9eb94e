{{
    config(
        materialized="table",
        indexes=[{"columns": ["posting_key"]}],
    )
}}

-- the daily count of accepted rows against sightings runs with this model
-- depends_on: {{ ref('base_payment_file') }}
with waiting as (
    select payment.posting_key
    from {{ ref('core_transaction_data') }} as payment
    where payment.reconciliation_status in ('pending', 'missing_in_file', 'missing_in_gateway')
),

member as (
    select
        waiting.posting_key,
        identity.native_reference
    from waiting
    inner join {{ source('state', 'core_payment_identity') }} as identity on waiting.posting_key = identity.posting_key
    union all
    select
        waiting.posting_key,
        identity.native_reference
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
    sighting.bank_reference
from member
inner join {{ ref('core_payment_sighting') }} as sighting on member.native_reference = sighting.native_reference
inner join two_sided on sighting.lender = two_sided.lender and sighting.stream = two_sided.stream
left join {{ source('state', 'core_recon_match') }} as known on member.native_reference = known.native_reference
where known.native_reference is null and sighting.resolution_error is null
