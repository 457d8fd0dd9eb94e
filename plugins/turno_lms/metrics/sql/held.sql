-- Payments that may not be posted, by what holds them. What is historic or never posted by rule is not held.
with held as (
    select
        payment.lender,
        payment.posting_block as block,
        payment.amount
    from core.core_transaction_data as payment
    where payment.posting_block in ('possible_duplicate', 'conflict', 'superseded', 'awaiting_recon', 'evidence_only')
    union all
    select
        payment.lender,
        'held_for_resolution',
        payment.amount
    from core.core_open_resolution as hold
    inner join core.core_transaction_data as payment on hold.loan_id = payment.loan_id
    left join core.core_transaction_data_processed as ended
        on payment.posting_key = ended.posting_key and ended.outcome <> 'withdrawn'
    left join core.core_resolution_money as taken
        on payment.posting_key = taken.posting_key and not taken.is_released
    where
        hold.holds_money
        and payment.posting_block is null
        and ended.posting_key is null
        and hold.resolution_ref is distinct from taken.resolution_ref
)

select
    held.lender,
    held.block,
    count(*) as payments,
    sum(held.amount) as rupees
from held
group by held.lender, held.block
