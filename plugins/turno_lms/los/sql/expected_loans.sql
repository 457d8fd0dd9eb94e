-- What the loan master says of these loans, with the money taken off that was posted since each was last read.
select
    master.fineract_loan_id,
    master.loan_id,
    master.lender,
    master.product_id,
    master.client_id,
    master.status_id,
    master.principal,
    master.disbursed_on,
    master.closed_on,
    posted.amount as posted_since,
    (master.total_outstanding - coalesce(posted.amount, 0))::numeric(18, 2) as total_outstanding
from core.core_loan_master as master
cross join lateral (
    select sum(processed.amount) as amount
    from core.core_transaction_data_processed as processed
    where
        processed.loan_id = master.loan_id
        and processed.outcome = 'posted'
        and processed.processed_at > master.taken_at
) as posted
where master.fineract_loan_id = any(%(numbers)s)
