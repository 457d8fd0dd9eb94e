select
    event.happened_at,
    event.event,
    event.actor,
    event.run,
    event.detail
from core.core_resolution_event as event
where event.resolution_ref = %s
order by event.event_id
