-- One step of merging units that share a gateway payment, or a bank reference of one lender; repeated until none does.
update new_sighting as sighting
set unit = merged.unit
from (
    select
        native_reference,
        least(
            case
                when gateway_payment_reference is not null then min(unit) over (partition by gateway_payment_reference)
                else unit
            end,
            case
                when bank_reference is not null then min(unit) over (partition by lender, bank_reference)
                else unit
            end
        ) as unit
    from new_sighting
    where gateway_payment_reference is not null or bank_reference is not null
) as merged
where sighting.native_reference = merged.native_reference and merged.unit < sighting.unit
