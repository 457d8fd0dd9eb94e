select
    payment.posting_key,
    payment.lender,
    payment.loan_id,
    payment.business_date,
    payment.amount,
    payment.payment_status,
    payment.stream,
    payment.reconciliation_status,
    payment.posting_block,
    coalesce(processed.outcome, pending.state) as posting,
    payment.gateway_payment_reference,
    payment.bank_reference,
    array_to_string(payment.channels_seen, ', ') as channels_seen,
    payment.sightings,
    payment.first_seen_at,
    payment.posting_policy,
    processed.fineract_transaction_id,
    processed.processed_at
from core.core_transaction_data as payment
left join core.core_transaction_data_processed as processed on payment.posting_key = processed.posting_key
left join core.core_fineract_pending_transactions as pending on payment.posting_key = pending.posting_key
