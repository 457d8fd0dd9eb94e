select
    payment.posting_key,
    payment.business_date,
    payment.amount,
    payment.payment_status,
    payment.reconciliation_status,
    payment.posting_block,
    coalesce(processed.outcome, pending.state) as posting,
    coalesce(payment.gateway_payment_reference, payment.bank_reference) as reference,
    array_to_string(payment.channels_seen, ', ') as seen_in
from core.core_transaction_data as payment
left join core.core_transaction_data_processed as processed on payment.posting_key = processed.posting_key
left join core.core_fineract_pending_transactions as pending on payment.posting_key = pending.posting_key
where payment.loan_id = %s
order by payment.business_date desc, payment.posting_key
limit 100
