-- Payments that may be posted and have neither an ending nor an intent become intents.
-- One that was withdrawn was never posted: it comes back when nothing blocks it any more.
-- The switch stops what is new in both its closed states, and a manual repayment is read with its approval once more.
-- A question that was opened since core_transaction_data was built holds its payment as if it had been read there.
-- The money of a loan under settlement is held, but for the payments that the settlement took: those are booked on its day.
-- What paid for a foreclosure is in Fineract already, under its posting key: it is read back. On a loan that was written
-- off, money is a recovery.
with payable as (
    select
        payment.posting_key,
        payment.posting_key as original_posting_key,
        payment.lender,
        payment.loan_id,
        payment.business_date,
        payment.amount,
        payment.payment_type_id,
        payment.bank_reference,
        coalesce(posting.channel, '') as channel
    from core.core_transaction_data as payment
    left join core.core_lender_stream as posting
        on payment.lender = posting.lender and payment.stream = posting.stream and posting.is_posting_channel
    where
        payment.posting_block is null
        and (payment.channels_seen <> array['manual'] or payment.posting_key = any(%(approved_manual)s))
    union all
    select
        correction.posting_key,
        correction.original_posting_key,
        correction.lender,
        correction.loan_id,
        correction.business_date,
        correction.amount,
        correction.payment_type_id,
        correction.bank_reference,
        correction.channel
    from core.core_posting_correction as correction
    inner join core.core_reversal as reversal on correction.corrects = reversal.posting_key
    inner join core.core_transaction_data as original on correction.original_posting_key = original.posting_key
    where reversal.state = 'done' and original.posting_block is null
),

-- materialized, so that switch, questions and holds are asked about these few and not about all that ever ended
waiting as materialized (
    select payable.*
    from payable
    left join core.core_transaction_data_processed as processed
        on payable.posting_key = processed.posting_key and processed.outcome <> 'withdrawn'
    left join core.core_fineract_pending_transactions as pending
        on payable.posting_key = pending.posting_key
    where processed.posting_key is null and pending.posting_key is null
)

insert into core.core_fineract_pending_transactions (
    posting_key, lender, loan_id, business_date, amount, payment_type_id, bank_reference, channel, kind, state, attempt,
    created_by_run
)
select
    payment.posting_key,
    payment.lender,
    payment.loan_id,
    coalesce(taken.booked_on, payment.business_date) as business_date,
    payment.amount,
    payment.payment_type_id,
    payment.bank_reference,
    payment.channel,
    case when written_off.loan_id is null then 'repayment' else 'recovery' end as kind,
    case when taken.posted_by = 'foreclosure' then 'unknown' else 'queued' end as state,
    1 + coalesce(
        (
            select max(archived.attempt)
            from core.core_fineract_transaction_archive as archived
            where archived.posting_key = payment.posting_key
        ),
        0
    ) as attempt,
    %(run)s as created_by_run
from waiting as payment
left join core.core_resolution_money as taken
    on payment.posting_key = taken.posting_key and not taken.is_released
left join core.core_open_resolution as hold
    on payment.loan_id = hold.loan_id and hold.holds_money
left join core.core_written_off_loan as written_off
    on payment.loan_id = written_off.loan_id
where
    core.posting_switch(payment.lender, payment.channel) = 'open'
    and core.posting_question(payment.original_posting_key) is null
    and (hold.loan_id is null or hold.resolution_ref = taken.resolution_ref)
    and (
        taken.posted_by is distinct from 'foreclosure'
        or exists (
            select 1 from core.core_resolution_step as step
            where step.resolution_ref = taken.resolution_ref and step.kind = 'foreclose' and step.state = 'done'
        )
    )
returning lender, amount
