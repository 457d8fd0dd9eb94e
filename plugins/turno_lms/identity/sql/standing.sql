select
    founder.posting_key,
    decision.decision,
    decision.linked_posting_key,
    exists (
        select 1 from core.core_recon_exception as exception
        where
            exception.subject = founder.posting_key
            and exception.state = 'open'
            and exception.kind = any(%(decidable_kinds)s)
    ) as waits_for_a_person,
    coalesce(processed.outcome = 'posted', false) or pending.posting_key is not null as is_in_posting,
    payment.posting_key is not null and payment.posting_block is null as may_be_posted
from core.core_payment_identity as founder
left join core.core_payment_decision as decision on founder.posting_key = decision.posting_key
left join core.core_transaction_data_processed as processed on founder.posting_key = processed.posting_key
left join core.core_fineract_pending_transactions as pending on founder.posting_key = pending.posting_key
left join core.core_transaction_data as payment on founder.posting_key = payment.posting_key
where founder.posting_key = %(key)s and founder.matched_by = 'first_sight'
