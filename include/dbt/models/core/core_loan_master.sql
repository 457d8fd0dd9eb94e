{{
    config(
        unique_key="fineract_loan_id",
        tags=["money_path_core"],
        indexes=[
            {"columns": ["loan_id"]},
            {"columns": ["_txid"]},
            {"columns": ["_read_horizon"]},
        ],
    )
}}

with touched_loan as (
    select loan.fineract_loan_id
    from {{ ref('base_loan') }} as loan
    {% if is_incremental() %}
    where loan.{{ touched_since() }}
    union
    select loan.fineract_loan_id
    from {{ ref('core_transaction_data') }} as payment
    inner join {{ ref('base_loan') }} as loan on payment.loan_id = loan.loan_id
    where payment.{{ touched_since() }}
    union
    select loan.fineract_loan_id
    from ({{ changed_subjects(['posting']) }}) as changed
    inner join {{ source('state', 'core_transaction_data_processed') }} as processed
        on changed.subject = processed.posting_key
    inner join {{ ref('base_loan') }} as loan on processed.loan_id = loan.loan_id
    union
    -- a linked payment leaves core_transaction_data, and with it the loan it stood under
    select loan.fineract_loan_id
    from ({{ changed_subjects(['decision']) }}) as changed
    inner join {{ source('state', 'core_payment_identity') }} as identity on changed.subject = identity.posting_key
    inner join {{ ref('base_loan') }} as loan on identity.loan_id = loan.loan_id
    {% endif %}
)

select
    loan.fineract_loan_id,
    loan.loan_id,
    loan.lender,
    loan.product_id,
    loan.client_id,
    loan.status_id,
    loan.status,
    loan.principal,
    loan.submitted_on,
    loan.approved_on,
    loan.disbursed_on,
    loan.expected_maturity_on,
    loan.closed_on,
    loan.principal_outstanding,
    loan.total_outstanding,
    loan.total_overdue,
    loan.overdue_since,
    loan.total_repaid,
    received.payments as payments_received,
    coalesce(received.amount, 0)::numeric(18, 2) as amount_received,
    received.last_payment_on,
    received.blocked as payments_blocked,
    coalesce(received.amount_blocked, 0)::numeric(18, 2) as amount_blocked,
    posted.payments as payments_posted,
    coalesce(posted.amount, 0)::numeric(18, 2) as amount_posted,
    loan.taken_at,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from touched_loan
inner join {{ ref('base_loan') }} as loan on touched_loan.fineract_loan_id = loan.fineract_loan_id
cross join lateral (
    select
        count(*)::integer as payments,
        sum(payment.amount) as amount,
        max(payment.business_date) as last_payment_on,
        count(*) filter (where payment.posting_block is not null)::integer as blocked,
        sum(payment.amount) filter (where payment.posting_block is not null) as amount_blocked
    from {{ ref('core_transaction_data') }} as payment
    where payment.loan_id = loan.loan_id
) as received
cross join lateral (
    select
        count(*)::integer as payments,
        sum(processed.amount) as amount
    from {{ source('state', 'core_transaction_data_processed') }} as processed
    where processed.loan_id = loan.loan_id and processed.outcome = 'posted'
) as posted
