-- Payments that may be posted and have neither an ending nor an intent become intents.
-- One that was withdrawn was never posted: it comes back when nothing blocks it any more.
insert into core.core_fineract_pending_transactions (
    posting_key, lender, loan_id, business_date, amount, payment_type_id, bank_reference, state, attempt, created_by_run
)
select
    payment.posting_key,
    payment.lender,
    payment.loan_id,
    payment.business_date,
    payment.amount,
    payment.payment_type_id,
    payment.bank_reference,
    'queued' as state,
    1 + coalesce(
        (
            select max(archived.attempt)
            from core.core_fineract_transaction_archive as archived
            where archived.posting_key = payment.posting_key
        ),
        0
    ) as attempt,
    %(run)s as created_by_run
from core.core_transaction_data as payment
left join core.core_transaction_data_processed as processed
    on payment.posting_key = processed.posting_key and processed.outcome <> 'withdrawn'
left join core.core_fineract_pending_transactions as pending
    on payment.posting_key = pending.posting_key
where payment.posting_block is null and processed.posting_key is null and pending.posting_key is null
returning lender, amount
