-- What became of the payments that a resolution took: how the ledger ended them, whether they are queued, and what blocks
-- them now.
select
    taken.posting_key,
    taken.amount,
    taken.business_date,
    taken.is_released,
    processed.outcome,
    processed.fineract_transaction_id,
    reversal.state as reversal_state,
    pending.state as queue_state,
    pending.last_error,
    case
        when payment.posting_key is null then 'superseded'
        else coalesce(payment.posting_block, core.posting_question(taken.posting_key))
    end as block
from core.core_resolution_money as taken
left join core.core_transaction_data_processed as processed on taken.posting_key = processed.posting_key
left join core.core_reversal as reversal on taken.posting_key = reversal.posting_key
left join core.core_fineract_pending_transactions as pending on taken.posting_key = pending.posting_key
left join core.core_transaction_data as payment on taken.posting_key = payment.posting_key
where taken.resolution_ref = %s
order by taken.business_date, taken.posting_key
