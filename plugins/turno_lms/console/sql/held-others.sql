-- Payments that a held one may be the same money as: of its loan, near its day, with its rupees or its reference.
select
    other.posting_key,
    other.business_date,
    other.amount,
    array_to_string(other.channels_seen, ', ') as channels_seen,
    other.bank_reference,
    coalesce(processed.outcome, pending.state, other.posting_block, 'not queued') as posting
from core.core_transaction_data as held
inner join core.core_transaction_data as other
    on
        held.loan_id = other.loan_id and held.lender = other.lender and held.posting_key <> other.posting_key
        and (held.amount = other.amount or held.bank_reference = other.bank_reference)
        and other.business_date between held.business_date - 10 and held.business_date + 10
left join core.core_transaction_data_processed as processed on other.posting_key = processed.posting_key
left join core.core_fineract_pending_transactions as pending on other.posting_key = pending.posting_key
where held.posting_key = %s
order by other.business_date, other.posting_key
limit 20
