-- Payments that may be posted and have no outcome yet, whether queued or not. Those in doubt wait for a person.
select
    payment.lender,
    count(*) as payments,
    sum(payment.amount) as rupees,
    extract(epoch from now() - min(payment.first_seen_at)) as oldest_seconds
from core.core_transaction_data as payment
where payment.posting_block is null
    and not exists (
        select from core.core_transaction_data_processed as ended
        where ended.posting_key = payment.posting_key
    )
    and not exists (
        select from core.core_fineract_pending_transactions as intent
        where intent.posting_key = payment.posting_key and intent.state = 'in_doubt'
    )
group by payment.lender
