{{
    config(
        unique_key="native_reference",
        indexes=[
            {"columns": ["_txid"]},
            {"columns": ["_read_horizon"]},
        ],
    )
}}

select
    'manual:' || landed.manual_id as native_reference,
    'manual' as channel,
    landed.lender,
    {{ canonical_loan_id('landed.loan_id') }} as loan_id,
    landed.date::date as business_date,
    landed.amount::numeric(18, 2) as amount,
    landed.mode,
    {{ comparable_reference('landed.reference') }} as bank_reference,
    landed.entered_by,
    landed._loaded_at as loaded_at,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from {{ source('landing', 'raw_manual_repayment') }} as landed
{% if is_incremental() %}
where landed.{{ touched_since() }}
{% endif %}
