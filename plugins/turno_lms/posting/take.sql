-- The oldest open intent of a loan that this holder leases, marked as in flight if it is due, with the second look at
-- its payment.
with lease as (
    select
        loan_id,
        fence
    from core.core_loan_lease
    where loan_id = %(loan)s and holder = %(holder)s and expires_at > clock_timestamp()
),

head as (
    select
        lease.fence,
        pending.posting_key,
        pending.lender,
        pending.loan_id,
        pending.business_date,
        pending.amount,
        pending.payment_type_id,
        pending.bank_reference,
        pending.state,
        pending.attempt,
        pending.tries,
        pending.next_try_at,
        pending.last_try_at,
        pending.kind,
        switch.is_stopped,
        case
            when payment.posting_key is null then 'superseded'
            when payment.posting_block is not null then payment.posting_block
            -- opened since core_transaction_data was built
            when core.posting_question(payment.posting_key) is not null then core.posting_question(payment.posting_key)
            when hold.resolution_ref <> coalesce(booked.resolution_ref, '') then 'held_for_resolution'
            when
                (
                    coalesce(correction.loan_id, payment.loan_id),
                    coalesce(booked.booked_on, correction.business_date, payment.business_date),
                    coalesce(correction.amount, payment.amount)
                ) <> (pending.loan_id, pending.business_date, pending.amount)
                then 'changed'
        end as block
    from lease
    inner join core.core_fineract_pending_transactions as pending on lease.loan_id = pending.loan_id
    left join core.core_posting_correction as correction on pending.posting_key = correction.posting_key
    left join core.core_transaction_data as payment
        on coalesce(correction.original_posting_key, pending.posting_key) = payment.posting_key
    -- the same as the claim: a hold that came after it withdraws what is not sent yet, until the hold ends
    left join core.core_resolution_money as booked on pending.posting_key = booked.posting_key and not booked.is_released
    left join core.core_open_resolution as hold on pending.loan_id = hold.loan_id and hold.holds_money
    cross join lateral (select core.posting_switch(pending.lender, pending.channel) = 'stopped' as is_stopped) as switch
    -- what is stopped stays where it is; what may have been sent is taken all the same, to be read back
    where
        pending.state <> 'in_doubt'
        and (pending.state in ('in_flight', 'unknown') or not switch.is_stopped)
    order by pending.business_date, pending.created_at, pending.posting_key
    limit 1
    for update of pending
),

taken as (
    update core.core_fineract_pending_transactions as pending
    set state = 'in_flight', tries = pending.tries + 1, fence = head.fence, last_try_at = clock_timestamp()
    from head
    where pending.posting_key = head.posting_key and head.next_try_at <= clock_timestamp()
    returning pending.posting_key
)

select
    head.fence,
    head.posting_key,
    head.lender,
    head.loan_id,
    head.business_date,
    head.amount,
    head.payment_type_id,
    head.bank_reference,
    head.state,
    head.attempt,
    head.tries,
    head.kind,
    head.is_stopped,
    head.block,
    taken.posting_key is not null as is_taken,
    extract(epoch from head.next_try_at - clock_timestamp()) as due_in_seconds,
    extract(epoch from clock_timestamp() - head.last_try_at) as seconds_since_last_try,
    exists (
        select 1 from core.core_fineract_pending_transactions as other
        where other.loan_id = head.loan_id and other.state <> 'in_doubt' and other.posting_key <> head.posting_key
    ) as more
from head
left join taken on head.posting_key = taken.posting_key
