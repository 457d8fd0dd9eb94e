-- A refused repayment goes into the queue once more, under its next attempt; the ledger keeps the refusal until it ends.
insert into core.core_fineract_pending_transactions (
    posting_key, lender, loan_id, business_date, amount, payment_type_id, bank_reference, channel, kind, state, attempt,
    created_by_run
)
select
    processed.posting_key,
    processed.lender,
    processed.loan_id,
    processed.business_date,
    processed.amount,
    coalesce(correction.payment_type_id, payment.payment_type_id),
    coalesce(correction.bank_reference, payment.bank_reference),
    coalesce(correction.channel, posting.channel, ''),
    %(kind)s,
    'queued',
    1 + (
        select max(archived.attempt)
        from core.core_fineract_transaction_archive as archived
        where archived.posting_key = processed.posting_key
    ),
    %(run)s
from core.core_transaction_data_processed as processed
left join core.core_posting_correction as correction on processed.posting_key = correction.posting_key
inner join core.core_transaction_data as payment
    on coalesce(correction.original_posting_key, processed.posting_key) = payment.posting_key
left join core.core_lender_stream as posting
    on payment.lender = posting.lender and payment.stream = posting.stream and posting.is_posting_channel
where processed.posting_key = %(key)s and processed.outcome = 'failed'
on conflict (posting_key) do nothing
