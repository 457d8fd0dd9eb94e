select
    pending.posting_key,
    pending.lender,
    pending.loan_id,
    pending.business_date,
    pending.amount,
    pending.state,
    pending.channel,
    pending.tries,
    pending.next_try_at,
    pending.last_try_at,
    pending.last_error,
    pending.kind,
    pending.bank_reference,
    pending.created_at,
    pending.created_by_run
from core.core_fineract_pending_transactions as pending
