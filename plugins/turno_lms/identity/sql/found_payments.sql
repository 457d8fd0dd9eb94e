-- Rule 4: what is left is money of its own. Under a source key that is known it is a further occurrence.
-- The posting key's text is that of turno_lms.domain.keys.posting_key (tests/vectors/keys.json holds all of them to it).
update payment_unit as unit
set
    posting_key = founded.source_key || case when founded.occurrence > 1 then '-o' || founded.occurrence else '' end,
    occurrence = founded.occurrence,
    matched_by = 'first_sight'
from (
    select
        waiting.unit,
        waiting.source_key,
        coalesce(known.occurrence, 0) + row_number() over (partition by waiting.source_key order by waiting.founder) as occurrence
    from payment_unit as waiting
    left join lateral (
        select max(identity.occurrence) as occurrence
        from core.core_payment_identity as identity
        where identity.source_key = waiting.source_key and identity.matched_by = 'first_sight'
    ) as known on true
    where waiting.channel_order = %(channel_order)s and waiting.posting_key is null
) as founded
where unit.unit = founded.unit
