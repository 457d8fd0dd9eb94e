select
    identity.posting_key,
    coalesce(decision.linked_posting_key, identity.posting_key) as effective_key
from core.core_payment_identity as identity
left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
where identity.posting_key = %(key)s or identity.native_reference = %(key)s
limit 1
