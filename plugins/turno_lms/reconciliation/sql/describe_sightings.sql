-- Sightings as a person names them, with the payment each belongs to, whether they are matched, and how far its posting is.
select
    identity.native_reference,
    coalesce(decision.linked_posting_key, identity.posting_key) as posting_key,
    case when identity.channel like 'file:%%' then 'file' else 'gateway' end as side,
    identity.lender,
    identity.loan_id,
    identity.business_date,
    identity.amount,
    md5(identity.loan_id || to_char(identity.business_date, 'YYYY-MM-DD') || identity.amount::text) as recon_match_key,
    identity.is_posting_channel,
    known.match_group,
    pending.posting_key is not null
    or exists (
        select 1 from core.core_transaction_data_processed as processed
        where
            processed.posting_key = coalesce(decision.linked_posting_key, identity.posting_key)
            and processed.outcome = 'posted'
    ) as is_in_posting
from core.core_payment_identity as identity
left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
left join core.core_recon_match as known on identity.native_reference = known.native_reference
left join core.core_fineract_pending_transactions as pending
    on coalesce(decision.linked_posting_key, identity.posting_key) = pending.posting_key
where identity.native_reference = any(%(references)s)
order by identity.native_reference
