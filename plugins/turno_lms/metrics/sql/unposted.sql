-- Payments and corrections that the claim of posting takes or has taken, and that have no outcome yet. Not counted is what
-- waits for a person (in doubt, or a question about it) or for the end of its loan's resolution; held.sql has the latter.
with payable as (
    select
        payment.posting_key,
        payment.posting_key as original_posting_key,
        payment.lender,
        payment.loan_id,
        payment.amount,
        payment.first_seen_at as since
    from core.core_transaction_data as payment
    where payment.posting_block is null
    union all
    select
        correction.posting_key,
        correction.original_posting_key,
        correction.lender,
        correction.loan_id,
        correction.amount,
        reversal.ended_at
    from core.core_posting_correction as correction
    inner join core.core_reversal as reversal on correction.corrects = reversal.posting_key
    inner join core.core_transaction_data as original on correction.original_posting_key = original.posting_key
    where reversal.state = 'done' and original.posting_block is null
),

-- materialized, so that questions are asked about these few and not about all that ever ended
waiting as materialized (
    select payable.*
    from payable
    left join core.core_transaction_data_processed as ended
        on payable.posting_key = ended.posting_key and ended.outcome <> 'withdrawn'
    left join core.core_fineract_pending_transactions as doubtful
        on payable.posting_key = doubtful.posting_key and doubtful.state = 'in_doubt'
    where ended.posting_key is null and doubtful.posting_key is null
)

select
    payment.lender,
    count(*) as payments,
    sum(payment.amount) as rupees,
    extract(epoch from now() - min(payment.since)) as oldest_seconds
from waiting as payment
left join core.core_open_resolution as hold
    on payment.loan_id = hold.loan_id and hold.holds_money
left join core.core_resolution_money as taken
    on payment.posting_key = taken.posting_key and not taken.is_released
where
    core.posting_question(payment.original_posting_key) is null
    and (hold.loan_id is null or hold.resolution_ref = taken.resolution_ref)
group by payment.lender
