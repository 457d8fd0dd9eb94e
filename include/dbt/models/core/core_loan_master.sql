{{
    config(
        unique_key="fineract_loan_id",
        tags=["money_path_core"],
        indexes=[
            {"columns": ["loan_id"]},
            {"columns": ["payments_waiting"]},
            {"columns": ["(overdue_since + days_past_due)"]},
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
    -- an operation, a schedule that was read anew
    select loan.fineract_loan_id
    from ({{ changed_subjects(['loan']) }}) as changed
    inner join {{ ref('base_loan') }} as loan on changed.subject = loan.loan_id
    union
    -- days past due grow without anything happening
    select known.fineract_loan_id
    from {{ this }} as known
    where known.overdue_since + known.days_past_due < {{ ist_today() }}
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
    loan.account_no,
    loan.client_id,
    loan.client_external_id,
    loan.status_id,
    loan.status,
    loan.read_by as status_source,
    loan.principal,
    loan.number_of_repayments,
    loan.annual_interest_rate,
    loan.submitted_on,
    loan.approved_on,
    loan.rejected_on,
    loan.expected_disbursement_on,
    loan.disbursed_on,
    loan.expected_maturity_on,
    loan.closed_on,
    loan.written_off_on,
    schedule.installments,
    schedule.installment_amount,
    schedule.first_due_on,
    schedule.last_due_on,
    schedule.interest as total_interest,
    (schedule.fees + schedule.penalties)::numeric(18, 2) as total_charges,
    schedule.read_by as schedule_source,
    loan.principal_outstanding,
    loan.interest_outstanding,
    loan.fees_outstanding,
    loan.penalties_outstanding,
    loan.total_outstanding,
    coalesce(posted.amount_since, 0)::numeric(18, 2) as posted_since,
    greatest(loan.total_outstanding - coalesce(posted.amount_since, 0), 0)::numeric(18, 2) as expected_outstanding,
    case when posted.amount_since > 0 then 'post_repayments' else loan.read_by end as balances_source,
    loan.total_overdue,
    loan.overdue_since,
    coalesce({{ ist_today() }} - loan.overdue_since, 0) as days_past_due,
    loan.overpaid,
    loan.total_repaid,
    received.payments as payments_received,
    coalesce(received.amount, 0)::numeric(18, 2) as amount_received,
    received.last_payment_on,
    received.blocked as payments_blocked,
    coalesce(received.amount_blocked, 0)::numeric(18, 2) as amount_blocked,
    coalesce(cardinality(received.waiting_keys), 0) as payments_waiting,
    received.waiting_keys,
    posted.payments as payments_posted,
    coalesce(posted.amount, 0)::numeric(18, 2) as amount_posted,
    last_posted.business_date as last_posted_on,
    last_posted.amount as last_posted_amount,
    last_operation.operation as last_operation,
    last_operation.ended_at as last_operation_at,
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
        sum(payment.amount) filter (where payment.posting_block is not null) as amount_blocked,
        array_agg(payment.posting_key order by payment.posting_key)
        filter (where payment.posting_block is null and ended.posting_key is null) as waiting_keys
    from {{ ref('core_transaction_data') }} as payment
    left join {{ source('state', 'core_transaction_data_processed') }} as ended
        on payment.posting_key = ended.posting_key and ended.outcome <> 'withdrawn'
    where payment.loan_id = loan.loan_id
) as received
cross join lateral (
    select
        count(*)::integer as payments,
        sum(processed.amount) as amount,
        sum(processed.amount) filter (where processed.processed_at > loan.taken_at) as amount_since
    from {{ source('state', 'core_transaction_data_processed') }} as processed
    where processed.loan_id = loan.loan_id and processed.outcome = 'posted'
) as posted
left join lateral (
    select
        processed.business_date,
        processed.amount
    from {{ source('state', 'core_transaction_data_processed') }} as processed
    where processed.loan_id = loan.loan_id and processed.outcome = 'posted'
    order by processed.business_date desc, processed.processed_at desc, processed.posting_key desc
    limit 1
) as last_posted on true
left join lateral (
    select
        read_schedule.installments,
        read_schedule.installment_amount,
        read_schedule.first_due_on,
        read_schedule.last_due_on,
        read_schedule.interest,
        read_schedule.fees,
        read_schedule.penalties,
        split_part(read_schedule.taken_by_run, '/', 1) as read_by
    from {{ source('landing', 'raw_fineract_loan_schedule') }} as read_schedule
    where read_schedule.fineract_loan_id = loan.fineract_loan_id
    order by read_schedule.schedule_id desc
    limit 1
) as schedule on true
left join lateral (
    select
        done.operation,
        done.ended_at
    from {{ source('state', 'core_los_processed') }} as done
    where done.loan_id = loan.loan_id and done.state = 'done'
    order by done.ended_at desc, done.operation desc
    limit 1
) as last_operation on true
