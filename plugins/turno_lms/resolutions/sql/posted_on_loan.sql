-- Rupees that the ledger posted on a loan since the quote, and since a settlement was accepted.
select
    coalesce(sum(amount) filter (where processed_at >= %(quoted_at)s), 0) as since_quote,
    coalesce(sum(amount) filter (where processed_at >= %(accepted_at)s), 0) as since_acceptance
from core.core_transaction_data_processed
where loan_id = %(loan)s and outcome = 'posted'
