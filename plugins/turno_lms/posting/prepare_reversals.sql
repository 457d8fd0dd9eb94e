-- Posted money that a later record says went back: the payment's own records, or a bounce or refund of the same loan and
-- amount that names its bank reference, its day, or (a refund) one of the ten days after it.
with posted as (
    select processed.*
    from core.core_transaction_data_processed as processed
    left join core.core_reversal as known on processed.posting_key = known.posting_key
    where processed.outcome = 'posted' and known.posting_key is null
),

returned as (
    select
        posted.posting_key,
        coalesce(payment.payment_status, 'not collected') as told,
        payment.posting_key as told_by
    from posted
    inner join core.core_transaction_data as payment on posted.posting_key = payment.posting_key
    where payment.posting_block = 'not_collected'
    union all
    select
        posted.posting_key,
        sighting.payment_status,
        sighting.native_reference
    from posted
    inner join core.core_payment_sighting as sighting
        on posted.loan_id = sighting.stated_loan_id and posted.amount = sighting.amount
    left join core.core_transaction_data as payment on posted.posting_key = payment.posting_key
    where
        not sighting.is_collection
        and sighting.payment_status in ('failed', 'refunded', 'charged_back')
        and sighting.seen_at > posted.processed_at
        and (
            sighting.bank_reference = payment.bank_reference
            or sighting.business_date = posted.business_date
            or (
                sighting.payment_status <> 'failed'
                and sighting.business_date between posted.business_date and posted.business_date + 10
            )
        )
),

told as (
    select distinct on (posting_key) * from returned order by posting_key asc, told_by asc
),

prepared as (
    insert into core.core_reversal (posting_key, lender, loan_id, business_date, amount, reason, state, requested_by)
    select
        posted.posting_key,
        posted.lender,
        posted.loan_id,
        posted.business_date,
        posted.amount,
        told.told || ' after posting, says ' || told.told_by,
        'prepared',
        %(run)s
    from told
    inner join posted on told.posting_key = posted.posting_key
    returning *
)

insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    'returned_after_posting',
    posting_key,
    lender,
    loan_id,
    amount,
    jsonb_build_object('reason', reason),
    %(run)s
from prepared
on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
