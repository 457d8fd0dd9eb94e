-- Rule 3, one round for one place in the order of channels: units pair with payments of their stream that have the same
-- source key and were not yet seen in the unit's channels, the k-th with the k-th, money that went back last. A pair that
-- carries comparable references would carry different ones (equal ones were joined before), so it is never made. A key
-- that a person linked to another takes only blank evidence: a reference, or the channel that posts, says more than was
-- known when it was linked. Where two kinds of unit want one payment, the one that carries more references comes first,
-- for it has fewer to choose from.
with waiting as (
    select
        *,
        dense_rank() over (order by pairs_under, channels, reference_kinds) as class,
        row_number() over (partition by pairs_under, channels, reference_kinds order by founder) as nth
    from payment_unit
    where channel_order = %(channel_order)s and posting_key is null
),

offer as (
    select
        class.class,
        partner.posting_key,
        partner.occurrence,
        row_number() over (partition by class.class order by partner.is_gone, partner.occurrence) as nth
    from (select distinct class, pairs_under, channels, reference_kinds from waiting) as class
    inner join partner on class.pairs_under = partner.pairs_under
    where
        not partner.channels && class.channels
        and not partner.reference_kinds && class.reference_kinds
        and (not partner.is_linked or (class.reference_kinds = '{}' and %(channel_order)s > 1))
        and not exists (
            select 1 from payment_unit as taken
            where taken.posting_key = partner.posting_key and not taken.is_frozen
        )
),

pair as (
    select distinct on (offer.posting_key) waiting.unit, offer.posting_key, offer.occurrence
    from waiting
    inner join offer using (class, nth)
    order by offer.posting_key, cardinality(waiting.reference_kinds) desc, waiting.founder
)

update payment_unit as unit
set posting_key = pair.posting_key, occurrence = pair.occurrence, matched_by = 'same_source_key'
from pair
where unit.unit = pair.unit
