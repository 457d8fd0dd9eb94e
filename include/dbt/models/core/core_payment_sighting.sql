{{
    config(
        unique_key="native_reference",
        tags=["money_path_base"],
        indexes=[
            {"columns": ["stated_loan_id"]},
            {"columns": ["gateway_payment_reference"]},
            {"columns": ["takes_back"]},
            {"columns": ["lender", "bank_reference"]},
            {"columns": ["file_id", "row_number"]},
            {"columns": ["_txid"]},
            {"columns": ["_read_horizon"]},
        ],
        pre_hook="select pg_advisory_xact_lock({{ var('identity_lock') }})",
    )
}}

with touched as (
    select file_row.native_reference
    from {{ ref('base_payment_file') }} as file_row
    {% if is_incremental() %}where file_row.{{ touched_since() }}{% endif %}
    union
    select entry.native_reference
    from {{ ref('base_manual_repayment') }} as entry
    {% if is_incremental() %}where entry.{{ touched_since() }}{% endif %}
    union
    select payment.gateway_payment_reference as native_reference
    from {{ ref('base_gateway_payment') }} as payment
    {% if is_incremental() %}
    where payment.{{ touched_since() }}
    union
    -- loans that entered the registry or left their place in it, under every name they ever had
    select known.native_reference
    from {{ this }} as known
    inner join {{ source('landing', 'raw_fineract_loan_snapshot') }} as snapshot
        on known.stated_loan_id = {{ canonical_loan_id('snapshot.external_id') }}
    inner join {{ ref('base_loan') }} as loan on snapshot.fineract_loan_id = loan.fineract_loan_id
    where loan.{{ touched_since('_registry_txid') }}
    union
    select known.native_reference
    from {{ this }} as known
    inner join ({{ changed_subjects(['lender']) }}) as changed on known.lender = changed.subject
    union
    -- and what another lender was told of a loan of the changed one
    select known.native_reference
    from {{ this }} as known
    inner join {{ ref('base_loan') }} as loan on known.stated_loan_id = loan.loan_id
    inner join ({{ changed_subjects(['lender']) }}) as changed on loan.lender = changed.subject
    {% endif %}
),

seen as (
    select
        file_row.native_reference,
        file_row.takes_back,
        file_row.channel,
        file_row.lender as told_to,
        file_row.lender as file_lender,
        file_row.loan_id as stated_loan_id,
        file_row.reference_error,
        file_row.business_date,
        file_row.amount,
        file_row.gateway_payment_reference,
        file_row.bank_reference,
        file_row.umrn,
        file_row.payment_status,
        file_row.is_collection,
        file_row.loaded_at as seen_at,
        file_row.file_id,
        file_row.row_number
    from touched
    inner join {{ ref('base_payment_file') }} as file_row on touched.native_reference = file_row.native_reference
    union all
    select
        payment.gateway_payment_reference as native_reference,
        null as takes_back,
        payment.gateway as channel,
        payment.told_to,
        null as file_lender,
        payment.loan_id as stated_loan_id,
        payment.reference_error,
        payment.business_date,
        payment.amount,
        payment.gateway_payment_reference,
        payment.bank_reference,
        payment.umrn,
        payment.payment_status,
        payment.is_collection,
        payment.first_seen_at as seen_at,
        null as file_id,
        null as row_number
    from touched
    inner join {{ ref('base_gateway_payment') }} as payment on touched.native_reference = payment.gateway_payment_reference
    where payment.is_collection
    union all
    select
        entry.native_reference,
        null as takes_back,
        entry.channel,
        entry.lender as told_to,
        entry.lender as file_lender,
        entry.loan_id as stated_loan_id,
        null as reference_error,
        entry.business_date,
        entry.amount,
        null as gateway_payment_reference,
        entry.bank_reference,
        null as umrn,
        'captured' as payment_status,
        true as is_collection,
        entry.loaded_at as seen_at,
        null as file_id,
        null as row_number
    from touched
    inner join {{ ref('base_manual_repayment') }} as entry on touched.native_reference = entry.native_reference
),

judged as (
    select
        seen.*,
        registry.lender as loan_lender,
        stream.stream as channel_stream,
        case
            when seen.reference_error is not null then seen.reference_error
            when registry.loans = 0 then 'unknown_loan'
            when registry.loans > 1 then 'ambiguous_loan'
            -- a file, or a person, speaks for its own lender only; a webhook's lender is the loan's, whatever URL it came to
            when registry.lender is distinct from coalesce(seen.file_lender, registry.lender, 'no lender')
                then 'loan_of_other_lender'
            when stream.stream is null then 'loan_of_other_lender'
        end as resolution_error
    from seen
    -- one look-up per sighting: right for ten new rows and for all of history, whatever the planner expects of the former
    cross join lateral (
        select
            count(*) as loans,
            min(loan.lender) as lender
        from {{ ref('base_loan') }} as loan
        where loan.loan_id = seen.stated_loan_id
    ) as registry
    left join {{ source('state', 'core_lender_stream') }} as stream
        on registry.lender = stream.lender and seen.channel = stream.channel
),

resolved as (
    select
        judged.*,
        case when judged.resolution_error is null then judged.loan_lender else judged.told_to end as lender,
        case when judged.resolution_error is null then judged.stated_loan_id end as loan_id
    from judged
)

select
    resolved.native_reference,
    resolved.takes_back,
    resolved.channel,
    coalesce(resolved.channel_stream, told.stream) as stream,
    resolved.lender,
    resolved.stated_loan_id,
    resolved.loan_id,
    resolved.resolution_error,
    resolved.business_date,
    resolved.amount::numeric(18, 2) as amount,
    case
        when resolved.resolution_error is null
            then {{ source_key('resolved.lender', 'resolved.loan_id', 'resolved.business_date', 'resolved.amount') }}
    end as source_key,
    case
        when resolved.resolution_error is null
            then {{ recon_match_key('resolved.loan_id', 'resolved.business_date', 'resolved.amount') }}
    end as recon_match_key,
    resolved.gateway_payment_reference,
    resolved.bank_reference,
    resolved.umrn,
    resolved.payment_status,
    resolved.is_collection,
    coalesce(resolved.business_date < lender.post_from, false) as is_historic,
    resolved.seen_at,
    resolved.file_id,
    resolved.row_number,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from resolved
left join {{ source('state', 'core_lender') }} as lender on resolved.lender = lender.lender
left join {{ source('state', 'core_lender_stream') }} as told
    on resolved.lender = told.lender and resolved.channel = told.channel
