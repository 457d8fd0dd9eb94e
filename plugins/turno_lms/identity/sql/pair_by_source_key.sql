-- Rule 3, one round for one place in the order of channels: units pair with payments of their stream that have the same
-- source key and were not yet seen in the unit's channels, the k-th with the k-th. A pair that carries comparable
-- references would carry different ones (equal ones were joined before), so it is never made. Where two kinds of unit
-- want one payment, the one that carries more references comes first, for it has fewer to choose from.
with waiting as (
    select
        *,
        row_number() over (
            partition by source_key, stream, channels, reference_kinds order by founder
        ) as nth
    from payment_unit
    where channel_order = %(channel_order)s and posting_key is null
),

payment as (
    select
        identity.posting_key,
        identity.source_key,
        identity.occurrence,
        min(identity.stream) filter (where identity.matched_by = 'first_sight') as stream,
        array_agg(distinct identity.channel) as channels,
        coalesce(array_agg(distinct carried.kind) filter (where carried.kind is not null), '{}') as reference_kinds
    from core.core_payment_identity as identity
    left join core.core_payment_sighting as sighting on identity.native_reference = sighting.native_reference
    cross join lateral unnest(array[
        split_part(identity.gateway_payment_reference, ':', 1),
        split_part(sighting.gateway_payment_reference, ':', 1),
        case when coalesce(identity.bank_reference, sighting.bank_reference) is not null then 'bank' end
    ]) as carried (kind)
    where
        identity.source_key in (select waiting.source_key from waiting)
        and identity.posting_key not in (
            select taken.posting_key from payment_unit as taken where taken.posting_key is not null and not taken.is_frozen
        )
    group by identity.posting_key, identity.source_key, identity.occurrence
),

offer as (
    select
        class.source_key,
        class.stream,
        class.channels,
        class.reference_kinds,
        payment.posting_key,
        payment.occurrence,
        row_number() over (
            partition by class.source_key, class.stream, class.channels, class.reference_kinds order by payment.occurrence
        ) as nth
    from (select distinct source_key, stream, channels, reference_kinds from waiting) as class
    inner join payment on class.source_key = payment.source_key and class.stream = payment.stream
    where not payment.channels && class.channels and not payment.reference_kinds && class.reference_kinds
),

pair as (
    select distinct on (offer.posting_key) waiting.unit, offer.posting_key, offer.occurrence
    from waiting
    inner join offer using (source_key, stream, channels, reference_kinds, nth)
    order by offer.posting_key, cardinality(waiting.reference_kinds) desc, waiting.founder
)

update payment_unit as unit
set posting_key = pair.posting_key, occurrence = pair.occurrence, matched_by = 'same_source_key'
from pair
where unit.unit = pair.unit
