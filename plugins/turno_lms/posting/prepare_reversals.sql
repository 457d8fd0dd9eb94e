-- Posted money that a later record says bounced: the payment's own records, or a bounce or reversal of the same loan and
-- amount that names it, its bank reference, its day, or (a reversal) one of the ten days after it. What a gateway says it
-- gave back is asked about by the gateways (returned_after_posting).
-- Only what changed since the last search is read: what was posted since, and what was told since.
with posted_since as (
    select processed.posting_key
    from core.core_transaction_data_processed as processed
    where processed._txid >= %(since)s and processed.outcome = 'posted'
),

blocked as (
    select payment.posting_key
    from core.core_transaction_data as payment
    where payment._txid >= %(since)s and payment.posting_block = 'not_collected'
    union
    select payment.posting_key
    from posted_since
    inner join core.core_transaction_data as payment on posted_since.posting_key = payment.posting_key
    where payment.posting_block = 'not_collected'
),

told_since as (
    select
        processed.posting_key,
        sighting.native_reference
    from core.core_payment_sighting as sighting
    inner join core.core_transaction_data_processed as processed
        on sighting.stated_loan_id = processed.loan_id and sighting.amount = processed.amount
    where sighting._txid >= %(since)s and not sighting.is_collection
    union
    select
        processed.posting_key,
        sighting.native_reference
    from posted_since
    inner join core.core_transaction_data_processed as processed on posted_since.posting_key = processed.posting_key
    inner join core.core_payment_sighting as sighting
        on processed.loan_id = sighting.stated_loan_id and processed.amount = sighting.amount
    where not sighting.is_collection
),

member as (
    select
        blocked.posting_key,
        blocked.posting_key as member_posting_key
    from blocked
    union all
    select
        blocked.posting_key,
        decision.posting_key as member_posting_key
    from blocked
    inner join core.core_payment_decision as decision on blocked.posting_key = decision.linked_posting_key
),

given_back as (
    select member.posting_key
    from member
    inner join core.core_payment_identity as identity on member.member_posting_key = identity.posting_key
    inner join base.base_gateway_payment as told on identity.native_reference = told.gateway_payment_reference
    where told.payment_status in ('partially_refunded', 'refunded', 'charged_back')
),

returned as (
    select
        payment.posting_key,
        coalesce(payment.payment_status, 'not collected') as told,
        payment.posting_key as told_by
    from blocked
    inner join core.core_transaction_data as payment on blocked.posting_key = payment.posting_key
    where payment.posting_key not in (select given_back.posting_key from given_back)
    union all
    select
        posted.posting_key,
        sighting.payment_status as told,
        sighting.native_reference as told_by
    from told_since
    inner join core.core_transaction_data_processed as posted on told_since.posting_key = posted.posting_key
    inner join core.core_payment_sighting as sighting on told_since.native_reference = sighting.native_reference
    left join core.core_transaction_data as payment on posted.posting_key = payment.posting_key
    where
        sighting.payment_status in ('failed', 'refunded', 'charged_back')
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
    inner join core.core_transaction_data_processed as posted on told.posting_key = posted.posting_key
    left join core.core_reversal as known on told.posting_key = known.posting_key
    where posted.outcome = 'posted' and known.posting_key is null
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
