select
    payment.lender,
    payment.loan_id,
    payment.business_date,
    payment.amount,
    payment.stream,
    payment.payment_status,
    payment.reconciliation_status,
    coalesce(payment.posting_block, 'none') as posting_block,
    coalesce(processed.outcome, pending.state, 'not claimed') as posting
from core.core_transaction_data as payment
left join core.core_transaction_data_processed as processed on payment.posting_key = processed.posting_key
left join core.core_fineract_pending_transactions as pending on payment.posting_key = pending.posting_key
where payment.posting_key = %(key)s
