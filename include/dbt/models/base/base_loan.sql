{{
    config(
        unique_key="fineract_loan_id",
        indexes=[
            {"columns": ["loan_id"]},
            {"columns": ["lender"]},
            {"columns": ["_registry_txid"]},
            {"columns": ["_txid"]},
            {"columns": ["_read_horizon"]},
        ],
    )
}}

with touched as (
    select distinct snapshot.fineract_loan_id
    from {{ source('landing', 'raw_fineract_loan_snapshot') }} as snapshot
    {% if is_incremental() %}
    where snapshot.{{ touched_since() }}
    union
    select known.fineract_loan_id
    from {{ this }} as known
    inner join {{ source('state', 'core_lender') }} as lender on known.product_id = lender.product_id
    where lender.lender in ({{ changed_subjects(['lender']) }})
    union
    select known.fineract_loan_id
    from {{ this }} as known
    where known.lender in ({{ changed_subjects(['lender']) }})
    {% endif %}
),

latest as (
    select distinct on (snapshot.fineract_loan_id) snapshot.*
    from {{ source('landing', 'raw_fineract_loan_snapshot') }} as snapshot
    inner join touched on snapshot.fineract_loan_id = touched.fineract_loan_id
    order by snapshot.fineract_loan_id asc, snapshot.snapshot_id desc
),

loan as (
    select
        latest.fineract_loan_id,
        nullif({{ canonical_loan_id('latest.external_id') }}, '') as loan_id,
        latest.product_id,
        lender.lender,
        latest.status_id,
        latest.payload -> 'timeline' as timeline,
        latest.payload -> 'summary' as summary,
        latest.payload,
        latest.taken_at,
        latest.taken_by_run
    from latest
    left join {{ source('state', 'core_lender') }} as lender on latest.product_id = lender.product_id
)

select
    loan.fineract_loan_id,
    loan.loan_id,
    loan.product_id,
    loan.lender,
    (loan.payload ->> 'clientId')::bigint as client_id,
    loan.status_id,
    loan.payload #>> '{status,value}' as status,
    (loan.payload ->> 'principal')::numeric(18, 2) as principal,
    {{ fineract_date("(loan.timeline -> 'submittedOnDate')") }} as submitted_on,
    {{ fineract_date("(loan.timeline -> 'approvedOnDate')") }} as approved_on,
    {{ fineract_date("(loan.timeline -> 'actualDisbursementDate')") }} as disbursed_on,
    {{ fineract_date("(loan.timeline -> 'expectedMaturityDate')") }} as expected_maturity_on,
    {{ fineract_date("(loan.timeline -> 'closedOnDate')") }} as closed_on,
    {{ fineract_date("(loan.summary -> 'overdueSinceDate')") }} as overdue_since,
    nullif(trim(loan.payload ->> 'accountNo'), '') as account_no,
    nullif(trim(loan.payload ->> 'clientExternalId'), '') as client_external_id,
    (loan.payload ->> 'numberOfRepayments')::integer as number_of_repayments,
    (loan.payload ->> 'annualInterestRate')::numeric(19, 6) as annual_interest_rate,
    {{ fineract_date("(loan.timeline -> 'expectedDisbursementDate')") }} as expected_disbursement_on,
    {{ fineract_date("(loan.timeline -> 'rejectedOnDate')") }} as rejected_on,
    {{ fineract_date("(loan.timeline -> 'writeOffOnDate')") }} as written_off_on,
    coalesce(loan.payload ->> 'totalOverpaid', '0')::numeric(18, 2) as overpaid,
    split_part(loan.taken_by_run, '/', 1) as read_by,
    {% for field, column in [
        ("principalOutstanding", "principal_outstanding"),
        ("interestOutstanding", "interest_outstanding"),
        ("feeChargesOutstanding", "fees_outstanding"),
        ("penaltyChargesOutstanding", "penalties_outstanding"),
        ("totalOutstanding", "total_outstanding"),
        ("totalOverdue", "total_overdue"),
        ("totalRepayment", "total_repaid"),
    ] -%}
    coalesce(loan.summary ->> '{{ field }}', '0')::numeric(18, 2) as {{ column }},
    {% endfor -%}
    loan.taken_at,
    {% if is_incremental() -%}
    -- the loan's place in the registry, apart from its balances: those change daily and touch no payment
    case
        when
            (known.loan_id, known.product_id, known.lender)
            is not distinct from (loan.loan_id, loan.product_id, loan.lender)
            then known._registry_txid
        else {{ written_now() }}
    end as _registry_txid,
    {% else -%}
    {{ written_now() }} as _registry_txid,
    {% endif -%}
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from loan
{% if is_incremental() %}
left join {{ this }} as known on loan.fineract_loan_id = known.fineract_loan_id
{% endif %}
