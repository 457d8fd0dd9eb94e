-- Conservation: RAW accepted = sightings, row for row over all of history. Reads everything, therefore with the daily
-- reconciliation and not in the money path (there turno_lms.identity.evidence counts what was touched).
-- depends_on: {{ ref('core_recon_side') }}
with landed as (
    select
        accepted._file_id as file_id,
        accepted._row_number as row_number
    from {{ source('landing', 'raw_payment_file') }} as accepted
    where accepted._txid < (select max(built._read_horizon) from {{ ref('base_payment_file') }} as built)
),

sighted as (
    select
        sighting.file_id,
        sighting.row_number
    from {{ ref('core_payment_sighting') }} as sighting
    where sighting.channel like 'file:%'
)

select
    coalesce(landed.file_id, sighted.file_id) as file_id,
    coalesce(landed.row_number, sighted.row_number) as row_number,
    case when sighted.file_id is null then 'accepted and not sighted' else 'sighted and not accepted' end as fault
from landed
full outer join sighted on landed.file_id = sighted.file_id and landed.row_number = sighted.row_number
where
    sighted.file_id is null
    or (
        landed.file_id is null
        and not exists (
            select 1 from {{ source('landing', 'raw_payment_file') }} as later
            where later._file_id = sighted.file_id and later._row_number = sighted.row_number
        )
    )
