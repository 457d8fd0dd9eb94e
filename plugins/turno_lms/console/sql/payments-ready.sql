-- Payments that the next claim of posting finds, sought only where the loan master says that some wait: what ended stays
-- ended, so none waits elsewhere.
select
    payment.posting_key,
    payment.lender,
    payment.amount,
    payment.first_seen_at
from core.core_loan_master as loan
inner join core.core_transaction_data as payment on loan.loan_id = payment.loan_id
left join core.core_transaction_data_processed as processed on payment.posting_key = processed.posting_key
left join core.core_fineract_pending_transactions as pending on payment.posting_key = pending.posting_key
where
    loan.payments_waiting > 0
    and payment.posting_block is null and processed.posting_key is null and pending.posting_key is null
