select
    identity.native_reference,
    identity.posting_key,
    identity.matched_by,
    identity.business_date,
    identity.amount,
    sighting.payment_status,
    sighting.seen_at
from core.core_payment_identity as identity
inner join core.core_payment_sighting as sighting on identity.native_reference = sighting.native_reference
left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
where coalesce(decision.linked_posting_key, identity.posting_key) = %(key)s
order by sighting.seen_at, identity.native_reference
