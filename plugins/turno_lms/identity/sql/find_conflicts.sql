-- Do the sightings of a posting key agree with what was frozen, and with each other?
with carrier as (
    select told.effective_key, told.gateway_payment_reference as reference, identity.posting_key
    from told
    inner join core.core_payment_identity as identity on told.gateway_payment_reference = identity.gateway_payment_reference
    union
    select told.effective_key, told.bank_reference, identity.posting_key
    from told
    inner join core.core_payment_identity as identity
        on told.lender = identity.lender and told.bank_reference = identity.bank_reference
    union
    select told.effective_key, told.gateway_payment_reference, identity.posting_key
    from told
    inner join core.core_payment_sighting as other on told.gateway_payment_reference = other.gateway_payment_reference
    inner join core.core_payment_identity as identity on other.native_reference = identity.native_reference
    union
    select told.effective_key, told.bank_reference, identity.posting_key
    from told
    inner join core.core_payment_sighting as other
        on told.lender = other.lender and told.bank_reference = other.bank_reference
    inner join core.core_payment_identity as identity on other.native_reference = identity.native_reference
),

shared as (
    select distinct
        carrier.effective_key,
        carrier.reference,
        coalesce(decision.linked_posting_key, carrier.posting_key) as other_key
    from carrier
    left join core.core_payment_decision as decision on carrier.posting_key = decision.posting_key
    where coalesce(decision.linked_posting_key, carrier.posting_key) <> carrier.effective_key
),

reason as (
    select
        told.effective_key as posting_key,
        jsonb_build_object(
            'rule', 'derivation_changed',
            'native_reference', told.native_reference,
            'frozen', jsonb_build_array(told.loan_id, told.business_date, told.amount),
            'now', jsonb_build_array(told.loan_id_now, told.business_date_now, told.amount_now),
            'resolution_error', told.resolution_error
        ) as reason
    from told
    where (told.loan_id, told.business_date, told.amount) is distinct from (told.loan_id_now, told.business_date_now, told.amount_now)
    union all
    select
        told.effective_key,
        jsonb_build_object(
            'rule', 'sightings_disagree',
            'native_reference', told.native_reference,
            'first_sight', jsonb_build_array(founder.loan_id, founder.business_date, founder.amount),
            'this_sighting', jsonb_build_array(told.loan_id, told.business_date, told.amount)
        )
    from told
    inner join core.core_payment_identity as founder
        on told.posting_key = founder.posting_key and founder.matched_by = 'first_sight'
    where
        not told.is_linked
        and (
            (told.loan_id, told.amount) is distinct from (founder.loan_id, founder.amount)
            -- a reference that comes back after the slowest settlement is no payment's own: a column that repeats
            -- would make one payment of every instalment
            or abs(told.business_date - founder.business_date) > %(settlement_days)s
        )
    union all
    select
        told.effective_key,
        jsonb_build_object(
            'rule', 'several_gateway_payments', 'references', jsonb_agg(distinct told.gateway_payment_reference)
        )
    from told
    where not told.is_linked
    group by told.effective_key, split_part(told.gateway_payment_reference, ':', 1)
    having count(distinct told.gateway_payment_reference) > 1
    union all
    -- paired while one of them had no bank reference yet; under one gateway payment two systems may name it differently
    select
        told.effective_key,
        jsonb_build_object(
            'rule', 'several_bank_references',
            'references', jsonb_build_array(
                least(told.bank_reference, other.bank_reference), greatest(told.bank_reference, other.bank_reference)
            )
        )
    from told
    inner join told as other on told.posting_key = other.posting_key
    where
        not told.is_linked
        and told.bank_reference <> other.bank_reference
        and told.gateway_payment_reference is distinct from other.gateway_payment_reference
    union all
    -- the other key is told of it too, for a person decides which of the two is the money
    select
        pair.posting_key,
        jsonb_build_object('rule', 'reference_under_two_keys', 'reference', shared.reference, 'other_key', pair.other_key)
    from shared
    cross join lateral (
        values (shared.effective_key, shared.other_key), (shared.other_key, shared.effective_key)
    ) as pair (posting_key, other_key)
)

insert into conflict
select
    known.posting_key,
    jsonb_agg(distinct reason.reason) filter (where reason.reason is not null)
from (
    select touched.posting_key from touched_key as touched
    union
    select reason.posting_key from reason
) as known
left join reason on known.posting_key = reason.posting_key
group by known.posting_key
