select
    matched.native_reference,
    matched.posting_key,
    matched.side,
    matched.rule,
    matched.is_canonical,
    matched.canonical_posting_key,
    identity.lender,
    identity.loan_id,
    identity.business_date,
    identity.amount,
    coalesce(stream.posting_policy = 'after_recon', false) as was_released,
    pending.posting_key is not null
    or exists (
        select 1 from core.core_transaction_data_processed as processed
        where processed.posting_key = matched.posting_key and processed.outcome = 'posted'
    ) as is_in_posting
from core.core_recon_match as matched
inner join core.core_payment_identity as identity on matched.native_reference = identity.native_reference
left join core.core_lender_stream as stream
    on identity.lender = stream.lender and identity.stream = stream.stream and stream.is_posting_channel
left join core.core_fineract_pending_transactions as pending on matched.posting_key = pending.posting_key
where matched.match_group = %(group)s
order by matched.native_reference
