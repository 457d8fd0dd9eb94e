-- What was touched now, and every conflict still open. A key that a person linked counts under the key it was linked to.
with touched as (
    select sighting.frozen_posting_key as posting_key
    from sighting_read as sighting
    where sighting.frozen_posting_key is not null
    union
    select unit.posting_key from payment_unit as unit
    union
    select exception.subject
    from core.core_recon_exception as exception
    where exception.kind = 'identity_conflict' and exception.state = 'open'
)

insert into touched_key
select distinct coalesce(decision.linked_posting_key, touched.posting_key) as posting_key
from touched
left join core.core_payment_decision as decision on touched.posting_key = decision.posting_key
