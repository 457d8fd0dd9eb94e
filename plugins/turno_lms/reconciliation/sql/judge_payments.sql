-- The payments that are left (left_over_named), and what is asked beside them: evidence that the posting channel reported as
-- well, and what nothing holds and that was still not posted.
create temporary table payment_judged as
select
    left_over.posting_key,
    left_over.lender,
    left_over.loan_id,
    left_over.amount,
    left_over.kind,
    left_over.class,
    jsonb_strip_nulls(
        jsonb_build_object(
            'business_date', left_over.business_date,
            'sightings', left_over.sightings,
            'candidates', left_over.candidates
        )
    ) as detail
from left_over_named as left_over
union all
select
    payment.posting_key,
    payment.lender,
    payment.loan_id,
    payment.amount,
    'missing_in_fineract',
    'mismatched',
    jsonb_strip_nulls(
        jsonb_build_object('business_date', payment.business_date, 'queue', pending.state, 'last_error', pending.last_error)
    )
from core.core_transaction_data as payment
left join core.core_transaction_data_processed as processed
    on payment.posting_key = processed.posting_key and processed.outcome <> 'withdrawn'
left join core.core_fineract_pending_transactions as pending on payment.posting_key = pending.posting_key
where
    payment.posting_block is null
    and processed.posting_key is null
    and payment.first_seen_at < now() - make_interval(hours => %(posting_hours)s)
union all
select
    evidence.posting_key,
    late.lender,
    late.loan_id,
    late.amount,
    'contested_match',
    'mismatched',
    jsonb_build_object(
        'match_group', evidence.match_group,
        'posts_through', evidence.canonical_posting_key,
        'reported_by', late.channel,
        'native_reference', late.native_reference
    )
from core.core_recon_match as evidence
inner join core.core_payment_identity as late on evidence.posting_key = late.posting_key and late.is_posting_channel
left join core.core_recon_match as known on late.native_reference = known.native_reference
where
    not evidence.is_canonical
    and evidence.canonical_posting_key is not null
    and evidence.canonical_posting_key <> evidence.posting_key
    and known.native_reference is null
