-- Rule 3, one round for one place in the order of channels: units pair with payments of their stream that have the same
-- source key and were not yet seen in the unit's channels, the k-th with the k-th, money that went back last. A pair that
-- carries comparable references would carry different ones (equal ones were joined before), so it is never made; what
-- was linked to a payment counts as its own there. A key that a person linked to another takes only blank evidence: a
-- reference, or the channel that posts, says more than was known when it was linked. Where two kinds of unit want one
-- payment, the one that carries more references comes first, for it has fewer to choose from.
with waiting as (
    select
        *,
        row_number() over (
            partition by source_key, lender, stream, channels, reference_kinds order by founder
        ) as nth
    from payment_unit
    where channel_order = %(channel_order)s and posting_key is null
),

founder as (
    select
        identity.posting_key,
        identity.source_key,
        identity.lender,
        identity.stream,
        identity.occurrence,
        decision.linked_posting_key is not null as is_linked
    from core.core_payment_identity as identity
    left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
    where
        identity.matched_by = 'first_sight'
        and identity.source_key in (select waiting.source_key from waiting)
        and identity.posting_key not in (
            select taken.posting_key from payment_unit as taken where taken.posting_key is not null and not taken.is_frozen
        )
),

member_key as (
    select founder.posting_key, founder.posting_key as member_posting_key from founder
    union all
    select founder.posting_key, decision.posting_key
    from founder
    inner join core.core_payment_decision as decision on founder.posting_key = decision.linked_posting_key
),

seen as (
    select
        member_key.posting_key,
        array_agg(distinct identity.channel) filter (where identity.posting_key = member_key.posting_key) as channels,
        coalesce(array_agg(distinct carried.kind) filter (where carried.kind is not null), '{}') as reference_kinds,
        coalesce(bool_or(sighting.payment_status <> 'captured'), false) as is_gone
    from member_key
    inner join core.core_payment_identity as identity on member_key.member_posting_key = identity.posting_key
    left join core.core_payment_sighting as sighting on identity.native_reference = sighting.native_reference
    cross join lateral unnest(array[
        split_part(identity.gateway_payment_reference, ':', 1),
        split_part(sighting.gateway_payment_reference, ':', 1),
        case when coalesce(identity.bank_reference, sighting.bank_reference) is not null then 'bank' end
    ]) as carried (kind)
    group by member_key.posting_key
),

offer as (
    select
        class.source_key,
        class.lender,
        class.stream,
        class.channels,
        class.reference_kinds,
        founder.posting_key,
        founder.occurrence,
        row_number() over (
            partition by class.source_key, class.lender, class.stream, class.channels, class.reference_kinds
            order by seen.is_gone, founder.occurrence
        ) as nth
    from (select distinct source_key, lender, stream, channels, reference_kinds from waiting) as class
    inner join founder
        on class.source_key = founder.source_key and class.lender = founder.lender and class.stream = founder.stream
    inner join seen on founder.posting_key = seen.posting_key
    where
        not seen.channels && class.channels
        and not seen.reference_kinds && class.reference_kinds
        and (not founder.is_linked or (class.reference_kinds = '{}' and %(channel_order)s > 1))
),

pair as (
    select distinct on (offer.posting_key) waiting.unit, offer.posting_key, offer.occurrence
    from waiting
    inner join offer using (source_key, lender, stream, channels, reference_kinds, nth)
    order by offer.posting_key, cardinality(waiting.reference_kinds) desc, waiting.founder
)

update payment_unit as unit
set posting_key = pair.posting_key, occurrence = pair.occurrence, matched_by = 'same_source_key'
from pair
where unit.unit = pair.unit
