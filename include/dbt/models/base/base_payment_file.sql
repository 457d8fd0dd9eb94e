{{
    config(
        unique_key=["file_id", "row_number"],
        indexes=[
            {"columns": ["native_reference"], "unique": true},
            {"columns": ["_txid"]},
            {"columns": ["_read_horizon"]},
        ],
    )
}}

with touched as (
    select
        landed.lender,
        landed._file_id,
        landed._row_number
    from {{ source('landing', 'raw_payment_file') }} as landed
    {% if is_incremental() %}
    where landed.{{ touched_since() }}
    union
    select
        landed.lender,
        landed._file_id,
        landed._row_number
    from {{ source('landing', 'raw_payment_file') }} as landed
    inner join ({{ changed_subjects(['umrn']) }}) as changed on landed._umrn = changed.subject
    union
    select
        landed.lender,
        landed._file_id,
        landed._row_number
    from {{ source('landing', 'raw_payment_file') }} as landed
    inner join ({{ changed_subjects(['lender']) }}) as changed on landed.lender = changed.subject
    {% endif %}
),

typed as (
    select
        landed._file_id as file_id,
        landed._row_number as row_number,
        landed.lender,
        landed._kind as kind,
        kind.stream,
        kind.payment_id_is,
        kind.sub_reference_id_is,
        {{ canonical_loan_id('landed.loan_id') }} as loan_id_at_load,
        landed._umrn as umrn,
        landed.date::date as business_date,
        landed.amount::numeric(18, 2) as amount,
        coalesce(landed.status, 'collected') as status,
        nullif(landed.charge, '')::numeric(18, 2) as charge,
        landed.note,
        nullif({{ trimmed('landed.payment_id') }}, '') as payment_id,
        nullif({{ trimmed('landed.sub_reference_id') }}, '') as sub_reference_id,
        landed.source_file,
        landed._mapping_version as mapping_version,
        landed._loaded_at as loaded_at
    from touched
    inner join {{ source('landing', 'raw_payment_file') }} as landed
        on
            touched.lender = landed.lender
            and touched._file_id = landed._file_id
            and touched._row_number = landed._row_number
    left join {{ source('state', 'core_lender_file_kind') }} as kind
        on landed.lender = kind.lender and landed._kind = kind.kind
)

select
    typed.file_id,
    typed.row_number,
    case
        when typed.payment_id is null then 'position:' || typed.file_id || ':' || typed.row_number
        else {{ file_reference('typed.lender', 'typed.kind', 'typed.payment_id') }}
            || case when typed.status = 'reversed' then ':reversed' else '' end
    end as native_reference,
    case
        when typed.status = 'reversed' and typed.payment_id is not null
            then {{ file_reference('typed.lender', 'typed.kind', 'typed.payment_id') }}
    end as takes_back,
    typed.lender,
    typed.kind,
    'file:' || typed.kind as channel,
    typed.stream,
    typed.loan_id_at_load,
    typed.umrn,
    -- the mandate's loan as the master says today; the loan found at load stands where the master says nothing
    case when mandate.loans <= 1 then coalesce(mandate.loan_id, typed.loan_id_at_load) end as loan_id,
    case
        when mandate.loans > 1 then 'ambiguous_loan'
        when coalesce(mandate.loan_id, typed.loan_id_at_load) is not null then null
        when typed.umrn is not null then 'umrn_unknown'
        else 'unparsed_reference'
    end as reference_error,
    typed.business_date,
    typed.amount,
    typed.charge,
    case typed.status
        when 'collected' then 'captured'
        when 'pending' then 'authorized'
        when 'reversed' then 'refunded'
        else 'failed'
    end as payment_status,
    typed.status = 'collected' as is_collection,
    typed.note,
    typed.payment_id,
    typed.sub_reference_id,
    coalesce(
        case
            when typed.payment_id_is in ('razorpay', 'cashfree')
                then {{ gateway_payment_reference('typed.payment_id_is', 'typed.payment_id') }}
        end,
        case
            when typed.sub_reference_id_is in ('razorpay', 'cashfree')
                then {{ gateway_payment_reference('typed.sub_reference_id_is', 'typed.sub_reference_id') }}
        end
    ) as gateway_payment_reference,
    coalesce(
        case when typed.payment_id_is = 'bank_reference' then {{ comparable_reference('typed.payment_id') }} end,
        case when typed.sub_reference_id_is = 'bank_reference' then {{ comparable_reference('typed.sub_reference_id') }} end
    ) as bank_reference,
    coalesce(
        case when typed.payment_id_is = 'settlement' then {{ comparable_reference('typed.payment_id') }} end,
        case when typed.sub_reference_id_is = 'settlement' then {{ comparable_reference('typed.sub_reference_id') }} end
    ) as settlement_reference,
    typed.source_file,
    typed.mapping_version,
    typed.loaded_at,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from typed
left join lateral (
    {{ loans_of_mandate('typed.umrn', 'typed.business_date') }}
) as mandate on true
