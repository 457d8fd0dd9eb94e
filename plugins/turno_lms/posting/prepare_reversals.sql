-- Posted money that a later record says bounced: the payment's own records, or a bounce or reversal of the same loan and
-- amount that names its bank reference, its day, or (a reversal) one of the ten days after it. What a gateway says it gave
-- back is asked about by the gateways (returned_after_posting).
with posted as (
    select processed.*
    from core.core_transaction_data_processed as processed
    left join core.core_reversal as known on processed.posting_key = known.posting_key
    where processed.outcome = 'posted' and known.posting_key is null
),

given_back as (
    select coalesce(decision.linked_posting_key, identity.posting_key) as posting_key
    from base.base_gateway_payment as told
    inner join core.core_payment_identity as identity on told.gateway_payment_reference = identity.native_reference
    left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
    where told.payment_status in ('partially_refunded', 'refunded', 'charged_back')
),

returned as (
    select
        posted.posting_key,
        coalesce(payment.payment_status, 'not collected') as told,
        payment.posting_key as told_by
    from posted
    inner join core.core_transaction_data as payment on posted.posting_key = payment.posting_key
    where payment.posting_block = 'not_collected' and posted.posting_key not in (select given_back.posting_key from given_back)
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
    'bounced_after_posting',
    posting_key,
    lender,
    loan_id,
    amount,
    jsonb_build_object('reason', reason),
    %(run)s
from prepared
on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
