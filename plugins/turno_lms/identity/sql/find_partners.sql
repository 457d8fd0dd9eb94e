-- The payments under the source keys of the units at one place, each with what it was seen in and which kinds of
-- reference it carries; what was linked to a payment counts as its own there.
with founder as (
    select
        identity.posting_key,
        identity.lender,
        identity.stream,
        identity.source_key,
        identity.occurrence,
        decision.linked_posting_key is not null as is_linked
    from core.core_payment_identity as identity
    left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
    where
        identity.matched_by = 'first_sight'
        and identity.source_key in (
            select waiting.source_key from payment_unit as waiting
            where waiting.channel_order = %(channel_order)s and waiting.posting_key is null
        )
)

insert into partner
select
    founder.posting_key,
    concat_ws('|', founder.lender, founder.stream, founder.source_key) as pairs_under,
    founder.occurrence,
    founder.is_linked,
    coalesce(bool_or(sighting.payment_status <> 'captured'), false) as is_gone,
    array_agg(distinct identity.channel) filter (where identity.posting_key = founder.posting_key) as channels,
    coalesce(array_agg(distinct carried.kind) filter (where carried.kind is not null), '{}') as reference_kinds
from founder
cross join lateral (
    select founder.posting_key
    union all
    select decision.posting_key
    from core.core_payment_decision as decision
    where decision.linked_posting_key = founder.posting_key
) as member
inner join core.core_payment_identity as identity on member.posting_key = identity.posting_key
left join core.core_payment_sighting as sighting on identity.native_reference = sighting.native_reference
cross join lateral unnest(array[
    split_part(identity.gateway_payment_reference, ':', 1),
    split_part(sighting.gateway_payment_reference, ':', 1),
    case when coalesce(identity.bank_reference, sighting.bank_reference) is not null then 'bank' end
]) as carried (kind)
group by
    founder.posting_key, founder.lender, founder.stream, founder.source_key, founder.occurrence, founder.is_linked
