-- Rule 2: the same gateway payment, or the same bank reference of the lender, is the same payment, whatever its date or
-- amount says. A reference counts as frozen and as its sighting gives it today: some arrive after the payment.
update payment_unit as unit
set posting_key = known.posting_key, source_key = known.source_key, occurrence = known.occurrence, matched_by = known.matched_by
from (
    select distinct on (carrier.unit)
        carrier.unit,
        carrier.matched_by,
        identity.posting_key,
        identity.source_key,
        identity.occurrence
    from (
        select sighting.unit, 1 as strength, 'gateway_payment' as matched_by, frozen.native_reference
        from new_sighting as sighting
        inner join core.core_payment_identity as frozen
            on sighting.gateway_payment_reference = frozen.gateway_payment_reference
        union all
        select sighting.unit, 1, 'gateway_payment', current_sighting.native_reference
        from new_sighting as sighting
        inner join core.core_payment_sighting as current_sighting
            on sighting.gateway_payment_reference = current_sighting.gateway_payment_reference
        union all
        select sighting.unit, 2, 'bank_reference', frozen.native_reference
        from new_sighting as sighting
        inner join core.core_payment_identity as frozen
            on sighting.lender = frozen.lender and sighting.bank_reference = frozen.bank_reference
        union all
        select sighting.unit, 2, 'bank_reference', current_sighting.native_reference
        from new_sighting as sighting
        inner join core.core_payment_sighting as current_sighting
            on sighting.lender = current_sighting.lender and sighting.bank_reference = current_sighting.bank_reference
    ) as carrier
    inner join core.core_payment_identity as identity on carrier.native_reference = identity.native_reference
    order by carrier.unit, carrier.strength, identity.first_seen_at, identity.posting_key
) as known
where unit.unit = known.unit
