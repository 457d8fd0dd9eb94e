-- Payments that something keeps from being posted, other than that they are history or no money.
select
    payment.posting_key,
    payment.lender,
    payment.loan_id,
    payment.business_date,
    payment.amount,
    payment.posting_block,
    payment.stream,
    array_to_string(payment.channels_seen, ', ') as channels_seen,
    payment.bank_reference,
    payment.gateway_payment_reference,
    payment.first_seen_at,
    extract(day from now() - payment.first_seen_at)::integer as days,
    decision.decision,
    decision.reason as decision_reason,
    decision.decided_by
from core.core_transaction_data as payment
left join core.core_payment_decision as decision on payment.posting_key = decision.posting_key
where payment.posting_block in ('possible_duplicate', 'conflict', 'superseded', 'awaiting_recon', 'evidence_only')
