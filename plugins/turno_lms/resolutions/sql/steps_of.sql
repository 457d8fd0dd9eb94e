select
    *,
    extract(epoch from clock_timestamp() - sent_at)::integer as seconds_since_sent
from core.core_resolution_step
where resolution_ref = %s
order by position
