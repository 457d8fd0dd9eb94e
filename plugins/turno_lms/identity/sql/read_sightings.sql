-- What dbt wrote since the last step that read something. It writes sightings under the lock that this step holds, so
-- that a sighting's transaction comes either before that step's, which then knew it, or after.
insert into sighting_read
select
    sighting.*,
    identity.posting_key
from core.core_payment_sighting as sighting
left join core.core_payment_identity as identity on sighting.native_reference = identity.native_reference
where sighting.is_collection and sighting._txid > %(last_read)s
