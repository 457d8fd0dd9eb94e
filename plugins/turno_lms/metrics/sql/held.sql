-- Payments that may not be posted, by what holds them. What is historic or never posted by rule is not held.
select
    payment.lender,
    payment.posting_block as block,
    count(*) as payments,
    sum(payment.amount) as rupees
from core.core_transaction_data as payment
where payment.posting_block in ('possible_duplicate', 'conflict', 'superseded', 'awaiting_recon', 'evidence_only')
group by payment.lender, payment.posting_block
