-- The queue of calls to Fineract.
select
    intent.lender,
    intent.state,
    count(*) as payments,
    sum(intent.amount) as rupees,
    extract(epoch from now() - min(intent.created_at)) as oldest_seconds
from core.core_fineract_pending_transactions as intent
group by intent.lender, intent.state
