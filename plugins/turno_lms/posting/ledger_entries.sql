-- What the ledger says of payments, by loan or by posting key: how they ended, and what is (again) in the queue.
select
    posting_key,
    loan_id,
    lender,
    business_date,
    amount,
    outcome as status
from core.core_transaction_data_processed
where loan_id = any(%(loans)s) or posting_key = any(%(keys)s)
union all
select
    posting_key,
    loan_id,
    lender,
    business_date,
    amount,
    'open' as status
from core.core_fineract_pending_transactions
where loan_id = any(%(loans)s) or posting_key = any(%(keys)s)
