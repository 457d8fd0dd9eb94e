-- Payments that have neither an ending nor an intent, looked up one by one among those that waited when the loan master
-- was built: what ended stays ended, so no other can wait. One that was withdrawn was never posted, and waits again.
-- The next claim of posting takes them, but for those that wait for the end of their loan's resolution.
select
    waiting.*,
    coalesce(hold.resolution_ref <> coalesce(taken.resolution_ref, ''), false) as is_held_for_resolution
from core.core_loan_master as loan
cross join lateral unnest(loan.waiting_keys) as waited (posting_key)
cross join lateral (
    select
        payment.posting_key,
        payment.lender,
        payment.amount,
        payment.first_seen_at
    from core.core_transaction_data as payment
    where
        payment.posting_key = waited.posting_key
        and payment.posting_block is null
        and not exists (
            select from core.core_transaction_data_processed as processed
            where processed.posting_key = payment.posting_key and processed.outcome <> 'withdrawn'
        )
        and not exists (
            select from core.core_fineract_pending_transactions as pending where pending.posting_key = payment.posting_key
        )
    limit 1
) as waiting
left join core.core_open_resolution as hold on loan.loan_id = hold.loan_id and hold.holds_money
left join core.core_resolution_money as taken on waiting.posting_key = taken.posting_key and not taken.is_released
where loan.payments_waiting > 0
