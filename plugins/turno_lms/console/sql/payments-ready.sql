-- Payments that the next claim of posting finds, looked up one by one among those that waited when the loan master was
-- built: what ended stays ended, so no other can wait. One that was withdrawn was never posted, and waits again.
select ready.*
from core.core_loan_master as loan
cross join lateral unnest(loan.waiting_keys) as waiting (posting_key)
cross join lateral (
    select
        payment.posting_key,
        payment.lender,
        payment.amount,
        payment.first_seen_at
    from core.core_transaction_data as payment
    where
        payment.posting_key = waiting.posting_key
        and payment.posting_block is null
        and not exists (
            select from core.core_transaction_data_processed as processed
            where processed.posting_key = payment.posting_key and processed.outcome <> 'withdrawn'
        )
        and not exists (
            select from core.core_fineract_pending_transactions as pending where pending.posting_key = payment.posting_key
        )
    limit 1
) as ready
where loan.payments_waiting > 0
