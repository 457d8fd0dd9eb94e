insert into payment_unit (unit, founder, channel_order, source_key, pairs_under, channels, reference_kinds)
select
    founder.unit,
    founder.native_reference,
    founder.channel_order,
    founder.source_key,
    concat_ws('|', founder.lender, founder.stream, founder.source_key) as pairs_under,
    whole.channels,
    whole.reference_kinds
from (
    select distinct on (unit) * from new_sighting order by unit asc, channel_order asc, native_reference asc
) as founder
inner join (
    select
        sighting.unit,
        array_agg(distinct sighting.channel) as channels,
        coalesce(array_agg(distinct carried.kind) filter (where carried.kind is not null), '{}') as reference_kinds
    from new_sighting as sighting
    cross join lateral unnest(array[
        split_part(sighting.gateway_payment_reference, ':', 1),
        case when sighting.bank_reference is not null then 'bank' end
    ]) as carried (kind)
    group by sighting.unit
) as whole on founder.unit = whole.unit
