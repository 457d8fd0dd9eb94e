select
    happened_at,
    event,
    life,
    class,
    owner,
    amount,
    actor,
    note
from core.core_recon_exception_event
where exception_id = %(id)s
order by event_id
