-- The units that got their key: one row per sighting, never changed again. A further occurrence is held until a person
-- says whether it is other money.
with decided as (
    update payment_unit set is_frozen = true where posting_key is not null and not is_frozen returning *
)

insert into core.core_payment_identity (
    native_reference, posting_key, source_key, occurrence, lender, loan_id, business_date, amount, stream, channel,
    is_posting_channel, gateway_payment_reference, bank_reference, matched_by, held_as
)
select
    sighting.native_reference,
    decided.posting_key,
    decided.source_key,
    decided.occurrence,
    sighting.lender,
    sighting.loan_id,
    sighting.business_date,
    sighting.amount,
    sighting.stream,
    sighting.channel,
    sighting.is_posting_channel,
    sighting.gateway_payment_reference,
    sighting.bank_reference,
    case
        when sighting.native_reference = decided.founder then decided.matched_by
        -- asked once for all: a set that is looked up, where a join would be planned for one row
        when
            sighting.gateway_payment_reference in (
                select carried.gateway_payment_reference
                from new_sighting as carried
                where carried.gateway_payment_reference is not null
                group by carried.gateway_payment_reference
                having count(*) > 1
            )
            then 'gateway_payment'
        else 'bank_reference'
    end as matched_by,
    case
        when sighting.native_reference = decided.founder and decided.matched_by = 'first_sight' and decided.occurrence > 1
            then 'possible_duplicate'
    end as held_as
from decided
inner join new_sighting as sighting on decided.unit = sighting.unit
