-- A loan's payments that nothing but a hold keeps from being claimed, oldest first: the claim's conditions without it.
select
    payment.posting_key,
    payment.amount,
    payment.business_date
from core.core_transaction_data as payment
left join core.core_lender_stream as posting
    on payment.lender = posting.lender and payment.stream = posting.stream and posting.is_posting_channel
left join core.core_transaction_data_processed as processed
    on payment.posting_key = processed.posting_key and processed.outcome <> 'withdrawn'
left join core.core_fineract_pending_transactions as pending
    on payment.posting_key = pending.posting_key
left join core.core_resolution_money as taken
    on payment.posting_key = taken.posting_key and not taken.is_released
where
    payment.loan_id = %(loan)s
    and payment.posting_block is null
    and (payment.channels_seen <> array['manual'] or payment.posting_key = any(%(approved_manual)s))
    and processed.posting_key is null
    and pending.posting_key is null
    and taken.posting_key is null
    and core.posting_question(payment.posting_key) is null
    and core.posting_switch(payment.lender, coalesce(posting.channel, '')) = 'open'
order by payment.business_date, payment.posting_key
