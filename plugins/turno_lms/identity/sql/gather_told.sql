-- The sightings of each touched key, as frozen and as they say today. What a person linked counts only for its own
-- derivation: that its sightings differ from the other key's was known when it was linked.
with member_key as (
    select touched.posting_key as effective_key, touched.posting_key, false as is_linked
    from touched_key as touched
    union all
    select touched.posting_key, decision.posting_key, true
    from touched_key as touched
    inner join core.core_payment_decision as decision on touched.posting_key = decision.linked_posting_key
)

insert into told
select
    member_key.effective_key,
    member_key.is_linked,
    identity.posting_key,
    identity.native_reference,
    identity.lender,
    identity.loan_id,
    identity.business_date,
    identity.amount,
    coalesce(sighting.gateway_payment_reference, identity.gateway_payment_reference) as gateway_payment_reference,
    coalesce(sighting.bank_reference, identity.bank_reference) as bank_reference,
    sighting.resolution_error,
    sighting.loan_id as loan_id_now,
    sighting.business_date as business_date_now,
    sighting.amount as amount_now
from member_key
inner join core.core_payment_identity as identity on member_key.posting_key = identity.posting_key
inner join core.core_payment_sighting as sighting on identity.native_reference = sighting.native_reference
